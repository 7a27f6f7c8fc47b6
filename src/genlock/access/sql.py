"""Queries of tokens and of responses stored for idempotency keys."""

from collections.abc import Sequence

from genlock.access.model import NewToken, StoredResponse, Token
from genlock.db.connection import Conn, execute, many, maybe, rows, scalar
from genlock.db.pages import decode_key, page_of
from genlock.digest import Digest, to_raw
from genlock.model import Actor, Page

RETENTION = "24 hours"
_SWEEP_LIMIT = 20


async def holder_of(conn: Conn, secret_digest: Digest) -> Actor | None:
    """Return the holder of the secret with this digest; ``None`` if it is unknown or revoked."""
    return await maybe(
        conn,
        Actor,
        "SELECT id AS token_id, name, role, projects FROM tokens WHERE digest = %(digest)s AND revoked_at IS NULL",
        digest=to_raw(secret_digest),
    )


async def insert_token(conn: Conn, new: NewToken, secret_digest: Digest, created_by: str) -> Token | None:
    """Insert a token; return ``None`` if another token has this digest."""
    return await maybe(
        conn,
        Token,
        """
        INSERT INTO tokens (name, role, projects, digest, created_by)
        VALUES (%(name)s, %(role)s, %(projects)s, %(digest)s, %(created_by)s)
        ON CONFLICT ON CONSTRAINT tokens_digest_unique DO NOTHING
        RETURNING id, name, role, projects, created_at, created_by, revoked_at
        """,
        name=new.name,
        role=new.role,
        projects=None if new.projects is None else sorted(set(new.projects)),
        digest=to_raw(secret_digest),
        created_by=created_by,
    )


async def unknown_projects(conn: Conn, projects: Sequence[int]) -> tuple[int, ...]:
    """Return those ids of projects that do not exist."""
    result = await rows(
        conn,
        """
        SELECT requested.id
          FROM unnest(%(projects)s::bigint[]) AS requested (id)
         WHERE NOT EXISTS (SELECT FROM projects p WHERE p.id = requested.id)
         ORDER BY requested.id
        """,
        projects=list(projects),
    )
    return tuple(row["id"] for row in result)


async def token_with_digest(conn: Conn, secret_digest: Digest) -> Token | None:
    """Return the token whose secret has this digest, revoked or not."""
    return await maybe(
        conn,
        Token,
        "SELECT id, name, role, projects, created_at, created_by, revoked_at FROM tokens WHERE digest = %(digest)s",
        digest=to_raw(secret_digest),
    )


async def list_tokens(conn: Conn, *, after: str | None = None, limit: int = 100) -> Page[Token]:
    """Return all tokens, revoked ones included, newest first."""
    tokens = await many(
        conn,
        Token,
        """
        SELECT id, name, role, projects, created_at, created_by, revoked_at
          FROM tokens
         WHERE %(before)s::bigint IS NULL OR id < %(before)s
         ORDER BY id DESC
         LIMIT %(limit)s + 1
        """,
        before=decode_key(after),
        limit=limit,
    )
    return page_of(tokens, limit, lambda last: (last.id,))


async def revoke(conn: Conn, token_id: int) -> Token | None:
    """Revoke a token, if it is not revoked yet, and return it; ``None`` if it does not exist."""
    return await maybe(
        conn,
        Token,
        """
        UPDATE tokens SET revoked_at = coalesce(revoked_at, now())
         WHERE id = %(token_id)s
        RETURNING id, name, role, projects, created_at, created_by, revoked_at
        """,
        token_id=token_id,
    )


async def try_lock_key(conn: Conn, key_digest: Digest) -> bool:
    """Lock the key until the transaction ends; return false if another transaction holds it."""
    number = int.from_bytes(to_raw(key_digest)[:8], "big", signed=True)
    return await scalar(conn, "SELECT pg_try_advisory_xact_lock(%(number)s)", number=number)


async def stored_response(conn: Conn, token_id: int, key: str) -> StoredResponse | None:
    """Return the response stored for a token's key, unless its retention has ended."""
    return await maybe(
        conn,
        StoredResponse,
        """
        SELECT digest_text(request_digest) AS request_digest, status, media_type, answer
          FROM idempotency_keys
         WHERE token_id = %(token_id)s AND key = %(key)s
           AND created_at > now() - %(retention)s::interval AND status IS NOT NULL
        """,
        token_id=token_id,
        key=key,
        retention=RETENTION,
    )


async def store_response(conn: Conn, token_id: int, key: str, answer: StoredResponse) -> None:
    """Store a response in the transaction of its request, and delete a few expired ones."""
    await execute(
        conn,
        """
        DELETE FROM idempotency_keys
         WHERE (token_id, key) IN (SELECT token_id, key FROM idempotency_keys
                                    WHERE created_at <= now() - %(retention)s::interval
                                    ORDER BY created_at LIMIT %(swept)s FOR UPDATE SKIP LOCKED)
        """,
        retention=RETENTION,
        swept=_SWEEP_LIMIT,
    )
    await execute(
        conn,
        """
        INSERT INTO idempotency_keys AS kept (token_id, key, request_digest, status, media_type, answer)
        VALUES (%(token_id)s, %(key)s, %(request_digest)s, %(status)s, %(media_type)s, %(answer)s)
        ON CONFLICT (token_id, key) DO UPDATE
           SET request_digest = excluded.request_digest, status = excluded.status,
               media_type = excluded.media_type, answer = excluded.answer, created_at = now()
        """,
        token_id=token_id,
        key=key,
        request_digest=to_raw(answer.request_digest),
        status=answer.status,
        media_type=answer.media_type,
        answer=answer.answer,
    )
