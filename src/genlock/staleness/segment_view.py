"""Segments as shown to users: with their state, its causes, their selected take and the pins that apply."""

from collections.abc import Sequence

from genlock.db.connection import Conn, pipelined
from genlock.model import Page
from genlock.staleness import places_sql
from genlock.staleness.explanation import causes_of
from genlock.staleness.model import Cause, SegmentView, State
from genlock.staleness.places_sql import JudgedSegments
from genlock.staleness.segment_list import SegmentPage, list_segments
from genlock.takes import take_sql
from genlock.takes.model import Take
from genlock.timeline import pin_sql
from genlock.timeline import sql as timeline_sql
from genlock.timeline.pin_sql import NO_PINS

TAKES = 100
"""Number of newest takes returned with a segment; the others are on the pages of takes."""


async def segment_views(
    conn: Conn, segment_ids: Sequence[int], judged: JudgedSegments | None = None
) -> tuple[SegmentView, ...]:
    """Return segments in the given order without their takes, except the selected one; for pages of up to 500.

    ``judged`` is their judgement, where it is known already.
    """
    async with pipelined(conn):
        request = judged or await places_sql.ask_segments(conn, segment_ids)  # first: the others are planned once, too
        asked_segments = await timeline_sql.ask_segments(conn, segment_ids)
        asked_takes = await take_sql.ask_selected(conn, segment_ids)
        asked_pins = await pin_sql.ask_pins(conn, segment_ids)
        segments = {segment.id: segment for segment in await asked_segments.fetchall()}
        judged = request if isinstance(request, JudgedSegments) else await places_sql.receive_segments(request)
        selected = {take.segment_id: take for take in await asked_takes.fetchall()}
        pins = await pin_sql.receive_pins(asked_pins)
    states = judged.states(segment_ids)
    causes = await causes_behind(conn, judged, segment_ids)
    return tuple(
        SegmentView(
            **segment.model_dump(),
            state=states[segment_id],
            causes=causes.get(segment_id, ()),
            selected_take=selected.get(segment_id),
            pins=pins.get(segment.scene_id, NO_PINS).pins,
            pins_total=pins.get(segment.scene_id, NO_PINS).total,
            unknown_because=_unknown_because(states[segment_id], selected.get(segment_id)),
        )
        for segment_id in segment_ids
        if (segment := segments.get(segment_id)) is not None
    )


async def causes_behind(conn: Conn, judged: JudgedSegments, segment_ids: Sequence[int]) -> dict[int, tuple[Cause, ...]]:
    """Return why segments are in their states. Fresh and empty ones have no causes and are absent."""
    states = judged.states(segment_ids)
    explained = [number for number in segment_ids if states[number] not in (State.FRESH, State.EMPTY)]
    return await causes_of(conn, judged, explained) if explained else {}


async def list_views(
    conn: Conn,
    project_id: int,
    *,
    state: State | None = None,
    scene_id: int | None = None,
    q: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> Page[SegmentView]:
    """Return a page of a project's segments in order, with the exact total."""
    return await views_of(
        conn, await list_segments(conn, project_id, state=state, scene_id=scene_id, q=q, after=after, limit=limit)
    )


async def views_of(conn: Conn, page: SegmentPage) -> Page[SegmentView]:
    """Return a page of segments as they are shown."""
    items = await segment_views(conn, page.segment_ids, page.judged)
    return Page[SegmentView](items=items, next=page.next, total=page.total)


async def segment_view(conn: Conn, segment_id: int) -> SegmentView:
    """Return a segment with its newest takes and how many takes it has. Raise ``NotFound``."""
    views = await segment_views(conn, [segment_id])
    if not views:
        raise timeline_sql.no_segment(segment_id)
    takes = await take_sql.takes_of(conn, segment_id, limit=TAKES)
    return views[0].model_copy(update={"takes": takes.items, "takes_total": takes.total})


def _unknown_because(state: State, take: Take | None) -> tuple[str, ...]:
    """Return why a segment is unknown: missing fields of its receipt, weak evidence, or an earlier segment."""
    if state is not State.UNKNOWN or take is None:
        return ()
    reasons = [f"missing: {name}" for name in take.missing]
    reasons += [f"unregistered: {line}" for line in take.unregistered]
    if not take.evidence.is_good:
        reasons.append(f"evidence: {take.evidence}")
    return tuple(reasons) or ("upstream",)
