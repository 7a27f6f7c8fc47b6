"""Segments as people ask for them: with their state, why they are in it, and their takes."""

from collections.abc import Sequence

from genlock.db.connection import Conn
from genlock.model import Page
from genlock.staleness import explain, explain_sql, states_sql
from genlock.staleness.model import SegmentView, State
from genlock.takes import take_sql
from genlock.timeline import pin_sql
from genlock.timeline import sql as timeline_sql


async def segment_views(conn: Conn, segment_ids: Sequence[int]) -> tuple[SegmentView, ...]:
    """Segments in the order given, each with its state, its causes and its selected take; for pages of up to 500."""
    segments = {segment.id: segment for segment in await timeline_sql.segments_by_id(conn, segment_ids)}
    states = await states_sql.states_of(conn, segment_ids)
    explained = [one for one in segment_ids if states.get(one) in (State.STALE, State.WAIVED, State.UNKNOWN)]
    causes = await explain.causes_of(conn, explained) if explained else {}
    selected = await take_sql.selected_takes_of(conn, segment_ids)
    return tuple(
        SegmentView(
            **segments[segment_id].model_dump(),
            state=states.get(segment_id, State.EMPTY),
            causes=causes.get(segment_id, ()),
            selected_take=selected.get(segment_id),
        )
        for segment_id in segment_ids
        if segment_id in segments
    )


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
    """One segment with everything: its newest takes, the pins that count for it, and what it lacks if it is unknown."""
    await timeline_sql.get_segment(conn, segment_id)
    (view,) = await segment_views(conn, [segment_id])
    takes = await take_sql.takes_of(conn, segment_id, limit=500)
    return view.model_copy(
        update={
            "takes": takes.items,
            "pins": await pin_sql.pins_of(conn, view.project_id, view.scene_id),
            "unknown_because": await _unknown_because(conn, view),
        }
    )


async def _unknown_because(conn: Conn, view: SegmentView) -> tuple[str, ...]:
    """What makes a segment unknown: what its receipt lacks, weak evidence, or a segment before it."""
    if view.state is not State.UNKNOWN:
        return ()
    known = (await explain_sql.recorded(conn, [view.id]))[view.id]
    reasons = [f"missing: {what}" for what in known["missing"]]
    if known["evidence"] in ("matched_by_name", "declared"):
        reasons.append(f"evidence: {known['evidence']}")
    return tuple(reasons) or ("upstream",)
