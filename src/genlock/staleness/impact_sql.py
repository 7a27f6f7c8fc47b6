"""Compares two worlds: which segments are stale or fresh in one and not in the other."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from genlock.db.connection import Conn, rows
from genlock.staleness import causes_sql
from genlock.staleness.model import SegmentChanges

_WORLD: LiteralString = (
    causes_sql.OF_PROJECTS
    + causes_sql.JUDGED
    + """
    SELECT project_id, run_id, stale, stale + unknown + waived AS not_fresh FROM judged
"""
)
_CHANGES: LiteralString = (
    "WITH before AS ("
    + causes_sql.WHAT_IF.replace("%(", "%(before_")
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


async def changes(
    conn: Conn, project_ids: Sequence[int], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[int, SegmentChanges]:
    """For each project how many segments become stale and fresh from one world to the other."""
    found = await rows(
        conn,
        _CHANGES,
        projects=list(project_ids),
        runs=None,
        **{f"before_{name}": value for name, value in before.items()},
        **after,
    )
    return {
        row["project_id"]: SegmentChanges(becomes_stale=row["becomes_stale"], becomes_fresh=row["becomes_fresh"])
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
