"""The context of a request: the services of the application, and the authenticated caller."""

from dataclasses import dataclass

from fastapi import Request

from genlock.access.actions import authenticate
from genlock.blobs.store import Store
from genlock.db.connection import Database
from genlock.errors import Denied
from genlock.events.listen import EventListener
from genlock.model import Actor, Role
from genlock.settings import Settings
from genlock.watching.scanner import Scanner
from genlock.web.in_place import FilesInPlace


@dataclass(frozen=True)
class Services:
    """The services that the application uses, created at its start."""

    db: Database
    store: Store
    settings: Settings
    event_listener: EventListener
    scanner: Scanner
    files_in_place: FilesInPlace


@dataclass(frozen=True)
class Caller:
    """An actor, and the secret of their token."""

    actor: Actor
    secret: str


def services_of(request: Request) -> Services:
    """Return the services of the application that received the request."""
    return request.app.state.services


def caller_of(request: Request) -> Caller:
    """Return the caller of an authorized request."""
    return request.state.caller


async def authorize(request: Request, role: Role, *, captures: bool = False) -> Caller:
    """Return the caller and attach it to the request. ``Denied``: 401 for an unknown token, 403 for a low role.

    ``captures``: tokens of the role capture may call it as well.
    """
    secret = bearer_token(request)
    async with services_of(request).db.statements() as conn:
        actor = await authenticate(conn, secret)
    if not (captures and actor.role is Role.CAPTURE):
        require_role(actor, role)
    caller = Caller(actor, secret)
    request.state.caller = caller
    return caller


def bearer_token(request: Request) -> str:
    """Return the bearer token of a request (RFC 6750). Raise ``Denied`` (401) without one."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Denied(
            "This request needs a token.",
            hint="Give one with --token or GENLOCK_TOKEN; over HTTP, send it as `Authorization: Bearer …`.",
            code="no_token",
            unauthenticated=True,
        )
    return secret.strip()


def require_role(actor: Actor, role: Role) -> None:
    """Raise ``Denied`` (403) unless the actor has the role or a higher one."""
    if not actor.role.includes(role):
        raise Denied(
            f"This needs the role {role}; the token {actor.name!r} has {actor.role}.",
            hint="Ask an administrator for a token with that role: `genlock token add NAME --role ROLE`.",
            code="role_too_low",
        )
