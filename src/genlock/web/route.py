"""The route class of the API: authorization before the body, limits, idempotency, and documentation.

    token → role → announced size → body → (transaction → key) → endpoint → store the response → commit → respond

FastAPI reads the body first and then runs dependencies; here no body is read for an unauthorized caller.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from genlock.db.connection import Conn
from genlock.db.pages import MAX_LIMIT
from genlock.errors import Invalid
from genlock.model import Actor, Role
from genlock.web import idempotency
from genlock.web.bodies import MAX_BODY, MAX_UPLOAD, body_limit, check_announced_size, read_json
from genlock.web.context import SAFE_METHODS, Caller, Services, authorize, caller_of, services_of
from genlock.web.idempotency import HEADER, Replay, digest_body
from genlock.web.parsing import MAX_LISTED_ERRORS

ROLE = "x-genlock-role"
CAPTURES = "x-genlock-captures"
BODY_LIMIT = "x-genlock-body-limit"
_LARGEST_ID = 2**63 - 1

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ApiRoute(APIRoute):
    """A route that reads the body only for a caller with its ``x-genlock-role``."""

    def get_route_handler(self) -> Handler:
        """Return FastAPI's handler, behind these checks."""
        inside = super().get_route_handler()
        extra = self.openapi_extra or {}
        role = Role(extra[ROLE])
        captures = bool(extra.get(CAPTURES))
        streams = "requestBody" in extra
        body_type = None if self.body_field is None else self.body_field.field_info.annotation
        limit_setting: str = extra.get(BODY_LIMIT, MAX_BODY)
        adapter = None if body_type is None else TypeAdapter[Any](body_type)
        allowed = frozenset(
            field.alias for field in get_flat_params(self.dependant) if isinstance(field.field_info, params.Query)
        )

        async def handler(request: Request) -> Response:
            await authorize(request, role, captures=captures)
            _refuse_unknown(request, allowed)
            limit = body_limit(services_of(request).settings, limit_setting)
            if request.method not in SAFE_METHODS:
                check_announced_size(request, limit)
            if request.method not in SAFE_METHODS and not streams:
                request = await read_json(request, limit, adapter)
                if idempotency.has_key(request):
                    request.state.request_digest = digest_body(request, await request.body())
            try:
                response = await inside(request)
            except Replay as replay:
                return replay.response
            conn: Conn | None = getattr(request.state, "conn", None)
            if conn is not None:
                await idempotency.store_response(request, conn, response)
            return response

        return handler


def _refuse_unknown(request: Request, allowed: frozenset[str]) -> None:
    unknown = [name for name in request.query_params if name not in allowed]
    if unknown:
        raise Invalid(
            f"Unknown query parameter {unknown[0]!r}.",
            hint=f"Allowed: {', '.join(sorted(allowed)) or 'none'}.",
            code="unknown_parameter",
            fields=[
                {"field": f"query.{name}", "message": "unknown", "code": "extra_forbidden"}
                for name in unknown[:MAX_LISTED_ERRORS]
            ],
        )


async def _transaction(request: Request) -> AsyncGenerator[Conn]:
    db = services_of(request).db
    async with db.snapshot() if request.method in SAFE_METHODS else db.transaction() as conn:
        digest = getattr(request.state, "request_digest", None)
        if digest is not None:  # a write with a key
            await idempotency.claim(request, conn, digest)
        request.state.conn = conn
        yield conn


# Coroutines, because FastAPI runs a plain function in a thread, which costs more than the function.
async def _services(request: Request) -> Services:
    return services_of(request)


async def _caller(request: Request) -> Caller:
    return caller_of(request)


async def _actor(request: Request) -> Actor:
    return caller_of(request).actor


# scope="function" commits before the response is sent. FastAPI's default commits after it, and would respond 201 for
# a change that a failing commit rolls back.
Transaction = Annotated[Conn, Depends(_transaction, scope="function")]
"""The transaction of a request: committed before its response, rolled back by any error."""

CurrentActor = Annotated[Actor, Depends(_actor)]
"""The actor of the request."""

CurrentCaller = Annotated[Caller, Depends(_caller)]
"""The actor of the request, and the secret of their token."""

Context = Annotated[Services, Depends(_services)]
"""The services of the application, for routes that need more than a transaction."""

Id = Annotated[int, Path(ge=1, le=_LARGEST_ID)]
"""An id in a path."""

IdFilter = Annotated[int | None, Query(ge=1, le=_LARGEST_ID)]
"""An id in a query."""

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
"""The number of a version or take, in a path."""

Cursor = Annotated[str | None, Query(max_length=2000, description="`next` of the previous page.")]
"""Where a page starts."""

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Maximum number of items.")]
"""The size of a page."""


def readable_by(
    role: Role,
    *statuses: int,
    captures: bool = False,
    form: dict[str, Any] | None = None,
    responses: dict[int, dict[str, Any]] | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """Return the arguments of a route that ``role`` may call, with its possible error ``statuses``.

    ``captures``: tokens of the role capture may call it, too. ``form`` documents the body of a route that reads it as
    a stream; ``responses`` documents other successes.
    """
    always = (401, 422, 503) if role is Role.VIEWER and captures else (401, 403, 422, 503)
    openapi_extra: dict[str, Any] = {ROLE: role.value, "security": [{"token": []}], **extra}
    if captures:
        openapi_extra[CAPTURES] = True
    if form is not None:
        openapi_extra["requestBody"] = form
    problems = {status: problem_response(status) for status in sorted({*always, *statuses})}
    return {"openapi_extra": openapi_extra, "responses": (responses or {}) | problems}


def writable_by(
    role: Role, *statuses: int, body_limit: str = MAX_BODY, captures: bool = False, **extra: Any
) -> dict[str, Any]:
    """Return the arguments of a route that writes: with an idempotency key, and problems 409 and 413.

    ``body_limit`` is the setting that limits its body.
    """
    extra |= {BODY_LIMIT: MAX_UPLOAD if extra.get("form") else body_limit}
    return readable_by(role, 409, 413, *statuses, captures=captures, parameters=[_KEY], **extra)


def problem_response(status: int) -> dict[str, Any]:
    """Return the OpenAPI description of a problem response."""
    return {
        "description": _DESCRIPTIONS[status],
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


_KEY_DESCRIPTION = """A request repeated with the same key within 24 hours gets the same response and runs only once.
Of two concurrent requests one is carried out, and the other gets 409 `key_in_use`.
Adding or activating a version answers with a report that is computed after the change is committed; the response is
stored together with the report. If the server stops in between, the change stands without a stored response, and the
repeated request is carried out again. A version that is still active is not activated again (`previous` is that
version, `report` is empty), and a version that was added is `exists`, with status 200. If another version has been
activated since, the request activates its own again."""
_KEY: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": _KEY_DESCRIPTION,
    "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_KEY_LENGTH},
}
_DESCRIPTIONS = {
    400: "The request is malformed.",
    401: "The token is missing, unknown or revoked.",
    403: "The token's role is too low.",
    404: "A named resource does not exist.",
    409: "The request conflicts with the current state.",
    413: "The body is larger than its limit (`x-genlock-body-limit`).",
    416: "The range is outside the file.",
    422: "The request is invalid; `errors` lists the fields.",
    503: "The database or the store is unavailable.",
}
