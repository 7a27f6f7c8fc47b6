"""States: how many segments are in which, and which segment is in which, from the same ranges as the report."""

from collections.abc import Sequence
from typing import Any, LiteralString

from genlock.db.connection import Asked, Conn, ask, plan_once, rows, scalar
from genlock.db.pages import decode_cursor, encode_cursor
from genlock.model import Model
from genlock.staleness import causes_sql, world_sql
from genlock.staleness.model import State
from genlock.staleness.world import Present
from genlock.timeline.model import Counts

_SCENES: LiteralString = (
    causes_sql.NOW
    + causes_sql.OF_RUNS
    + causes_sql.JUDGED_RUNS
    + """
, judged_scenes AS (
    SELECT scene_id, sum(positions(stale)) AS stale, sum(positions(unknown)) AS unknown,
           sum(positions(waived)) AS waived
      FROM judged GROUP BY scene_id
), taken AS (
    SELECT scene_id, sum(length) AS taken FROM runs WHERE run_id = ANY(%(runs)s::bigint[]) GROUP BY scene_id
)
SELECT s.id AS scene_id, s.segments_total::bigint AS segments,
       coalesce(t.taken, 0)::bigint AS taken, coalesce(j.stale, 0)::bigint AS stale,
       coalesce(j.unknown, 0)::bigint AS unknown, coalesce(j.waived, 0)::bigint AS waived
  FROM scenes s
  JOIN projects p ON p.id = s.project_id
  LEFT JOIN taken t ON t.scene_id = s.id
  LEFT JOIN judged_scenes j ON j.scene_id = s.id
 WHERE s.id = ANY(%(scenes)s::bigint[]) AND s.archived_at IS NULL AND p.archived_at IS NULL
"""
)
_NONE = Counts(segments=0, fresh=0, stale=0, waived=0, unknown=0, empty=0)


async def project_counts(conn: Conn, project_ids: Sequence[int]) -> dict[int, Counts]:
    """How many segments of each project are in which state; archived scenes and segments are not there."""
    found = await rows(
        conn,
        """
        SELECT s.project_id, sum(s.segments_total)::bigint AS segments
          FROM scenes s JOIN projects p ON p.id = s.project_id
         WHERE s.project_id = ANY(%(projects)s::bigint[]) AND s.archived_at IS NULL AND p.archived_at IS NULL
         GROUP BY s.project_id
        """,
        projects=list(project_ids),
    )
    segments = {row["project_id"]: row["segments"] for row in found}
    loaded, (taken, stale, unknown) = await world_sql.load(conn, list(segments), Present.states)
    waived: dict[int, int] = {}
    for run in loaded.walked:
        for sums, value in ((stale, run.stale), (unknown, run.unknown), (waived, run.waived)):
            sums[run.project_id] = sums.get(run.project_id, 0) + value
    return {
        project_id: _counts(
            segments.get(project_id, 0), *(sums.get(project_id, 0) for sums in (taken, stale, unknown, waived))
        )
        for project_id in project_ids
    }


async def scene_counts(conn: Conn, project_id: int, scene_ids: Sequence[int]) -> dict[int, Counts]:
    """How many segments of each of a project's scenes are in which state."""
    runs = await rows(
        conn,
        "SELECT run_id FROM runs WHERE project_id = %(project_id)s AND scene_id = ANY(%(scenes)s)",
        project_id=project_id,
        scenes=list(scene_ids),
    )
    await plan_once(conn)
    ids = [row["run_id"] for row in runs]
    found = await rows(conn, _SCENES, projects=[project_id], runs=ids, scenes=list(scene_ids))
    counted = {row.pop("scene_id"): _counts(**row) for row in found}
    return {scene_id: counted.get(scene_id, _NONE) for scene_id in scene_ids}


def _counts(segments: int, taken: int, stale: int, unknown: int, waived: int) -> Counts:
    return Counts(
        segments=segments,
        fresh=taken - stale - unknown - waived,
        stale=stale,
        waived=waived,
        unknown=unknown,
        empty=segments - taken,
    )


_STATE: LiteralString = """
       CASE WHEN t.segment_id IS NULL THEN 'empty'
            WHEN t.run_position <@ coalesce(j.stale, '{}') THEN 'stale'
            WHEN t.run_position <@ coalesce(j.unknown, '{}') THEN 'unknown'
            WHEN t.run_position <@ coalesce(j.waived, '{}') THEN 'waived'
            ELSE 'fresh' END
"""

_STATES_OF: LiteralString = (
    causes_sql.NOW_OF_SEGMENTS
    + causes_sql.OF_SEGMENTS
    + causes_sql.JUDGED_SEGMENTS
    + "SELECT g.id AS segment_id, "
    + _STATE
    + """ AS state
  FROM unnest(%(segments)s::bigint[]) AS g (id)
  LEFT JOIN selected_takes t ON t.segment_id = g.id
  LEFT JOIN judged j ON j.run_id = t.run_id
"""
)


async def ask_states(conn: Conn, segment_ids: Sequence[int]) -> Asked:
    """Ask for the state of each segment; for ``told``."""
    await plan_once(conn)  # it takes longer to plan than to answer
    return await ask(conn, _STATES_OF, segments=list(segment_ids))


async def told(asked: Asked) -> dict[int, State]:
    """The state of each segment; an archived one is judged as empty, because nothing of it is in the cut."""
    return {row["segment_id"]: State(row["state"]) for row in await asked.fetchall()}


async def states_of(conn: Conn, segment_ids: Sequence[int]) -> dict[int, State]:
    """Ask for the states of segments, and wait for them."""
    return await told(await ask_states(conn, segment_ids))


_FILTERED: LiteralString = (
    causes_sql.NOW
    + causes_sql.OF_PROJECTS
    + causes_sql.JUDGED
    + ", listed AS (SELECT g.id AS segment_id, s.position AS scene_position, g.position, "
    + _STATE
    + """ AS state
      FROM segments g
      JOIN scenes s ON s.id = g.scene_id AND s.archived_at IS NULL
      JOIN projects p ON p.id = g.project_id AND p.archived_at IS NULL
      LEFT JOIN selected_takes t ON t.segment_id = g.id
      LEFT JOIN judged j ON j.run_id = t.run_id
     WHERE g.project_id = ANY(%(projects)s::bigint[]) AND g.position IS NOT NULL
       AND (%(scene_id)s::bigint IS NULL OR g.scene_id = %(scene_id)s)
       AND (%(q)s::text IS NULL OR starts_with(g.name, %(q)s))
), matching AS (
    SELECT segment_id, scene_position, position, state FROM listed
     WHERE %(state)s::text IS NULL OR state = %(state)s
)
SELECT m.segment_id, (SELECT count(*) FROM matching) AS total, m.scene_position, m.position, m.state
  FROM matching m
 WHERE %(after_scene)s::int IS NULL OR (m.scene_position, m.position) > (%(after_scene)s, %(after_position)s)
 ORDER BY m.scene_position, m.position
 LIMIT %(limit)s + 1
"""
)


class SegmentPage(Model):
    """A page of segment ids in the order of their project, with the exact total."""

    segment_ids: tuple[int, ...]
    next: str | None
    total: int


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
    """A project's segments in order, filtered by state, scene and the beginning of their name."""
    key = decode_cursor(after, int, int)
    if state is None and q is None:
        return await _plain_page(conn, project_id, scene_id, key, limit)
    found = await rows(
        conn,
        _FILTERED,
        projects=[project_id],
        scene_id=scene_id,
        q=q,
        state=state,
        after_scene=key[0] if key else None,
        after_position=key[1] if key else None,
        limit=limit,
    )
    total = found[0]["total"] if found else await _filtered_total(conn, project_id, state, scene_id, q)
    return _page(found, limit, total)


async def _filtered_total(conn: Conn, project_id: int, state: State | None, scene_id: int | None, q: str | None) -> int:
    found = await rows(
        conn,
        _FILTERED,
        projects=[project_id],
        scene_id=scene_id,
        q=q,
        state=state,
        after_scene=None,
        after_position=None,
        limit=0,
    )
    return found[0]["total"] if found else 0


async def _plain_page(
    conn: Conn, project_id: int, scene_id: int | None, key: tuple[int, int] | None, limit: int
) -> SegmentPage:
    """A page without a filter on states: no state is worked out to find it, and the total is kept by the scenes."""
    found = await rows(
        conn,
        """
        SELECT g.id AS segment_id, s.position AS scene_position, g.position
          FROM (SELECT s.id, s.position FROM scenes s JOIN projects p ON p.id = s.project_id
                 WHERE s.project_id = %(project_id)s AND s.archived_at IS NULL AND p.archived_at IS NULL
                   AND (%(scene_id)s::bigint IS NULL OR s.id = %(scene_id)s)
                   AND s.position >= %(after_scene)s) AS s
          JOIN segments g ON g.scene_id = s.id AND g.position IS NOT NULL
         WHERE (s.position, g.position) > (%(after_scene)s, %(after_position)s)
         ORDER BY s.position, g.position
         LIMIT %(limit)s + 1
        """,
        project_id=project_id,
        scene_id=scene_id,
        after_scene=key[0] if key else 0,
        after_position=key[1] if key else 0,
        limit=limit,
    )
    total = await scalar(
        conn,
        """
        SELECT coalesce(sum(s.segments_total), 0)::bigint
          FROM scenes s JOIN projects p ON p.id = s.project_id
         WHERE s.project_id = %(project_id)s AND s.archived_at IS NULL AND p.archived_at IS NULL
           AND (%(scene_id)s::bigint IS NULL OR s.id = %(scene_id)s)
        """,
        project_id=project_id,
        scene_id=scene_id,
    )
    return _page(found, limit, total)


_GROUP: LiteralString = (
    causes_sql.NOW
    + causes_sql.OF_PROJECTS
    + """
, member AS (
    SELECT t.segment_id, s.position AS scene_position, g.position
      FROM (SELECT run_id, range_agg(cover) AS cover FROM spread
             WHERE root_kind = %(root_kind)s AND root_asset = %(root_asset)s
               AND (root_kind <> 0 OR (root_used = %(root_used)s AND root_expected = %(root_expected)s))
             GROUP BY run_id) AS hit
      JOIN selected_takes t ON t.run_id = hit.run_id AND t.run_position <@ hit.cover
      JOIN segments g ON g.id = t.segment_id
      JOIN scenes s ON s.id = g.scene_id
)
SELECT segment_id, (SELECT count(*) FROM member) AS total, scene_position, position
  FROM member
 WHERE %(after_scene)s::int IS NULL OR (scene_position, position) > (%(after_scene)s, %(after_position)s)
 ORDER BY scene_position, position
 LIMIT %(limit)s + 1
"""
)


async def group_segments(
    conn: Conn,
    project_id: int,
    root: tuple[int, int, int, int],
    *,
    after: str | None = None,
    limit: int = 100,
) -> SegmentPage:
    """The segments of one group of the report, in order; ``root`` is (kind, asset, used, expected), 0 where none."""
    key = decode_cursor(after, int, int)
    kind, asset, used, expected = root
    found = await rows(
        conn,
        _GROUP,
        projects=[project_id],
        root_kind=kind,
        root_asset=asset,
        root_used=used,
        root_expected=expected,
        after_scene=key[0] if key else None,
        after_position=key[1] if key else None,
        limit=limit,
    )
    return _page(found, limit, found[0]["total"] if found else 0)


def _page(found: list[dict[str, Any]], limit: int, total: int) -> SegmentPage:
    items = found[:limit]
    more = len(found) > limit and items
    return SegmentPage(
        segment_ids=tuple(row["segment_id"] for row in items),
        next=encode_cursor(items[-1]["scene_position"], items[-1]["position"]) if more else None,
        total=total,
    )
