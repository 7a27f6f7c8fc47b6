"""The door that every route stands behind, and what a route says of itself.

    token → role → announced size → body → (transaction → key) → endpoint → keep the answer → commit → answer

FastAPI's own order is body first, then dependencies. Here nothing of a body is read for a caller who may not send it.
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
from genlock.web import keys
from genlock.web.bodies import MAX_BODY, MAX_UPLOAD, body_limit, check_announced_size, read_json
from genlock.web.caller import Caller, admit, caller_of
from genlock.web.house import House, house_of
from genlock.web.keys import HEADER, Replay, digest_of_body
from genlock.web.parsing import MAX_LISTED_ERRORS

ROLE = "x-genlock-role"
BODY_LIMIT = "x-genlock-body-limit"
_LARGEST_ID = 2**63 - 1
_READING = frozenset({"GET", "HEAD"})

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Door(APIRoute):
    """A route that lets in whom its ``x-genlock-role`` names, and reads no body before that."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, behind the door."""
        inside = super().get_route_handler()
        extra = self.openapi_extra or {}
        role = Role(extra[ROLE])
        streams = "requestBody" in extra
        body_type = None if self.body_field is None else self.body_field.field_info.annotation
        limit_setting: str = extra.get(BODY_LIMIT, MAX_BODY)
        said = None if body_type is None else TypeAdapter[Any](body_type)
        known = frozenset(
            field.alias for field in get_flat_params(self.dependant) if isinstance(field.field_info, params.Query)
        )

        async def handler(request: Request) -> Response:
            await admit(request, role)
            _refuse_unknown(request, known)
            limit = body_limit(house_of(request).settings, limit_setting)
            if request.method not in _READING:
                check_announced_size(request, limit)
            if request.method not in _READING and not streams:
                request = await read_json(request, limit, said)
                if keys.has_key(request):
                    request.state.request_digest = digest_of_body(request, await request.body())
            try:
                response = await inside(request)
            except Replay as replay:
                return replay.response
            conn: Conn | None = getattr(request.state, "conn", None)
            if conn is not None:
                await keys.keep_answer(request, conn, response)
            return response

        return handler


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise Invalid(
            f"There is no query parameter {unknown[0]!r} here.",
            hint=f"Known: {', '.join(sorted(known)) or 'none'}.",
            code="unknown_parameter",
            fields=[
                {"field": f"query.{name}", "message": "unknown", "code": "extra_forbidden"}
                for name in unknown[:MAX_LISTED_ERRORS]
            ],
        )


async def _transaction(request: Request) -> AsyncGenerator[Conn]:
    db = house_of(request).db
    async with db.snapshot() if request.method in _READING else db.transaction() as conn:
        digest = getattr(request.state, "request_digest", None)
        if digest is not None:  # of what writes, under a key
            await keys.claim(request, conn, digest)
        request.state.conn = conn
        yield conn


# Coroutines, all of them: FastAPI hands a plain function to a thread, which costs more than the function does.
async def _home(request: Request) -> House:
    return house_of(request)


async def _visitor(request: Request) -> Caller:
    return caller_of(request)


async def _actor(request: Request) -> Actor:
    return caller_of(request).actor


# scope="function": committed before the answer goes out. FastAPI's default would commit after it, and so answer 201
# for what a failing commit then takes back.
Transaction = Annotated[Conn, Depends(_transaction, scope="function")]
"""The one transaction of a request: committed before its answer, rolled back by any error."""

Who = Annotated[Actor, Depends(_actor)]
"""The actor that the door let in."""

Visitor = Annotated[Caller, Depends(_visitor)]
"""The actor and the secret that they showed."""

Home = Annotated[House, Depends(_home)]
"""The database, the store, the settings and the bell, for routes that hold no transaction while they stream."""

Id = Annotated[int, Path(ge=1, le=_LARGEST_ID)]
"""An id in a path."""

IdFilter = Annotated[int | None, Query(ge=1, le=_LARGEST_ID)]
"""An id in a query."""

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
"""The number of a version or take in a path."""

Cursor = Annotated[str | None, Query(max_length=2000, description="`next` of the page before, unchanged.")]
"""Where a page begins."""

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items a page has at most.")]
"""How long a page is."""


def may(
    role: Role,
    *statuses: int,
    form: dict[str, Any] | None = None,
    answers: dict[int, dict[str, Any]] | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """What a route says of itself: who may call it, and each answer it gives beside its success.

    ``form`` is the request body of a route that reads it as a stream; ``answers`` are successes that are not JSON.
    """
    always = (401, 422, 503) if role is Role.VIEWER else (401, 403, 422, 503)
    said: dict[str, Any] = {ROLE: role.value, "security": [{"token": []}], **extra}
    if form is not None:
        said["requestBody"] = form
    return {
        "openapi_extra": said,
        "responses": (answers or {}) | {status: problem_answer(status) for status in sorted({*always, *statuses})},
    }


def writes(role: Role, *statuses: int, body_limit: str = MAX_BODY, **said: Any) -> dict[str, Any]:
    """The same for a route that writes: it takes an idempotency key, and may answer 409 and 413.

    ``body_limit`` is the setting that limits its body.
    """
    said |= {BODY_LIMIT: MAX_UPLOAD if said.get("form") else body_limit}
    return may(role, 409, 413, *statuses, parameters=[_KEY], **said)


def problem_answer(status: int) -> dict[str, Any]:
    """How the OpenAPI document describes a refusal."""
    return {
        "description": _MEANINGS[status],
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


_KEY_MEANING = """Sent again with the same key within 24 hours, the request gets the same answer and is not redone.
Two at the same moment: one is carried out, the other gets 409 `key_in_use`.
Activating a version, and adding one, answer with a report that is worked out after the change is committed, and the
answer is kept with the report. If the server dies between both, the change stands and no answer is kept: the same
request is then carried out anew. A version that is still active is not activated again: `previous` is that version and
`report` is empty; a version that was added is `exists`, with status 200. If another version was activated
meanwhile, the request activates its own again."""
_KEY: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": _KEY_MEANING,
    "schema": {"type": "string", "minLength": 1, "maxLength": keys.LONGEST_KEY},
}
_MEANINGS = {
    400: "The request is malformed.",
    401: "No token, or one that is unknown or revoked.",
    403: "The token's role is too low.",
    404: "Something that was named does not exist.",
    409: "It contradicts what is there now.",
    413: "The body is larger than the server's limit.",
    416: "The range is outside of the bytes.",
    422: "Something in the request cannot be accepted; `errors` lists the fields.",
    503: "The database or the store is not there at the moment.",
}
