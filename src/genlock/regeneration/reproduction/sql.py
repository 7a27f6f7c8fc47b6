"""Queries of reproductions: requested, claimed by a worker, kept alive, finished under the fence.

The fence is the attempt, as for the steps of plans: a worker that finishes names the attempt it was given.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from genlock.db.connection import Conn, execute, many, maybe, rows, scalar, single
from genlock.db.pages import decode_key, page_of
from genlock.errors import NotFound
from genlock.model import Actor, Model, Page
from genlock.regeneration.model import StepError
from genlock.regeneration.plans.queue_sql import QUEUE, REPRODUCE
from genlock.regeneration.reproduction.model import Reproduction, ReproductionResult, Thresholds


class ClaimedReproduction(Model):
    """A reproduction that a worker has claimed."""

    id: int
    receipt_id: int
    project_id: int | None
    runs: int
    thresholds: Thresholds
    attempt: int
    created_by: str
    claimed_at: datetime


async def get_reproduction(conn: Conn, reproduction_id: int) -> Reproduction:
    """Return a reproduction. Raise ``NotFound`` if it does not exist."""
    missing = NotFound(
        f"There is no reproduction {reproduction_id}.", hint="`genlock reproductions` lists those of a take."
    )
    return await single(
        conn,
        Reproduction,
        missing,
        """
        SELECT id, receipt_id, project_id, engine, runs, thresholds, state, progress, attempt, worker, verdict, result,
               error, created_by, created_at, started_at, finished_at
          FROM reproduction_details
         WHERE id = %(id)s
        """,
        id=reproduction_id,
    )


async def reproductions_of(
    conn: Conn, receipt_id: int, *, after: str | None = None, limit: int = 100
) -> Page[Reproduction]:
    """Return the reproductions of a receipt, newest first."""
    reproductions = await many(
        conn,
        Reproduction,
        """
        SELECT id, receipt_id, project_id, engine, runs, thresholds, state, progress, attempt, worker, verdict, result,
               error, created_by, created_at, started_at, finished_at
          FROM reproduction_details
         WHERE receipt_id = %(receipt_id)s AND (%(before)s::bigint IS NULL OR id < %(before)s)
         ORDER BY id DESC
         LIMIT %(limit)s + 1
        """,
        receipt_id=receipt_id,
        before=decode_key(after),
        limit=limit,
    )
    return page_of(reproductions, limit, lambda last: (last.id,))


async def insert(
    conn: Conn, receipt_id: int, project_id: int | None, engine: str, runs: int, least: Thresholds, actor: Actor
) -> int:
    """Insert a queued reproduction; return its id."""
    return await scalar(
        conn,
        """
        INSERT INTO reproductions (receipt_id, project_id, engine, runs, least_psnr_db, least_ssim, created_by)
        VALUES (%(receipt_id)s, %(project_id)s, %(engine)s, %(runs)s, %(psnr_db)s, %(ssim)s, %(actor)s)
        RETURNING id
        """,
        receipt_id=receipt_id,
        project_id=project_id,
        engine=engine,
        runs=runs,
        psnr_db=least.psnr_db,
        ssim=least.ssim,
        actor=actor.name,
    )


async def under_way(conn: Conn, receipt_id: int) -> int | None:
    """Return the id of a receipt's queued or running reproduction; ``None`` if there is none."""
    return await scalar(
        conn,
        "SELECT id FROM reproductions WHERE receipt_id = %(id)s AND state IN ('queued', 'running')",
        id=receipt_id,
    )


async def hand_over(conn: Conn, reproduction_ids: Sequence[int]) -> None:
    """Give queued reproductions that have no job one, among those of the workers that have their engine."""
    await execute(
        conn,
        """
        WITH job AS (
            SELECT concat_ws('.', %(queue)s::text, p.engine) AS queue, 'reproduction/' || p.id AS lock,
                   jsonb_build_object('reproduction_id', p.id) AS args
              FROM reproductions p
             WHERE p.id = ANY(%(ids)s) AND p.state = 'queued'
        )
        SELECT procrastinate_defer_jobs_v1(array_agg(
                   ROW(job.queue, %(task)s, 0, job.lock, job.lock, job.args, NULL)::procrastinate_job_to_defer_v1))
          FROM job
         WHERE NOT EXISTS (SELECT FROM procrastinate_jobs j
                            WHERE j.status IN ('todo', 'doing') AND j.queueing_lock = job.lock)
        """,
        queue=QUEUE,
        task=REPRODUCE,
        ids=list(reproduction_ids),
    )


async def claim(conn: Conn, reproduction_id: int, worker: str) -> ClaimedReproduction | None:
    """Claim the reproduction if it is queued; from then on only this attempt may finish it."""
    return await maybe(
        conn,
        ClaimedReproduction,
        """
        UPDATE reproductions
           SET state = 'running', attempt = attempt + 1, worker = %(worker)s, progress = 0, seen_at = now(),
               started_at = now()
         WHERE id = %(id)s AND state = 'queued'
        RETURNING id, receipt_id, project_id, runs,
                  jsonb_build_object('psnr_db', least_psnr_db, 'ssim', least_ssim) AS thresholds,
                  attempt, created_by, started_at AS claimed_at
        """,
        id=reproduction_id,
        worker=worker,
    )


async def keep_alive(conn: Conn, claimed: ClaimedReproduction, progress: float) -> bool:
    """Say that it is being worked on; whether it still is this attempt's."""
    touched = await execute(
        conn,
        """
        UPDATE reproductions SET seen_at = now(), progress = greatest(progress, least(%(progress)s, 1))
         WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running'
        """,
        id=claimed.id,
        attempt=claimed.attempt,
        progress=progress,
    )
    return touched > 0


async def finish(conn: Conn, claimed: ClaimedReproduction, result: ReproductionResult) -> bool:
    """Write what came of it, once; whether this attempt still was the one to do so."""
    if not await _leave(conn, claimed, "succeeded", None):
        return False
    await execute(
        conn,
        """
        INSERT INTO reproduction_results (reproduction_id, verdict, result)
        VALUES (%(id)s, %(verdict)s, %(result)s)
        """,
        id=claimed.id,
        verdict=result.comparison.verdict,
        result=Jsonb(result.model_dump(mode="json")),
    )
    return True


async def fail(conn: Conn, claimed: ClaimedReproduction, error: StepError) -> bool:
    """Say why there is nothing to compare; whether this attempt still was the one to do so."""
    return await _leave(conn, claimed, "failed", Jsonb(error.model_dump(exclude_none=True)))


async def give_back(conn: Conn, claimed: ClaimedReproduction) -> None:
    """Let it wait again, because its worker ends."""
    if await _leave(conn, claimed, "queued", None):
        await hand_over(conn, [claimed.id])


async def _leave(conn: Conn, claimed: ClaimedReproduction, state: str, error: Any) -> bool:
    touched = await execute(
        conn,
        """
        UPDATE reproductions
           SET state = %(state)s, error = %(error)s,
               progress = CASE %(state)s WHEN 'succeeded' THEN 1 WHEN 'queued' THEN 0 ELSE progress END,
               seen_at = CASE WHEN %(state)s <> 'queued' THEN seen_at END,
               worker = CASE WHEN %(state)s <> 'queued' THEN worker END,
               finished_at = CASE WHEN %(state)s <> 'queued' THEN now() END
         WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running'
        """,
        id=claimed.id,
        attempt=claimed.attempt,
        state=state,
        error=error,
    )
    return touched > 0


async def requeue_abandoned(conn: Conn, silent_s: float) -> list[int]:
    """Let those wait again whose worker was silent for so long, or that have no job any more; their ids."""
    abandoned = await rows(
        conn,
        """
        UPDATE reproductions p SET state = 'queued', progress = 0, worker = NULL, seen_at = NULL
         WHERE p.state IN ('queued', 'running')
           AND (p.state = 'queued' OR p.seen_at IS NULL OR p.seen_at < now() - make_interval(secs => %(silent_s)s))
           AND NOT EXISTS (SELECT FROM procrastinate_jobs j
                            WHERE j.status IN ('todo', 'doing') AND j.queueing_lock = 'reproduction/' || p.id)
        RETURNING p.id
        """,
        silent_s=silent_s,
    )
    return [row["id"] for row in abandoned]
