"""The context of a request: the services of the application, and the authenticated caller."""

from dataclasses import dataclass

from fastapi import Request

from genlock.access.actions import authenticate
from genlock.access.sessions import session_actor
from genlock.blobs.store import Store
from genlock.db.connection import Conn, Database
from genlock.errors import Denied
from genlock.events.listen import EventListener
from genlock.model import Actor, Role
from genlock.settings import Settings
from genlock.watching.scanner import Scanner
from genlock.web.cookies import require_same_origin, session_secret
from genlock.web.in_place import FilesInPlace

SAFE_METHODS = frozenset({"GET", "HEAD"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""


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
    """An actor, and the secret of their token or browser session."""

    actor: Actor
    secret: str
    by_cookie: bool = False


def services_of(request: Request) -> Services:
    """Return the services of the application that received the request."""
    return request.app.state.services


def caller_of(request: Request) -> Caller:
    """Return the caller of an authorized request."""
    return request.state.caller


async def authorize(request: Request, role: Role, *, captures: bool = False) -> Caller:
    """Return the caller, by token or session cookie, and attach it to the request.

    ``captures``: tokens of the role capture may call it as well. ``Denied``: 401 for an unknown token or an ended
    session, 403 for a low role and for writes from other sites.
    """
    cookie = None if "authorization" in request.headers else session_secret(request)
    if cookie is not None and request.method not in SAFE_METHODS:
        require_same_origin(request)
    secret = cookie or bearer_token(request)
    async with services_of(request).db.statements() as conn:
        actor = await actor_with(conn, secret, by_cookie=cookie is not None)
    if not (captures and actor.role is Role.CAPTURE):
        require_role(actor, role)
    caller = Caller(actor, secret, by_cookie=cookie is not None)
    request.state.caller = caller
    return caller


async def actor_with(conn: Conn, secret: str, *, by_cookie: bool) -> Actor:
    """Return the holder of a token's secret, or of a session's. ``Denied`` (401) if it is no longer valid."""
    return await (session_actor(conn, secret) if by_cookie else authenticate(conn, secret))


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
