"""Segments as people ask for them: with their state, why they are in it, and their takes."""

from collections.abc import Mapping, Sequence

from genlock.db.connection import Conn
from genlock.model import Page
from genlock.staleness import explain, states_sql
from genlock.staleness.model import Cause, SegmentView, State
from genlock.takes import take_sql
from genlock.takes.claim import Evidence
from genlock.takes.model import Take
from genlock.timeline import pin_sql
from genlock.timeline import sql as timeline_sql
from genlock.timeline.model import Pin, Segment

TAKES = 500
"""So many of a segment's takes come with it, the newest ones."""


async def segment_views(conn: Conn, segment_ids: Sequence[int]) -> tuple[SegmentView, ...]:
    """Segments in the order given, with all but their takes other than the one in the cut; for pages of up to 500."""
    async with conn.pipeline():
        asked_segments = await timeline_sql.ask_segments(conn, segment_ids)
        asked_states = await states_sql.ask_states(conn, segment_ids)
        asked_takes = await take_sql.ask_selected(conn, segment_ids)
        asked_pins = await pin_sql.ask_pins(conn, segment_ids)
        segments = {segment.id: segment for segment in await asked_segments.fetchall()}
        states = await states_sql.told(asked_states)
        selected = {take.segment_id: take for take in await asked_takes.fetchall()}
        pins = await asked_pins.fetchall()
    causes = await causes_behind(conn, states)
    return tuple(
        SegmentView(
            **segments[segment_id].model_dump(),
            state=states.get(segment_id, State.EMPTY),
            causes=causes.get(segment_id, ()),
            selected_take=selected.get(segment_id),
            pins=tuple(pin for pin in pins if _counts_for(pin, segments[segment_id])),
            unknown_because=_unknown_because(states.get(segment_id), selected.get(segment_id)),
        )
        for segment_id in segment_ids
        if segment_id in segments
    )


async def causes_behind(conn: Conn, states: Mapping[int, State]) -> dict[int, tuple[Cause, ...]]:
    """Why segments are in the states they are in; fresh ones are not asked about."""
    explained = [one for one, state in states.items() if state in (State.STALE, State.WAIVED, State.UNKNOWN)]
    return await explain.causes_of(conn, explained) if explained else {}


async def list_segments(
    conn: Conn,
    project_id: int,
    *,
    state: State | None = None,
    scene_id: int | None = None,
    q: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> Page[SegmentView]:
    """A page of a project's segments in order, with the exact total."""
    page = await states_sql.list_segments(
        conn, project_id, state=state, scene_id=scene_id, q=q, after=after, limit=limit
    )
    return Page(items=await segment_views(conn, page.segment_ids), next=page.next, total=page.total)


async def segment_view(conn: Conn, segment_id: int) -> SegmentView:
    """One segment with everything: its newest takes too."""
    found = await segment_views(conn, [segment_id])
    if not found:
        raise timeline_sql.no_segment(segment_id)
    (view,) = found
    asked = await take_sql.ask_takes(conn, segment_id, limit=TAKES)
    return view.model_copy(update={"takes": tuple(await asked.fetchall())})


def _counts_for(pin: Pin, segment: Segment) -> bool:
    return pin.project_id == segment.project_id and pin.scene_id in (None, segment.scene_id)


def _unknown_because(state: State | None, take: Take | None) -> tuple[str, ...]:
    """What makes a segment unknown: what its take's receipt lacks, weak evidence, or a segment before it."""
    if state is not State.UNKNOWN or take is None:
        return ()
    reasons = [f"missing: {what}" for what in take.missing]
    reasons += [f"unregistered: {line}" for line in take.unregistered]
    if take.evidence in (Evidence.MATCHED_BY_NAME, Evidence.DECLARED):
        reasons.append(f"evidence: {take.evidence}")
    return tuple(reasons) or ("upstream",)
