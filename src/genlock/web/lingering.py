"""Ends a connection on which a refused body is still on its way, so that the refusal arrives ("lingering close").

A socket that is closed with unread bytes in it is reset, and the reset can overtake an answer that was just written:
whoever was sending would see a broken connection in place of the reason.
"""

import asyncio
import contextlib

from fastapi import Response
from starlette.types import Receive, Scope, Send

_PATIENCE_S = 2.0
_MOST_THROWN_AWAY_BYTES = 2**20


class LingeringResponse(Response):
    """A whole answer at once; the connection ends when the rest of the body has come, and soon in any case."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then wait a little before ending the connection."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await _rest_of_body(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _rest_of_body(receive: Receive) -> None:
    """Return at the end of a short body, or when the sender has gone; never for one that goes on."""
    thrown_away = 0
    while thrown_away < _MOST_THROWN_AWAY_BYTES:
        message = await receive()
        if not message.get("more_body", False):
            return
        thrown_away += len(message.get("body", b""))
    await asyncio.get_running_loop().create_future()
