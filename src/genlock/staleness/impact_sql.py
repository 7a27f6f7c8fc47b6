"""Compares two worlds: which segments are stale or fresh in one and not in the other."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

from genlock.db.connection import Conn, rows
from genlock.staleness import causes_sql, report_sql
from genlock.staleness.model import SegmentChanges
from genlock.staleness.report_sql import Counted

# Where nothing is walked, a run is stale from its first own cause on, and not fresh from there or from its first
# unknown take on: one pass over both worlds. Runs that are walked are compared as ranges, below.
_CHANGES: LiteralString = (
    causes_sql.TWO_WORLDS
    + report_sql.REPORTED
    + """
, begins AS (
    SELECT run_id, min(run_position) FILTER (WHERE world <> 2) AS before,
           min(run_position) FILTER (WHERE world <> 1) AS after
      FROM own
     WHERE run_id NOT IN (SELECT run_id FROM walked_runs)
     GROUP BY run_id
), compared AS (
    SELECT r.project_id, coalesce(b.before, r.length + 1) AS before, coalesce(b.after, r.length + 1) AS after,
           coalesce(r.unknown_from, r.length + 1) AS unknown
      FROM begins b JOIN runs r ON r.run_id = b.run_id
     WHERE b.before IS DISTINCT FROM b.after
), changed AS (
    SELECT project_id, sum(greatest(before - after, 0))::bigint AS becomes_stale,
           sum(greatest(least(after, unknown) - least(before, unknown), 0))::bigint AS becomes_fresh
      FROM compared
     GROUP BY project_id
)
SELECT coalesce(c.becomes_stale, 0) AS becomes_stale, coalesce(c.becomes_fresh, 0) AS becomes_fresh,
       (SELECT array_agg(run_id) FROM walked_runs) AS walked, """
    + report_sql.ANSWER
    + """
  LEFT JOIN changed c ON c.project_id = p.id
"""
)

_WORLD: LiteralString = (
    causes_sql.OF_RUNS
    + causes_sql.JUDGED
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
    """For each project how many segments become stale and fresh from one world to the other, and the report then."""
    worlds = {**{f"before_{name}": value for name, value in before.items()}, **after}
    found = await rows(conn, _CHANGES, projects=list(project_ids), **worlds, **report_sql.ALL)
    changed = {row["project_id"]: (row["becomes_stale"], row["becomes_fresh"]) for row in found}
    runs = found[0]["walked"] if found else None
    if runs:
        for row in await rows(conn, _WALKED_CHANGES, projects=list(project_ids), runs=runs, **worlds):
            stale, fresh = changed[row["project_id"]]
            changed[row["project_id"]] = (stale + row["becomes_stale"], fresh + row["becomes_fresh"])
    return {
        row["project_id"]: Change(
            SegmentChanges(becomes_stale=changed[row["project_id"]][0], becomes_fresh=changed[row["project_id"]][1]),
            report_sql.read_report(row),
        )
        for row in found
    }


async def projects_using(conn: Conn, content_ids: Sequence[int]) -> list[int]:
    """The projects in which a selected take was made from one of these contents."""
    found = await rows(
        conn,
        """
        SELECT project_id
          FROM (SELECT project_id, selected FROM usage_counts WHERE content_id = ANY(%(contents)s)
                 UNION ALL
                SELECT project_id, selected FROM usage_deltas WHERE content_id = ANY(%(contents)s)) AS used
         GROUP BY project_id
        HAVING sum(selected) > 0
         ORDER BY project_id
        """,
        contents=list(content_ids),
    )
    return [row["project_id"] for row in found]
