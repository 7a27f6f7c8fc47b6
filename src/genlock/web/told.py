"""The second half of a request that moved what is expected: its report, worked out after the move was committed."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from genlock.db.connection import Conn
from genlock.staleness.model import Impact
from genlock.web.house import house_of
from genlock.web.keys import keep_answer


async def told(
    request: Request, tell: Callable[[Conn], Awaitable[Impact]], respond: Callable[[Impact], Response]
) -> Response:
    """The answer that ``respond`` makes of what a request changed, as ``tell`` works it out; kept under its key.

    The move is short and holds the library's lock; reading what it means for large projects is neither.
    """
    async with house_of(request).db.transaction() as conn:
        response = respond(await tell(conn))
        await keep_answer(request, conn, response)
    return response
