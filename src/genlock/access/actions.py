"""Authenticates tokens, creates and revokes them."""

import hmac
import secrets
from hashlib import sha256
from pathlib import Path

from genlock.access import sql
from genlock.access.model import IssuedToken, NewToken, Token
from genlock.db.connection import Conn
from genlock.digest import canonical, digest_of
from genlock.errors import Denied, Invalid, NotFound
from genlock.events import log
from genlock.model import Actor, Role
from genlock.private_file import write_private

PREFIX = "gl_"
SYSTEM = Actor(token_id=None, name="genlock", role=Role.ADMIN)
"""The actor of what the server does by itself."""


async def authenticate(conn: Conn, secret: str) -> Actor:
    """Return the holder of a secret, uncached. ``Denied`` (401) if the token is unknown or revoked."""
    actor = await sql.holder_of(conn, digest_of(secret.encode()))
    if actor is None:
        raise Denied(
            "This token is unknown or was revoked.",
            hint="Ask an administrator for a token: `genlock token add NAME --role creator`.",
            code="unknown_token",
            unauthenticated=True,
        )
    return actor


async def create_token(conn: Conn, new: NewToken, actor: Actor, *, secret: str | None = None) -> IssuedToken:
    """Create a token and return it with its secret, which is not stored and never shown again.

    ``secret`` is given when the caller can derive it again (``secret_for_key``): then a second request returns the
    token of the first. ``Invalid`` if that one has another name, role or projects. ``NotFound`` if a project to which
    it is limited does not exist.
    """
    unknown = await sql.unknown_projects(conn, new.projects or ())
    if unknown:
        raise NotFound(f"There is no project {unknown[0]}.", hint="`genlock project list` shows all projects.")
    secret = secret or PREFIX + secrets.token_urlsafe(32)
    digest = digest_of(secret.encode())
    token = await sql.insert_token(conn, new, digest, actor.name)
    if token is None:
        token = await sql.token_with_digest(conn, digest)
        if token is None or not _is_same(token, new):
            raise Invalid(
                "This idempotency key was used for another token.",
                hint="Use a new key for each new request.",
                code="key_reused",
            )
    else:
        data = {"name": new.name, "role": new.role, "projects": token.projects}
        await log.append(conn, "token.created", actor, subject=f"token/{token.id}", data=data)
    return IssuedToken(**token.model_dump(), secret=secret)


def _is_same(token: Token, new: NewToken) -> bool:
    projects = None if new.projects is None else frozenset(new.projects)
    limits = None if token.projects is None else frozenset(token.projects)
    return (token.name, token.role, limits) == (new.name, new.role, projects)


def secret_for_key(holder_secret: str, key: str) -> str:
    """Return the secret of a token created under an idempotency key, derived from the holder's secret and the key.

    The response can be repeated without storing the secret. It reveals nothing about the holder's secret (RFC 2104).
    """
    mac = hmac.new(holder_secret.encode(), canonical(["token", key]), sha256).digest()
    return PREFIX + mac.hex()


async def revoke_token(conn: Conn, token_id: int, actor: Actor) -> Token:
    """Revoke a token: it is refused from the commit on. ``NotFound`` if there is none."""
    token = await sql.revoke(conn, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}.", hint="`genlock token list` shows all tokens.")
    await log.append(conn, "token.revoked", actor, subject=f"token/{token.id}", data={"name": token.name})
    return token


async def ensure_admin_token(conn: Conn, path: Path) -> Actor:
    """Ensure that ``path`` holds the secret of an administrator's token, readable by its owner alone.

    Return the token's holder. The owner of the data folder is the administrator, so a revoked or lost token is
    replaced. A new secret is on disk before its row is committed: after a crash in between, the next start replaces
    the file.
    """
    if path.exists():
        actor = await sql.holder_of(conn, digest_of(path.read_bytes().strip()))
        if actor is not None and actor.role is Role.ADMIN:
            path.chmod(0o600)
            return actor
    issued = await create_token(conn, NewToken(name="admin.token", role=Role.ADMIN), SYSTEM)
    write_private(path, issued.secret + "\n")
    return Actor(token_id=issued.id, name=issued.name, role=issued.role)
