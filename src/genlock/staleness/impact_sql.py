"""Compares two worlds: which segments are stale or fresh in one and not in the other."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

from genlock.db.connection import Conn, ask, pipelined, rows
from genlock.staleness import causes_sql, report_sql, world_sql
from genlock.staleness.model import SegmentChanges
from genlock.staleness.report_sql import Counted
from genlock.staleness.tally import tally
from genlock.staleness.world import BEFORE

_WORLD: LiteralString = (
    causes_sql.OF_RUNS
    + causes_sql.JUDGED_RUNS
    + """
    SELECT project_id, run_id, stale, stale + unknown + waived AS not_fresh FROM judged
"""
)
_WALKED_CHANGES: LiteralString = (
    "WITH before AS ("
    + causes_sql.WHAT_IF.replace("%(", "%(before_").replace("%(before_projects)s", "%(projects)s")
    + _WORLD
    + "), after AS ("
    + causes_sql.WHAT_IF
    + _WORLD
    + """)
SELECT project_id,
       sum(positions(coalesce(after.stale, '{}') - coalesce(before.stale, '{}')))::bigint AS becomes_stale,
       sum(positions(coalesce(before.not_fresh, '{}') - coalesce(after.not_fresh, '{}')))::bigint AS becomes_fresh
  FROM before FULL JOIN after USING (project_id, run_id)
 GROUP BY project_id
"""
)


class Change(NamedTuple):
    """What changes in a project from one world to the other, and its report in the other."""

    segments: SegmentChanges
    after: Counted


async def changes(
    conn: Conn, project_ids: Sequence[int], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[int, Change]:
    """For each project how many segments become stale and fresh from one world to the other, and the report then.

    Runs in which nothing is walked are compared by where they begin to be stale, all others as ranges.
    """
    loaded, (changed, added) = await world_sql.load_worlds(
        conn, project_ids, before, after, lambda present: (present.changes(), tally(present, without=BEFORE))
    )
    async with pipelined(conn):
        # PostgreSQL compares what is walked while the rest is added up here.
        runs = loaded.present.walked_changes.tolist()
        worlds = {**{f"before_{name}": value for name, value in before.items()}, **after}
        asked = await ask(conn, _WALKED_CHANGES, projects=list(project_ids), runs=runs, **worlds)
        reports = await report_sql.counted(conn, project_ids, loaded, added)
        walked = await asked.fetchall()
    stale, fresh = dict(changed.becomes_stale), dict(changed.becomes_fresh)
    for row in walked:
        for sums, name in ((stale, "becomes_stale"), (fresh, "becomes_fresh")):
            sums[row["project_id"]] = sums.get(row["project_id"], 0) + row[name]
    return {
        project_id: Change(
            SegmentChanges(becomes_stale=stale.get(project_id, 0), becomes_fresh=fresh.get(project_id, 0)), report
        )
        for project_id, report in reports.items()
    }


async def projects_using(conn: Conn, content_ids: Sequence[int], unmatched_of: int | None = None) -> list[int]:
    """The projects in which a selected take was made from one of these contents, or from no version of an asset."""
    found = await rows(
        conn,
        """
        WITH told AS (
            SELECT unnest(%(contents)s::bigint[]) AS id
             UNION
            SELECT id FROM contents WHERE asset_id = %(unmatched_of)s::bigint AND version IS NULL
        )
        SELECT project_id
          FROM (SELECT project_id, selected FROM usage_counts WHERE content_id = ANY(ARRAY(SELECT id FROM told))
                 UNION ALL
                SELECT project_id, selected FROM usage_deltas WHERE content_id = ANY(ARRAY(SELECT id FROM told))) AS u
         GROUP BY project_id
        HAVING sum(selected) > 0
         ORDER BY project_id
        """,
        contents=list(content_ids),
        unmatched_of=unmatched_of,
    )
    return [row["project_id"] for row in found]
