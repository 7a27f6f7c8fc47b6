"""Browser sessions: a one-time link signs a browser in, and a secret in a cookie keeps it signed in.

    holder of a token ── sign-in link ──▶ browser ── code ──▶ session, with the role of that token

Secrets are random, stored as digests, and compared by PostgreSQL through an index on them.
"""

import secrets
from datetime import timedelta

from genlock.access import sessions_sql as sql
from genlock.access.model import BrowserSession, SignInLink
from genlock.db.connection import Conn
from genlock.digest import digest_of
from genlock.errors import Denied, NotFound
from genlock.events import log
from genlock.model import Actor

SIGN_IN_PATH = "/sign-in"
LINK_LIFETIME = timedelta(hours=1)
SESSION_LIFETIME = timedelta(days=30)
"""How long a session lasts after it was last used."""

_MAX_BROWSER = 200


async def create_link(conn: Conn, actor: Actor) -> SignInLink:
    """Create a link that signs one browser in as the holder of ``actor``'s token."""
    if actor.token_id is None:
        raise Denied("Only the holder of a token can create a sign-in link.", hint="Use a token.", code="no_token")
    code = secrets.token_urlsafe(32)
    expires_at = await sql.insert_link(conn, digest_of(code.encode()), actor.token_id, LINK_LIFETIME)
    # In the fragment, the code reaches no server log and no Referer header.
    return SignInLink(path=f"{SIGN_IN_PATH}#{code}", expires_at=expires_at)


async def sign_in(conn: Conn, code: str, browser: str) -> tuple[str, BrowserSession]:
    """Exchange the code of a link for a session; return its secret, which is not stored, and the session.

    ``Denied`` (401) if the link is unknown, expired or was used.
    """
    token_id = await sql.take_link(conn, digest_of(code.encode()))
    if token_id is None:
        raise Denied(
            "This sign-in link has expired or was used.",
            hint="Run `genlock open` for a new one.",
            code="link_expired",
            unauthenticated=True,
        )
    secret = secrets.token_urlsafe(32)
    printable = "".join(character if character.isprintable() else " " for character in browser)[:_MAX_BROWSER]
    session = await sql.insert_session(conn, digest_of(secret.encode()), token_id, printable, SESSION_LIFETIME)
    actor = Actor(token_id=token_id, name=session.name, role=session.role)
    await log.append(conn, "session.started", actor, subject=f"session/{session.id}", data={"browser": session.browser})
    return secret, session


async def session_actor(conn: Conn, secret: str) -> Actor:
    """Return the holder of a session's secret. ``Denied`` (401) if the session has ended or its token was revoked."""
    actor = await sql.use_session(conn, digest_of(secret.encode()), SESSION_LIFETIME)
    if actor is None:
        raise Denied(
            "You are signed out.",
            hint="Run `genlock open` to sign in again.",
            code="signed_out",
            unauthenticated=True,
        )
    return actor


async def end_session(conn: Conn, session_id: int, actor: Actor, *, any_token: bool) -> BrowserSession:
    """End a session of the actor's token, or with ``any_token`` of any. ``NotFound`` if there is none."""
    session = await sql.delete_session(conn, session_id, None if any_token else actor.token_id)
    if session is None:
        raise NotFound(f"There is no session {session_id}.", hint="The list of sessions shows all that are signed in.")
    await log.append(conn, "session.ended", actor, subject=f"session/{session.id}", data={"browser": session.browser})
    return session
