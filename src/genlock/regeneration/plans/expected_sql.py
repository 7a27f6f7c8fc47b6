"""Compares what a plan was based on with the current state."""

from typing import Any

from genlock.db.connection import Conn, rows
from genlock.digest import from_raw
from genlock.model import Model


class ChangedVersion(Model):
    """An expected version that is not the one the plan was made on."""

    scene_id: int | None
    asset_id: int
    name: str
    was: int
    now: int
    archived: bool


async def changed_versions(conn: Conn, plan_id: int) -> tuple[ChangedVersion, ...]:
    """Return what a plan was made on and is no longer expected, by effective digest, or was archived meanwhile.

    Versions that the plan itself made and activated are left out.
    """
    versions = await rows(
        conn,
        """
        WITH made AS MATERIALIZED (
            SELECT asset_id, version FROM plan_steps WHERE plan_id = %(plan_id)s AND version IS NOT NULL
        )
        SELECT e.scene_id, e.asset_id, e.name, e.number AS was, n.number AS now, c.effective_digest,
               e.effective, a.archived_at > p.created_at AS archived
          FROM plans p
         CROSS JOIN jsonb_to_recordset(p.expected -> 'versions')
               AS e (scene_id bigint, asset_id bigint, name text, number int, effective text)
          JOIN assets a ON a.id = e.asset_id
          LEFT JOIN scene_scopes s ON s.scene_id = e.scene_id
         CROSS JOIN LATERAL (SELECT expected_version(coalesce(s.scope_id, 0), a.id) AS number) n
          JOIN contents c ON c.asset_id = a.id AND c.version = n.number
         WHERE p.id = %(plan_id)s
           AND (a.id, n.number) NOT IN (SELECT asset_id, version FROM made)
         ORDER BY e.name, e.scene_id NULLS FIRST
        """,
        plan_id=plan_id,
    )
    return tuple(
        ChangedVersion(
            scene_id=row["scene_id"],
            asset_id=row["asset_id"],
            name=row["name"],
            was=row["was"],
            now=row["now"],
            archived=bool(row["archived"]),
        )
        for row in versions
        if from_raw(row["effective_digest"]) != row["effective"] or row["archived"]
    )


async def changed_segments(conn: Conn, plan_id: int) -> list[dict[str, Any]]:
    """Return segments whose selected take changed since the plan was created, or that were archived."""
    return await rows(
        conn,
        """
        SELECT g.id AS segment_id, g.name, s.name AS scene,
               coalesce(g.archived_at, s.archived_at, p.archived_at) IS NOT NULL AS archived
          FROM (SELECT segment_id, selected_take_id AS take_id FROM plan_steps
                 WHERE plan_id = %(plan_id)s AND segment_id IS NOT NULL
                UNION ALL
                SELECT (f.pair ->> 0)::bigint, (f.pair ->> 1)::bigint
                  FROM plans p, jsonb_array_elements(p.expected -> 'frames') AS f (pair)
                 WHERE p.id = %(plan_id)s) planned
          JOIN segments g ON g.id = planned.segment_id
          JOIN scenes s ON s.id = g.scene_id
          JOIN projects p ON p.id = g.project_id
          LEFT JOIN selected_takes t ON t.segment_id = g.id
         WHERE t.take_id IS DISTINCT FROM planned.take_id
            OR coalesce(g.archived_at, s.archived_at, p.archived_at) IS NOT NULL
         ORDER BY s.position, g.position
        """,
        plan_id=plan_id,
    )
