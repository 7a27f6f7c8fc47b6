"""Finds the projects that a change of expectations can concern."""

from collections.abc import Sequence

from genlock.db.connection import Conn, rows


async def projects_using(conn: Conn, content_ids: Sequence[int]) -> list[int]:
    """Return the projects in which a selected take used any of these contents."""
    projects = await rows(
        conn,
        """
        SELECT project_id
          FROM (SELECT project_id, selected FROM usage_counts WHERE content_id = ANY(%(contents)s::bigint[])
                 UNION ALL
                SELECT project_id, selected FROM usage_deltas WHERE content_id = ANY(%(contents)s::bigint[])) AS u
         GROUP BY project_id
        HAVING sum(selected) > 0
         ORDER BY project_id
        """,
        contents=list(content_ids),
    )
    return [row["project_id"] for row in projects]


async def projects_using_asset(conn: Conn, asset_id: int, version: int | None) -> list[int]:
    """Return the projects in which a selected take may have used an asset, or exactly one version of it."""
    projects = await rows(
        conn,
        """
        SELECT DISTINCT used.project_id
          FROM contents c
         CROSS JOIN LATERAL (SELECT project_id FROM usage_counts WHERE content_id = c.id AND selected > 0
                              UNION ALL SELECT project_id FROM usage_deltas WHERE content_id = c.id) AS used
         WHERE c.asset_id = %(asset_id)s AND (%(version)s::int IS NULL OR c.version = %(version)s)
        """,
        asset_id=asset_id,
        version=version,
    )
    return [row["project_id"] for row in projects]
