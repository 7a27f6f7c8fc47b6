"""Who is at the door: found from the token, before anything of the body is read."""

from dataclasses import dataclass

from fastapi import Request

from genlock.access.actions import authenticate
from genlock.errors import Denied
from genlock.model import Actor, Role
from genlock.web.house import house_of


@dataclass(frozen=True)
class Caller:
    """An actor and the secret that they showed."""

    actor: Actor
    secret: str


def secret_of(request: Request) -> str:
    """The bearer token of a request (RFC 6750); ``Denied`` (401) without one."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Denied(
            "This call needs a token.",
            hint="Send the header `Authorization: Bearer …`; the local administrator's is in `admin.token`.",
            code="no_token",
            unauthenticated=True,
        )
    return secret.strip()


async def admit(request: Request, role: Role) -> Caller:
    """The caller, remembered on the request. ``Denied``: 401 for nobody we know, 403 for a role that is too low."""
    secret = secret_of(request)
    async with house_of(request).db.statements() as conn:
        actor = await authenticate(conn, secret)
    require(actor, role)
    caller = Caller(actor, secret)
    request.state.caller = caller
    return caller


def caller_of(request: Request) -> Caller:
    """Whom the door let in."""
    return request.state.caller


def require(actor: Actor, role: Role) -> None:
    """``Denied`` (403) unless the actor has the role, or one above it."""
    if not actor.role.includes(role):
        raise Denied(
            f"This needs the role {role}; the token {actor.name!r} has {actor.role}.",
            hint="Ask an administrator for a token with that role.",
            code="role_too_low",
        )
