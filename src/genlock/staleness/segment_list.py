"""Lists of segments in the order of their project, and counts by state: both read the same judgement.

counts by scene ─▶ the scenes that hold the page ─▶ their segments in order ─▶ those in the state ─▶ the page
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from genlock.db.connection import Conn, pipelined
from genlock.db.pages import decode_cursor, encode_cursor
from genlock.staleness import places_sql, segment_list_sql
from genlock.staleness.arrays import Bools, Ints
from genlock.staleness.judge import STATES, Judged, judge
from genlock.staleness.model import RootKey, State
from genlock.staleness.places_sql import JudgedSegments, Ordered
from genlock.staleness.present_sql import Placed, ask_present, load_projects, load_scenes, receive_present
from genlock.staleness.segment_list_sql import SceneOrder
from genlock.staleness.tally import StateCounts, counts_by_project, counts_by_scene
from genlock.timeline.model import Counts

_NO_TAKES = StateCounts(0, 0, 0, 0, 0)
_NO_COUNTS = Counts(segments=0, fresh=0, stale=0, waived=0, unknown=0, empty=0)
_START = (0, 0)


class SegmentPage(NamedTuple):
    """A page of segment ids in the order of their project, with the exact total.

    ``judged`` is the judgement that the page was filtered by; nothing where states did not matter.
    """

    segment_ids: tuple[int, ...]
    next: str | None
    total: int
    judged: JudgedSegments | None


async def list_segments(
    conn: Conn,
    project_id: int,
    *,
    state: State | None = None,
    scene_id: int | None = None,
    q: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> SegmentPage:
    """Return a page of a project's segments, filtered by state, scene and the beginning of their name."""
    key = decode_cursor(after, int, int) or _START
    if state is None:
        if q is None:
            plain = await segment_list_sql.plain_page(conn, project_id, scene_id, key, limit + 1)
        else:
            plain = await segment_list_sql.named_page(conn, project_id, scene_id, q, key, limit + 1)
        return _page(plain.segments, limit, plain.total)
    if q is not None:
        named = await places_sql.segments_named(conn, project_id, scene_id, q)
        judged = await _judged(conn, project_id, scene_id)
        named = _filtered(named, _with_state(judged, state)(named))
        rest = (named.scene_position > key[0]) | ((named.scene_position == key[0]) & (named.position > key[1]))
        return _page(_filtered(named, rest), limit, len(named.segment_id), judged)
    scenes, judged = await _judged_in_order(conn, project_id, scene_id)
    if state is State.EMPTY:
        matches = scenes.segments - _by_scene(scenes, judged.present.runs.scene, judged.present.runs.length)
    else:
        in_runs = judged.counts(STATES.index(state))
        matches = _by_scene(scenes, judged.present.runs.scene, in_runs)
    return await _page_of_scenes(conn, scenes, matches, judged, _with_state(judged, state), key, limit)


async def group_segments(
    conn: Conn, project_id: int, root: RootKey, *, after: str | None = None, limit: int = 100
) -> SegmentPage:
    """Return a page of the segments that are stale because of a root."""
    key = decode_cursor(after, int, int) or _START
    scenes, judged = await _judged_in_order(conn, project_id, None)
    stale = judged.stale_by(judged.root_indices([root]))
    matches = _by_scene(scenes, judged.present.runs.scene, judged.sums(stale))
    return await _page_of_scenes(conn, scenes, matches, judged, _at_places(judged, stale), key, limit)


async def project_counts(conn: Conn, project_ids: Sequence[int]) -> dict[int, Counts]:
    """Return how many segments of each project are in which state; archived scenes and segments do not count."""
    segments = await segment_list_sql.segments_by_project(conn, project_ids)
    taken = counts_by_project(judge((await load_projects(conn, list(segments))).present)) if segments else {}
    return {
        project_id: _counts(segments.get(project_id, 0), taken.get(project_id, _NO_TAKES)) for project_id in project_ids
    }


async def scene_counts(conn: Conn, project_id: int, scene_ids: Sequence[int]) -> dict[int, Counts]:
    """Return how many segments of each of a project's scenes are in which state; none of an archived scene."""
    segments = await segment_list_sql.scenes_by_id(conn, scene_ids)
    taken = counts_by_scene(judge((await load_scenes(conn, project_id, scene_ids)).present))
    counts = {scene_id: _counts(number, taken.get(scene_id, _NO_TAKES)) for scene_id, number in segments.items()}
    return {scene_id: counts.get(scene_id, _NO_COUNTS) for scene_id in scene_ids}


async def _judged(conn: Conn, project_id: int, scene_id: int | None) -> Judged:
    if scene_id is None:
        return judge((await load_projects(conn, [project_id])).present)
    return judge((await load_scenes(conn, project_id, [scene_id])).present)


async def _judged_in_order(conn: Conn, project_id: int, scene_id: int | None) -> tuple[SceneOrder, Judged]:
    """Return the scenes of a project, or one of them, and a judgement that includes them."""
    if scene_id is None:
        async with pipelined(conn):
            request = await ask_present(conn, projects=[project_id])
            scenes = await segment_list_sql.scene_order(conn, project_id)
            return scenes, judge((await receive_present(request)).present)
    scenes = await segment_list_sql.scene_order(conn, project_id)
    listed = scenes.id == scene_id
    # Each segment of a scene is looked up, which takes twice as long as reading it with its project.
    mostly = 2 * scenes.segments[listed].sum() > scenes.segments.sum()
    judged = await _judged(conn, project_id, None if mostly else scene_id)
    return SceneOrder(*(column[listed] for column in scenes)), judged


async def _page_of_scenes(
    conn: Conn,
    scenes: SceneOrder,
    matches: Ints,
    judged: Judged,
    keep: Callable[[Ordered], Bools],
    key: tuple[Any, ...],
    limit: int,
) -> SegmentPage:
    """Return the page after ``key``, loading only the scenes that have its segments. ``matches`` is by scene."""
    after = np.flatnonzero((scenes.position >= key[0]) & (matches > 0))
    # How many of the scene that the cursor is in come after it is not known: it does not count.
    sure = np.cumsum(np.where(scenes.position[after] > key[0], matches[after], 0))
    needed = after[: np.searchsorted(sure, limit + 1) + 1]
    ids, place = scenes.id[needed].tolist(), (key[0], key[1])
    # As many as hold the page if matches are spread evenly, and some more; all if they are not.
    enough = limit + int((limit + 1) * scenes.segments[needed].sum() / max(matches[needed].sum(), 1))
    ordered = await places_sql.segments_of_scenes(conn, ids, place, enough)
    matching = _filtered(ordered, keep(ordered))
    if len(matching.segment_id) <= limit and len(ordered.segment_id) == enough:
        ordered = await places_sql.segments_of_scenes(conn, ids, place, None)
        matching = _filtered(ordered, keep(ordered))
    return _page(matching, limit, int(matches.sum()), judged)


def _by_scene(scenes: SceneOrder, scene_of_run: Ints, numbers: Ints) -> Ints:
    """Return the sum of the numbers of each scene's runs; runs of other scenes are ignored."""
    order = np.argsort(scenes.id)
    place = np.searchsorted(scenes.id, scene_of_run, sorter=order)
    listed = np.isin(scene_of_run, scenes.id)
    return np.bincount(order[place[listed]], numbers[listed], len(scenes.id)).astype(np.int64)


def _with_state(judged: Judged, state: State) -> Callable[[Ordered], Bools]:
    """Return a function that marks the segments in a state."""
    if state is State.EMPTY:
        return lambda ordered: ordered.run_id == 0
    return _at_places(judged, judged.states == STATES.index(state))


def _at_places(judged: Judged, marked: Bools) -> Callable[[Ordered], Bools]:
    """Return a function that marks the segments at marked places."""

    def keep(ordered: Ordered) -> Bools:
        taken = ordered.run_id > 0
        matching = np.zeros(len(ordered.segment_id), np.bool_)
        run: Ints = judged.present.run_index(ordered.run_id[taken])
        matching[taken] = marked[judged.places(run, ordered.run_position[taken])]
        return matching

    return keep


def _filtered(ordered: Ordered, matching: Bools) -> Ordered:
    return Ordered(*(column[matching] for column in ordered))


def _page(rest: Ordered, limit: int, total: int, judged: Judged | None = None) -> SegmentPage:
    """Return the first ``limit`` of the remaining segments."""
    count = len(rest.segment_id)
    last = min(limit, count) - 1
    more = count > limit > 0
    return SegmentPage(
        segment_ids=tuple(rest.segment_id[:limit].tolist()),
        next=encode_cursor(int(rest.scene_position[last]), int(rest.position[last])) if more else None,
        total=total,
        judged=judged and places_sql.at_places(judged, _placed(Ordered(*(column[:limit] for column in rest)))),
    )


def _placed(ordered: Ordered) -> Placed:
    taken = ordered.run_id > 0
    return Placed(ordered.segment_id[taken], ordered.run_id[taken], ordered.run_position[taken])


def _counts(segments: int, taken: StateCounts) -> Counts:
    return Counts(
        segments=segments,
        fresh=taken.fresh,
        stale=taken.stale,
        waived=taken.waived,
        unknown=taken.unknown,
        empty=segments - taken.taken,
    )
