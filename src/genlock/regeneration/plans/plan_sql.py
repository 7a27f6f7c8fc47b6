"""Queries of plans, their steps and what they leave out."""

from genlock.db.connection import Conn, execute, many, scalar, single
from genlock.db.pages import decode_key, page_of
from genlock.errors import NotFound
from genlock.model import Page
from genlock.regeneration.model import LeftOut, Plan, PlanState, Step


async def get_plan(conn: Conn, plan_id: int) -> Plan:
    """Return a plan by id. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Plan,
        _missing(plan_id),
        """
        SELECT id, project_id, state, selection, cascade, review, force, seed, as_planned, totals, progress,
               downstream_stale, notes, created_by, created_at, started_by, started_at, finished_at
          FROM plan_details
         WHERE id = %(id)s
        """,
        id=plan_id,
    )


async def lock_plan(conn: Conn, plan_id: int) -> Plan:
    """Return a plan, locked against every other change of its state until the transaction ends."""
    await execute(conn, "SELECT 1 FROM plans WHERE id = %(id)s FOR NO KEY UPDATE", id=plan_id)
    return await get_plan(conn, plan_id)


async def is_any_running(conn: Conn) -> bool:
    """Return whether a plan or a reproduction is running."""
    return await scalar(
        conn,
        """
        SELECT EXISTS (SELECT FROM plans WHERE state = 'running')
            OR EXISTS (SELECT FROM reproductions WHERE state IN ('queued', 'running'))
        """,
    )


async def list_plans(
    conn: Conn,
    *,
    project_id: int | None = None,
    state: PlanState | None = None,
    after: str | None = None,
    limit: int = 100,
) -> Page[Plan]:
    """Return plans, newest first; of one project, in one state."""
    plans = await many(
        conn,
        Plan,
        """
        SELECT id, project_id, state, selection, cascade, review, force, seed, as_planned, totals, progress,
               downstream_stale, notes, created_by, created_at, started_by, started_at, finished_at
          FROM plan_details
         WHERE (%(project_id)s::bigint IS NULL OR project_id = %(project_id)s)
           AND (%(state)s::text IS NULL OR state = %(state)s)
           AND (%(before)s::bigint IS NULL OR id < %(before)s)
         ORDER BY id DESC
         LIMIT %(limit)s + 1
        """,
        project_id=project_id,
        state=state,
        before=decode_key(after),
        limit=limit,
    )
    return page_of(plans, limit, lambda last: (last.id,))


async def steps_of(conn: Conn, plan_id: int, *, after: str | None = None, limit: int = 100) -> Page[Step]:
    """Return a plan's steps in dependency order, with the exact total. Raise ``NotFound`` for an unknown plan."""
    steps = await many(
        conn,
        Step,
        """
        SELECT s.id, s.plan_id, s.position, s.segment_id, s.asset_id,
               coalesce(a.kind || ':' || a.name, g.place) AS name, s.kind, s.state, s.saved, s.substitutes,
               coalesce((SELECT array_agg(d.id ORDER BY d.position) FROM plan_steps d
                          WHERE d.plan_id = s.plan_id AND d.position = ANY(s.after)), '{}') AS after,
               s.estimate_s, s.progress, s.worker, s.attempt, s.take_id, s.version, s.error, s.started_at,
               s.finished_at,
               coalesce(s.why, CASE WHEN s.state = 'queued' AND s.engine <> ALL (ARRAY(
                             SELECT unnest(w.engines) FROM workers w
                              WHERE w.stopped_at IS NULL AND w.seen_at > now() - interval '30 seconds'))
                        THEN 'No worker that runs can reach the engine ' || s.engine || '.' END) AS why
          FROM plan_steps s
          LEFT JOIN segment_places g ON g.segment_id = s.segment_id
          LEFT JOIN assets a ON a.id = s.asset_id
         WHERE s.plan_id = %(plan_id)s AND s.position > %(after)s
         ORDER BY s.position
         LIMIT %(limit)s + 1
        """,
        plan_id=plan_id,
        after=decode_key(after) or 0,
        limit=limit,
    )
    return page_of(steps, limit, lambda last: (last.position,), total=await _count_steps(conn, plan_id))


async def left_out_of(conn: Conn, plan_id: int, *, after: str | None = None, limit: int = 100) -> Page[LeftOut]:
    """Return the segments that a plan leaves out, with the exact total. Raise ``NotFound`` for an unknown plan."""
    segments = await many(
        conn,
        LeftOut,
        """
        SELECT l.segment_id, g.place AS name, l.why
          FROM plan_left_out l
          JOIN segment_places g ON g.segment_id = l.segment_id
         WHERE l.plan_id = %(plan_id)s AND l.segment_id > %(after)s
         ORDER BY l.segment_id
         LIMIT %(limit)s + 1
        """,
        plan_id=plan_id,
        after=decode_key(after) or 0,
        limit=limit,
    )
    total = await _count_left_out(conn, plan_id)
    return page_of(segments, limit, lambda last: (last.segment_id,), total=total)


async def _count_steps(conn: Conn, plan_id: int) -> int:
    count = await scalar(
        conn,
        "SELECT (SELECT count(*) FROM plan_steps WHERE plan_id = p.id) FROM plans p WHERE p.id = %(id)s",
        id=plan_id,
    )
    if count is None:
        raise _missing(plan_id)
    return count


async def _count_left_out(conn: Conn, plan_id: int) -> int:
    count = await scalar(
        conn,
        "SELECT (SELECT count(*) FROM plan_left_out WHERE plan_id = p.id) FROM plans p WHERE p.id = %(id)s",
        id=plan_id,
    )
    if count is None:
        raise _missing(plan_id)
    return count


def _missing(plan_id: int) -> NotFound:
    return NotFound(f"There is no plan {plan_id}.", hint="`genlock plans list` shows all plans.")
