"""The queue, changed in the caller's transaction: steps get jobs, and jobs of dead workers are removed."""

from genlock.db.connection import Conn, execute, rows, scalar

TASK = "genlock.step"
REPRODUCE = "genlock.reproduce"
QUEUE = "step"
"""The queue of steps that need no engine; those of an engine are in ``step.<engine>``."""


def queues_of(engines: tuple[str, ...]) -> list[str]:
    """Return the queues from which a worker with these engines takes jobs."""
    return [QUEUE, *(f"{QUEUE}.{engine}" for engine in engines)]


async def hand_over(conn: Conn, plan_id: int, step_ids: list[int] | None = None) -> int:
    """Give queued steps of a plan (these, or all) that have no job waiting or under way one; their number.

    The plan's row is locked by the caller, so that no other transaction does the same.
    """
    return await scalar(
        conn,
        """
        WITH job AS (
            SELECT s.position, concat_ws('.', %(queue)s::text, s.engine) AS queue,
                   format('plan/%%s/chain/%%s', s.plan_id, s.chain) AS lock, 'step/' || s.id AS queueing_lock,
                   jsonb_build_object('step_id', s.id) AS args
              FROM plan_steps s
             WHERE s.plan_id = %(plan_id)s AND s.state = 'queued'
               AND (%(steps)s::bigint[] IS NULL OR s.id = ANY(%(steps)s::bigint[]))
        )
        SELECT coalesce(cardinality(procrastinate_defer_jobs_v1(array_agg(
                   ROW(job.queue, %(task)s, 0, job.lock, job.queueing_lock, job.args, NULL)
                   ::procrastinate_job_to_defer_v1 ORDER BY job.position))), 0)
          FROM job
         WHERE NOT EXISTS (SELECT FROM procrastinate_jobs j
                            WHERE j.status IN ('todo', 'doing') AND j.queueing_lock = job.queueing_lock)
        """,
        task=TASK,
        queue=QUEUE,
        plan_id=plan_id,
        steps=step_ids,
    )


async def take_back(conn: Conn, plan_id: int) -> None:
    """Remove the jobs of a plan that no worker has begun."""
    await execute(
        conn,
        """
        SELECT procrastinate_cancel_job_v1(j.id, false, true)
          FROM plan_steps s
          JOIN procrastinate_jobs j ON j.queueing_lock = 'step/' || s.id AND j.status = 'todo'
         WHERE s.plan_id = %(plan_id)s
        """,
        plan_id=plan_id,
    )


async def fail_jobs_of_dead_workers(conn: Conn, silent_s: float) -> int:
    """Remove the jobs of workers that have died; their number.

    A job is lost when its worker has not been heard of for ``silent_s`` seconds, nor its step or reproduction.
    No worker can report while the server is down: only silence since it came up counts.
    """
    return await scalar(
        conn,
        """
        SELECT count(procrastinate_finish_job_v1(lost.id, 'failed', true))
          FROM (SELECT j.id
                  FROM procrastinate_jobs j
                  LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
                  LEFT JOIN plan_steps s ON s.id = (j.args ->> 'step_id')::bigint
                  LEFT JOIN reproductions r ON r.id = (j.args ->> 'reproduction_id')::bigint
                 WHERE j.status = 'doing' AND j.task_name = ANY(%(tasks)s)
                   AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => %(silent_s)s))
                   AND NOT coalesce(s.state = 'running'
                                    AND s.seen_at > now() - make_interval(secs => %(silent_s)s), false)
                   AND NOT coalesce(r.state = 'running'
                                    AND r.seen_at > now() - make_interval(secs => %(silent_s)s), false)
                   AND pg_postmaster_start_time() < now() - make_interval(secs => %(silent_s)s)
                   FOR UPDATE OF j SKIP LOCKED) lost
        """,
        tasks=[TASK, REPRODUCE],
        silent_s=silent_s,
    )


async def stalled_plans(conn: Conn, silent_s: float) -> list[int]:
    """Return running plans with a queued or running step that no job will finish."""
    plans = await rows(
        conn,
        """
        SELECT DISTINCT s.plan_id
          FROM plan_steps s JOIN plans p ON p.id = s.plan_id
         WHERE s.state IN ('queued', 'running') AND p.state IN ('running', 'review')
           AND NOT EXISTS (SELECT FROM procrastinate_jobs j
                            WHERE j.status IN ('todo', 'doing') AND j.queueing_lock = 'step/' || s.id)
           AND (s.state = 'queued' OR s.seen_at IS NULL OR s.seen_at < now() - make_interval(secs => %(silent_s)s))
         ORDER BY s.plan_id
        """,
        silent_s=silent_s,
    )
    return [row["plan_id"] for row in plans]


async def requeue_abandoned_steps(conn: Conn, plan_id: int, silent_s: float) -> None:
    """Queue again the running steps of a locked plan that no worker is doing; a late attempt has lost the fence."""
    await execute(
        conn,
        """
        UPDATE plan_steps s SET state = 'queued', progress = 0, worker = NULL, seen_at = NULL
         WHERE s.plan_id = %(plan_id)s AND s.state = 'running'
           AND (s.seen_at IS NULL OR s.seen_at < now() - make_interval(secs => %(silent_s)s))
           AND NOT EXISTS (SELECT FROM procrastinate_jobs j
                            WHERE j.status IN ('todo', 'doing') AND j.queueing_lock = 'step/' || s.id)
        """,
        plan_id=plan_id,
        silent_s=silent_s,
    )
