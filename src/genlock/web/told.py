"""The second half of a request that moved what is expected: its report, worked out after the move was committed."""

from collections.abc import Callable

from fastapi import Request, Response

from genlock.staleness import impact
from genlock.staleness.model import Impact, SegmentChanges
from genlock.web.house import house_of
from genlock.web.keys import keep_answer

_NOTHING = Impact(segments=SegmentChanges(becomes_stale=0, becomes_fresh=0), projects=())


async def told(request: Request, activation_id: int | None, respond: Callable[[Impact], Response]) -> Response:
    """The answer that ``respond`` makes of what an activation changed; kept under the request's key.

    The move is short and holds the library's lock; reading what it means for large projects is neither.
    """
    async with house_of(request).db.transaction() as conn:
        report = _NOTHING if activation_id is None else await impact.tell(conn, activation_id)
        response = respond(report)
        await keep_answer(request, conn, response)
    return response
