"""Recovers lost work: jobs of dead workers, steps and reproductions without a job.

Every worker runs it alongside its work, never as a job: a worker that is busy for an hour must still notice that
another one has died.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence

from genlock.db.connection import Conn, Database
from genlock.errors import GenlockError
from genlock.regeneration.plans import plan_sql, progress, queue_sql
from genlock.regeneration.plans.apply import WORKER
from genlock.regeneration.reproduction import sql as reproduce_sql

logger = logging.getLogger(__name__)


async def patrol(db: Database, silent_s: float) -> int:
    """Recover lost work once; return how many plans were continued."""
    async with db.transaction() as conn:
        await queue_sql.fail_jobs_of_dead_workers(conn, silent_s)
    async with db.transaction() as conn:
        await reproduce_sql.hand_over(conn, await reproduce_sql.requeue_abandoned(conn, silent_s))
    async with db.transaction() as conn:
        stalled = await queue_sql.stalled_plans(conn, silent_s)
    return await each_plan(db, stalled, lambda conn, plan_id: _recover(conn, plan_id, silent_s))


async def each_plan(db: Database, plan_ids: Sequence[int], action: Callable[[Conn, int], Awaitable[None]]) -> int:
    """Run ``action`` for each plan in its own transaction; return how many succeeded.

    A failure is logged and does not stop the others.
    """
    succeeded = 0
    for plan_id in plan_ids:
        try:
            async with db.transaction() as conn:
                await action(conn, plan_id)
            succeeded += 1
        except GenlockError as error:
            logger.warning("Could not continue plan %d: %s", plan_id, error.message)
        except Exception:  # logged whole; one plan that cannot continue must not hold up the others
            logger.exception("Could not continue plan %d.", plan_id)
    return succeeded


async def _recover(conn: Conn, plan_id: int, silent_s: float) -> None:
    await plan_sql.lock_plan(conn, plan_id)
    await queue_sql.requeue_abandoned_steps(conn, plan_id, silent_s)
    await progress.continue_plan(conn, plan_id, WORKER)
