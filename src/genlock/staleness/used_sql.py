"""How many segments use something now, and how many of those are stale."""

from typing import LiteralString

from genlock.db.connection import Conn, rows
from genlock.library.model import UsedBy
from genlock.staleness import causes_sql

_PROJECTS: LiteralString = """
SELECT DISTINCT used.project_id
  FROM contents c
 CROSS JOIN LATERAL (SELECT project_id FROM usage_counts WHERE content_id = c.id AND selected > 0
                      UNION ALL SELECT project_id FROM usage_deltas WHERE content_id = c.id) AS used
 WHERE c.asset_id = %(asset_id)s AND (%(version)s::int IS NULL OR c.version = %(version)s)
"""
_USED_BY: LiteralString = (
    causes_sql.NOW
    + causes_sql.OF_PROJECTS
    + causes_sql.JUDGED
    + """
SELECT count(DISTINCT i.segment_id) AS segments,
       count(DISTINCT i.segment_id) FILTER (WHERE i.run_position <@ j.stale) AS stale
  FROM contents c
  JOIN current_inputs i ON i.content_id = c.id AND i.project_id = ANY(%(projects)s::bigint[])
  LEFT JOIN judged j ON j.run_id = i.run_id
 WHERE c.asset_id = %(asset_id)s AND (%(version)s::int IS NULL OR c.version = %(version)s)
"""
)


async def used_by(conn: Conn, asset_id: int, version: int | None = None) -> UsedBy:
    """The segments whose selected take used an asset, or exactly one version of it, and the stale ones among them."""
    projects = [row["project_id"] for row in await rows(conn, _PROJECTS, asset_id=asset_id, version=version)]
    if not projects:
        return UsedBy(segments=0, stale=0)
    (found,) = await rows(conn, _USED_BY, projects=projects, asset_id=asset_id, version=version)
    return UsedBy(segments=found["segments"], stale=found["stale"])
