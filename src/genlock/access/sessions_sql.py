"""Rows of sign-in links and browser sessions."""

from datetime import datetime, timedelta

from genlock.access.model import BrowserSession
from genlock.db.connection import Conn, execute, many, maybe, scalar, single
from genlock.db.pages import decode_key, page_of
from genlock.digest import Digest, to_raw
from genlock.errors import NotFound
from genlock.model import Actor, Page


async def insert_link(conn: Conn, code_digest: Digest, token_id: int, lifetime: timedelta) -> datetime:
    """Insert a link, delete expired ones, and return when the new one expires."""
    await execute(conn, "DELETE FROM sign_in_links WHERE expires_at < now()")
    return await scalar(
        conn,
        """
        INSERT INTO sign_in_links (digest, token_id, expires_at)
        VALUES (%(digest)s, %(token_id)s, now() + %(lifetime)s)
        RETURNING expires_at
        """,
        digest=to_raw(code_digest),
        token_id=token_id,
        lifetime=lifetime,
    )


async def take_link(conn: Conn, code_digest: Digest) -> int | None:
    """Delete a link and return its token's id; ``None`` if it is unknown or expired, or the token was revoked."""
    return await scalar(
        conn,
        """
        DELETE FROM sign_in_links l USING tokens t
         WHERE l.digest = %(digest)s AND l.expires_at > now() AND t.id = l.token_id AND t.revoked_at IS NULL
        RETURNING l.token_id
        """,
        digest=to_raw(code_digest),
    )


async def insert_session(
    conn: Conn, secret_digest: Digest, token_id: int, browser: str, lifetime: timedelta
) -> BrowserSession:
    """Insert a session, delete expired ones, and return the new one."""
    await execute(conn, "DELETE FROM sessions WHERE expires_at < now()")
    return await single(
        conn,
        BrowserSession,
        NotFound(f"There is no token {token_id}.", hint="Use another link."),
        """
        WITH new AS (
            INSERT INTO sessions (digest, token_id, browser, expires_at)
            VALUES (%(digest)s, %(token_id)s, %(browser)s, now() + %(lifetime)s)
            RETURNING id, token_id, browser, created_at, last_used_at, expires_at)
        SELECT n.id, n.token_id, t.name, t.role, n.browser, n.created_at, n.last_used_at, n.expires_at, true AS current
          FROM new n JOIN tokens t ON t.id = n.token_id
        """,
        digest=to_raw(secret_digest),
        token_id=token_id,
        browser=browser,
        lifetime=lifetime,
    )


async def use_session(conn: Conn, secret_digest: Digest, lifetime: timedelta) -> Actor | None:
    """Return the holder of a session and extend it; ``None`` if it has ended or its token was revoked.

    The row is written at most once an hour, so that reading stays reading.
    """
    return await maybe(
        conn,
        Actor,
        """
        WITH extended AS (
            UPDATE sessions SET last_used_at = now(), expires_at = now() + %(lifetime)s
             WHERE digest = %(digest)s AND expires_at > now() AND last_used_at < now() - interval '1 hour')
        SELECT t.id AS token_id, t.name, t.role, t.projects
          FROM sessions s JOIN tokens t ON t.id = s.token_id
         WHERE s.digest = %(digest)s AND s.expires_at > now() AND t.revoked_at IS NULL
        """,
        digest=to_raw(secret_digest),
        lifetime=lifetime,
    )


async def delete_session(conn: Conn, session_id: int, token_id: int | None) -> BrowserSession | None:
    """Delete a session, of one token if it is given, and return it; ``None`` if there is none."""
    return await maybe(
        conn,
        BrowserSession,
        """
        DELETE FROM sessions s USING tokens t
         WHERE s.id = %(session_id)s AND t.id = s.token_id
           AND (%(token_id)s::bigint IS NULL OR s.token_id = %(token_id)s)
        RETURNING s.id, s.token_id, t.name, t.role, s.browser, s.created_at, s.last_used_at, s.expires_at
        """,
        session_id=session_id,
        token_id=token_id,
    )


async def session_with_digest(conn: Conn, secret_digest: Digest) -> int | None:
    """Return the id of the session whose secret has this digest."""
    return await scalar(conn, "SELECT id FROM sessions WHERE digest = %(digest)s", digest=to_raw(secret_digest))


async def list_sessions(
    conn: Conn, current: Digest, token_id: int | None, *, after: str | None, limit: int
) -> Page[BrowserSession]:
    """Return sessions that have not expired, newest first, of one token if it is given.

    ``current`` is the digest of the secret of the request; the session that has it is marked.
    """
    sessions = await many(
        conn,
        BrowserSession,
        """
        SELECT s.id, s.token_id, t.name, t.role, s.browser, s.created_at, s.last_used_at, s.expires_at,
               s.digest = %(current)s AS current
          FROM sessions s JOIN tokens t ON t.id = s.token_id
         WHERE s.expires_at > now() AND t.revoked_at IS NULL
           AND (%(token_id)s::bigint IS NULL OR s.token_id = %(token_id)s)
           AND (%(before)s::bigint IS NULL OR s.id < %(before)s)
         ORDER BY s.id DESC
         LIMIT %(limit)s + 1
        """,
        current=to_raw(current),
        token_id=token_id,
        before=decode_key(after),
        limit=limit,
    )
    return page_of(sessions, limit, lambda last: (last.id,))
