"""Responses: JSON of frozen values, the impact of a change, and errors sent before the connection is closed."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from genlock.db.connection import Conn
from genlock.staleness.model import Impact
from genlock.web.context import services_of
from genlock.web.idempotency import store_response

_LINGER_S = 2.0
_MAX_DISCARDED_BYTES = 2**20


def json_response(value: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return ``value`` as JSON without validating it again. ``response_model`` still documents its class."""
    return Response(value.model_dump_json(by_alias=True), status, headers, "application/json")


def no_content() -> Response:
    """Return an empty response (204)."""
    return Response(status_code=204)


async def respond_with_impact(
    request: Request, compute_impact: Callable[[Conn], Awaitable[Impact]], build_response: Callable[[Impact], Response]
) -> Response:
    """Return the response to a committed change with its impact, stored under the request's idempotency key.

    The change itself is short and locks the library; computing its impact on large projects does neither.
    """
    async with services_of(request).db.transaction() as conn:
        response = build_response(await compute_impact(conn))
        await store_response(request, conn, response)
    return response


class LingeringResponse(Response):
    """A response to a request whose body is still arriving; ends the connection soon after ("lingering close").

    A socket closed with unread bytes is reset, and the reset can overtake the response: the client would see a
    broken connection instead of the reason.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, then wait a little for the rest of the body before the connection ends."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                await _discard_body(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard_body(receive: Receive) -> None:
    """Return when a short body has ended or the client has disconnected; never return for a long body."""
    discarded_bytes = 0
    while discarded_bytes < _MAX_DISCARDED_BYTES:
        message = await receive()
        if not message.get("more_body", False):
            return
        discarded_bytes += len(message.get("body", b""))
    await asyncio.get_running_loop().create_future()
