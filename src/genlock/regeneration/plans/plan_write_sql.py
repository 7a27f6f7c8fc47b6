"""Moves plans and their steps from one state to the next. Callers lock the plan's row first."""

from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from genlock.db.connection import Conn, execute, rows
from genlock.model import Actor, Model
from genlock.regeneration.model import PlanNote, PlanState


async def holding_plans(conn: Conn, plan_id: int) -> list[dict[str, Any]]:
    """Return other plans that hold a segment or asset of this one, with what they hold."""
    return await rows(
        conn,
        """
        SELECT h.plan_id, coalesce(g.name, a.name) AS name
          FROM plan_steps s
          JOIN plan_holds h ON (h.segment_id = s.segment_id OR h.asset_id = s.asset_id) AND h.plan_id <> s.plan_id
          LEFT JOIN segments g ON g.id = h.segment_id
          LEFT JOIN assets a ON a.id = h.asset_id
         WHERE s.plan_id = %(plan_id)s AND s.kind <> 'blocked'
         ORDER BY h.plan_id, s.position
        """,
        plan_id=plan_id,
    )


async def hold(conn: Conn, plan_id: int) -> None:
    """Hold the segments and assets of a plan's unfinished steps; a constraint refuses what another plan holds."""
    await execute(
        conn,
        """
        INSERT INTO plan_holds (plan_id, segment_id, asset_id)
        SELECT DISTINCT plan_id, segment_id, asset_id FROM plan_steps
         WHERE plan_id = %(plan_id)s AND state IN ('waiting', 'queued', 'running')
        """,
        plan_id=plan_id,
    )


async def release(conn: Conn, plan_id: int) -> None:
    """Let go of everything a plan holds."""
    await execute(conn, "DELETE FROM plan_holds WHERE plan_id = %(plan_id)s", plan_id=plan_id)


async def mark_started(conn: Conn, plan_id: int, actor: Actor, *, as_planned: bool) -> None:
    """Let a plan run: blocked steps are skipped, the others remember which take is selected and version active now."""
    await execute(
        conn,
        """
        WITH plan AS (
            UPDATE plans SET state = 'running', started_at = now(), started_by = %(actor)s, as_planned = %(as_planned)s
             WHERE id = %(plan_id)s
        )
        UPDATE plan_steps s
           SET state = CASE WHEN s.kind = 'blocked' THEN 'skipped' ELSE s.state END,
               finished_at = CASE WHEN s.kind = 'blocked' THEN now() END,
               selected_take_id = (SELECT t.take_id FROM selected_takes t WHERE t.segment_id = s.segment_id),
               active_version = (SELECT a.active_version FROM assets a WHERE a.id = s.asset_id)
         WHERE s.plan_id = %(plan_id)s
        """,
        plan_id=plan_id,
        actor=actor.name,
        as_planned=as_planned,
    )


async def set_state(conn: Conn, plan_id: int, state: PlanState) -> None:
    """Move a plan to another state; ``finished_at`` is set by those that end it."""
    await execute(
        conn,
        """
        UPDATE plans SET state = %(state)s,
                         finished_at = CASE WHEN %(state)s IN ('running', 'review') THEN NULL ELSE now() END
         WHERE id = %(plan_id)s
        """,
        plan_id=plan_id,
        state=state.value,
    )


async def add_notes(conn: Conn, plan_id: int, notes: Sequence[PlanNote]) -> None:
    """Add notes to a plan, once each."""
    await execute(
        conn,
        """
        UPDATE plans
           SET notes = notes || coalesce((SELECT jsonb_agg(n.note) FROM jsonb_array_elements(%(notes)s) AS n (note)
                                           WHERE NOT notes @> jsonb_build_array(n.note)), '[]')
         WHERE id = %(plan_id)s
        """,
        plan_id=plan_id,
        notes=Jsonb([note.model_dump(mode="json", exclude_none=True) for note in notes]),
    )


async def queue_ready(conn: Conn, plan_id: int, behind: int | None = None) -> list[int]:
    """Queue the waiting steps of a plan (all, or those after a position) whose predecessors are done; their ids.

    With *review* a step behind a version that the plan made waits until a person has made that version active.
    """
    steps = await rows(
        conn,
        """
        UPDATE plan_steps s SET state = 'queued'
         WHERE s.plan_id = %(plan_id)s AND s.state = 'waiting'
           AND (%(behind)s::int IS NULL OR %(behind)s = ANY(s.after))
           AND NOT EXISTS (
               SELECT FROM unnest(s.after) AS first (position)
                 JOIN plan_steps d ON d.plan_id = s.plan_id AND d.position = first.position
                 JOIN plans p ON p.id = d.plan_id
                WHERE d.state NOT IN ('succeeded', 'skipped')
                   OR (p.review AND d.asset_id IS NOT NULL AND NOT EXISTS (
                       SELECT FROM assets a
                         JOIN contents active ON active.asset_id = a.id AND active.version = a.active_version
                         JOIN contents made ON made.asset_id = a.id AND made.version = d.version
                        WHERE a.id = d.asset_id AND active.effective_digest = made.effective_digest)))
        RETURNING s.id
        """,
        plan_id=plan_id,
        behind=behind,
    )
    return [row["id"] for row in steps]


async def cancel_dependents(conn: Conn, plan_id: int, position: int, why: str) -> None:
    """Cancel everything that depends on a step which failed."""
    await execute(
        conn,
        """
        WITH RECURSIVE behind (position) AS (
            SELECT %(position)s::int
            UNION
            SELECT s.position FROM behind b JOIN plan_steps s ON s.plan_id = %(plan_id)s AND b.position = ANY(s.after)
        )
        UPDATE plan_steps s SET state = 'cancelled', why = %(why)s, finished_at = now()
         WHERE s.plan_id = %(plan_id)s AND s.state IN ('waiting', 'queued') AND s.position <> %(position)s
           AND s.position IN (SELECT position FROM behind)
        """,
        plan_id=plan_id,
        position=position,
        why=why,
    )


async def cancel_steps(conn: Conn, plan_id: int) -> list[int]:
    """Cancel every step that is not finished; those that were running."""
    steps = await rows(
        conn,
        """
        WITH before AS (
            SELECT id, state FROM plan_steps
             WHERE plan_id = %(plan_id)s AND state IN ('waiting', 'queued', 'running') FOR UPDATE
        )
        UPDATE plan_steps s SET state = 'cancelled', why = 'the plan was cancelled.', finished_at = now()
          FROM before b WHERE b.id = s.id
        RETURNING s.id, b.state
        """,
        plan_id=plan_id,
    )
    return [row["id"] for row in steps if row["state"] == "running"]


async def reset_for_retry(conn: Conn, plan_id: int) -> int:
    """Make failed and cancelled steps wait again; their number."""
    return await execute(
        conn,
        """
        UPDATE plan_steps SET state = 'waiting', error = NULL, why = NULL, progress = 0, worker = NULL, seen_at = NULL,
                              started_at = NULL, finished_at = NULL
         WHERE plan_id = %(plan_id)s AND state IN ('failed', 'cancelled')
        """,
        plan_id=plan_id,
    )


class StepCounts(Model):
    """Numbers of a plan's steps by state."""

    state: PlanState
    review: bool
    project_id: int | None
    unfinished: int
    under_way: int
    failed: int


async def step_counts(conn: Conn, plan_id: int) -> StepCounts:
    """Return the number of a plan's steps by state."""
    steps = await rows(
        conn,
        """
        SELECT p.state, p.review, p.project_id, s.unfinished, s.under_way, s.failed
          FROM plans p
         CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE state IN ('waiting', 'queued', 'running')) AS unfinished,
                      count(*) FILTER (WHERE state IN ('queued', 'running')) AS under_way,
                      count(*) FILTER (WHERE state = 'failed') AS failed
                 FROM plan_steps WHERE plan_id = p.id) s
         WHERE p.id = %(plan_id)s
        """,
        plan_id=plan_id,
    )
    return StepCounts.model_validate(steps[0])
