"""What plans in review wait for: versions to be activated, takes to be selected."""

from typing import Any

from genlock.db.connection import Conn, rows, scalar
from genlock.events import sql as events_sql

_DECISIONS = ("asset.activated", "take.selected")
"""The verbs of the events that a plan in review may wait for."""


async def reviewed_plans(conn: Conn) -> list[int]:
    """Return the ids of the plans with *review* that have not ended."""
    plans = await rows(conn, "SELECT id FROM plans WHERE state IN ('running', 'review') AND review ORDER BY id")
    return [plan["id"] for plan in plans]


async def decided_since(conn: Conn, event_id: int | None) -> tuple[int, bool]:
    """Return the newest event's id, and whether a version was activated or a take selected after ``event_id``.

    Without ``event_id`` nothing is known of what happened before: the answer is true.
    """
    if event_id is None:
        return await events_sql.newest_id(conn), True
    (events,) = await rows(
        conn,
        """
        SELECT coalesce(max(id), %(event_id)s) AS newest, coalesce(bool_or(verb = ANY(%(verbs)s)), false) AS decided
          FROM events
         WHERE id > %(event_id)s
        """,
        event_id=event_id,
        verbs=list(_DECISIONS),
    )
    return events["newest"], events["decided"]


async def has_unused_results(conn: Conn, plan_id: int) -> bool:
    """Return whether a take that a plan made is not selected, or a version that it made not active."""
    return await scalar(
        conn,
        """
        SELECT EXISTS (
            SELECT FROM plan_steps s
              LEFT JOIN selected_takes t ON t.segment_id = s.segment_id
              LEFT JOIN assets a ON a.id = s.asset_id
             WHERE s.plan_id = %(plan_id)s AND s.state IN ('succeeded', 'skipped')
               AND ((s.take_id IS NOT NULL AND t.take_id IS DISTINCT FROM s.take_id)
                    OR (s.version IS NOT NULL AND a.active_version IS DISTINCT FROM s.version)))
        """,
        plan_id=plan_id,
    )


async def offered_takes(conn: Conn, plan_id: int) -> list[dict[str, Any]]:
    """Return the takes that a plan made, restored or reused and that are not selected: segment, scene and take ids."""
    return await rows(
        conn,
        """
        SELECT s.segment_id, g.scene_id, s.take_id
          FROM plan_steps s
          JOIN segments g ON g.id = s.segment_id AND g.position IS NOT NULL
          LEFT JOIN selected_takes t ON t.segment_id = s.segment_id
         WHERE s.plan_id = %(plan_id)s AND s.state IN ('succeeded', 'skipped') AND s.take_id IS NOT NULL
           AND t.take_id IS DISTINCT FROM s.take_id
         ORDER BY g.scene_id, g.position
        """,
        plan_id=plan_id,
    )
