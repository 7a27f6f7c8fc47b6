"""Decides who somebody is, and lets people in and out."""

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
"""Who acts when nobody asked: the server itself."""


async def authenticate(conn: Conn, secret: str) -> Actor:
    """Who holds this secret. ``Denied`` (401) if nobody does, or not any more; asked anew each time, never cached."""
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
    """A new token and its secret, which is nowhere kept and never shown again.

    ``secret`` is given when the caller can work it out again (``secret_for_key``): then the second request finds the
    first one's token. ``Invalid`` if that one has another name or role.
    """
    secret = secret or PREFIX + secrets.token_urlsafe(32)
    digest = digest_of(secret.encode())
    token = await sql.insert_token(conn, new, digest, actor.name)
    if token is None:
        token = await sql.token_with_digest(conn, digest)
        if token is None or (token.name, token.role) != (new.name, new.role):
            raise Invalid(
                "This idempotency key was used for another token.",
                hint="Use a new key for each new request.",
                code="key_reused",
            )
    else:
        await log.append(
            conn, "token.created", actor, subject=f"token/{token.id}", data={"name": new.name, "role": new.role}
        )
    return IssuedToken(**token.model_dump(), secret=secret)


def secret_for_key(holder_secret: str, key: str) -> str:
    """The secret of a token made under an idempotency key: the same for the same holder and key, and in no table.

    So the answer can be given again without being kept. Who has neither the holder's secret nor the answer learns
    nothing from the other (RFC 2104).
    """
    made = hmac.new(holder_secret.encode(), canonical(["token", key]), sha256).digest()
    return PREFIX + made.hex()


async def revoke_token(conn: Conn, token_id: int, actor: Actor) -> Token:
    """The token, which lets nobody in from the commit on."""
    token = await sql.revoke(conn, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}.", hint="`genlock token list` shows all tokens.")
    await log.append(conn, "token.revoked", actor, subject=f"token/{token.id}", data={"name": token.name})
    return token


async def ensure_admin_token(conn: Conn, path: Path) -> None:
    """See that ``path`` holds the secret of an administrator's token, readable by its owner alone.

    Whoever owns the data folder owns what is in it, so a revoked or lost token is replaced. A new secret is on the
    disk before its row is committed: a crash in between leaves a file that the next start replaces.
    """
    if path.exists():
        actor = await sql.holder_of(conn, digest_of(path.read_bytes().strip()))
        if actor is not None and actor.role is Role.ADMIN:
            path.chmod(0o600)
            return
    issued = await create_token(conn, NewToken(name="admin.token", role=Role.ADMIN), SYSTEM)
    write_private(path, issued.secret + "\n")
