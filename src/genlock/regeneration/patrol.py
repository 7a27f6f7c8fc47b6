"""Brings lost work back: jobs of workers that died, steps and reproductions without a job, plans let go on.

Every worker runs it beside its work, never as a job: a worker that is busy for an hour must still notice that another
one has died.
"""

from genlock.db.connection import Conn, Database
from genlock.regeneration import worker_sql
from genlock.regeneration.plans import finish, plan_sql, queue_sql
from genlock.regeneration.plans.conclude import WORKER
from genlock.regeneration.reproduction import sql as reproduce_sql


async def patrol(db: Database, silent_s: float) -> int:
    """Look once; how many plans were set in motion again."""
    async with db.transaction() as conn:
        await queue_sql.rescue(conn, silent_s)
    async with db.transaction() as conn:
        await reproduce_sql.hand_over(conn, await reproduce_sql.bring_ashore(conn, silent_s))
    async with db.transaction() as conn:
        adrift = await queue_sql.plans_adrift(conn, silent_s)
        waiting = await worker_sql.plans_to_resume(conn)
    for plan_id in adrift:
        async with db.transaction() as conn:
            await _recover(conn, plan_id, silent_s)
    for plan_id in waiting:
        async with db.transaction() as conn:
            await plan_sql.lock_plan(conn, plan_id)
            await finish.go_on(conn, plan_id, WORKER)
    return len(adrift)


async def _recover(conn: Conn, plan_id: int, silent_s: float) -> None:
    await plan_sql.lock_plan(conn, plan_id)
    await queue_sql.bring_ashore(conn, plan_id, silent_s)
    await finish.go_on(conn, plan_id, WORKER)
