"""The event log, as pages and as a live stream."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from starlette.responses import StreamingResponse

from genlock.errors import Denied, Invalid, Unavailable
from genlock.events import sql
from genlock.events.model import Event
from genlock.model import Page, Role
from genlock.web.context import Caller, Services, actor_with
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Context, CurrentActor, CurrentCaller, IdFilter, Limit, Transaction, readable_by

router = APIRouter(tags=["events"], route_class=ApiRoute)
_AT_ONCE = 200
_EXAMPLE = 'id: 7\nevent: project.created\ndata: {"id": 7, "actor": "ada", "verb": "project.created", …}\n\n'
_STREAM = {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}}}
_LARGEST_ID = 2**63 - 1

After = Annotated[int | None, Query(ge=0, le=_LARGEST_ID, description="Id of the last event received.")]


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


@router.get("/events", response_model=Page[Event], **readable_by(Role.VIEWER))
async def list_events(
    conn: Transaction, actor: CurrentActor, after: After = None, project_id: IdFilter = None, limit: Limit = 100
) -> Response:
    """List events after an event id, oldest first. ``next`` is the id to continue after, null at the end.

    Events about tokens and sessions are for administrators only.
    """
    events = await sql.after(conn, after or 0, project_id, limit + 1, reader=actor.role)
    items = events[:limit]
    return json_response(Page[Event](items=items, next=str(items[-1].id) if len(events) > limit else None))


@router.get("/events/stream", response_class=EventStream, **readable_by(Role.VIEWER, responses={200: _STREAM}))
async def stream_events(
    services: Context,
    caller: CurrentCaller,
    after: After = None,
    project_id: IdFilter = None,
    last_event_id: Annotated[str | None, Header(max_length=30)] = None,
) -> Response:
    """Stream events as they happen (server-sent events), after ``Last-Event-ID`` or ``after``, else from now on.

    Events about tokens and sessions are for administrators only.
    """
    if last_event_id and not (last_event_id.isdecimal() and int(last_event_id) <= _LARGEST_ID):
        raise Invalid("Last-Event-ID must be an integer event id.", hint="Send the `id` of the last event received.")
    last_id = int(last_event_id) if last_event_id else after
    if last_id is None:
        async with services.db.transaction() as conn:
            last_id = await sql.newest_id(conn)
    return EventStream(_stream(services, caller, last_id, project_id))


async def _stream(services: Services, caller: Caller, last_id: int, project_id: int | None) -> AsyncIterator[str]:
    yield ": connected\n\n"
    while not services.event_listener.closed:
        count = services.event_listener.count  # before reading: a later commit notifies again
        try:
            async with services.db.transaction() as conn:
                # At every read: a revoked token or an ended session gets no more events.
                reader = await actor_with(conn, caller.secret, by_cookie=caller.by_cookie)
                events = await sql.after(conn, last_id, project_id, _AT_ONCE, reader=reader.role)
        except (Denied, Unavailable):
            return  # the client reconnects with its Last-Event-ID and gets the error then
        for event in events:
            yield f"id: {event.id}\nevent: {event.verb}\ndata: {event.model_dump_json()}\n\n"
            last_id = event.id
        if (
            len(events) < _AT_ONCE
            and await services.event_listener.wait(count, services.settings.events_keepalive_s) == count
        ):
            yield ": keep-alive\n\n"
