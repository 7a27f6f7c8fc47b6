"""Continues plans in review within a second of the activation or selection that they wait for.

a version is activated, a take selected ─▶ event ─▶ notification ─▶ every plan in review that can continue does
"""

from genlock.background import repeat
from genlock.db.connection import Conn, Database
from genlock.events.listen import EventListener
from genlock.regeneration.patrol import each_plan
from genlock.regeneration.plans import plan_sql, progress, review_sql
from genlock.regeneration.plans.apply import WORKER

_LEAST_PAUSE_S = 0.1
"""Many takes may be selected one by one: they are handled together."""


class ReviewWatch:
    """Continues plans in review on each notification of new events, and at the latest after ``within_s``."""

    def __init__(self, db: Database, listener: EventListener, within_s: float) -> None:
        self._db = db
        self._listener = listener
        self._within_s = within_s
        self._notifications = -1  # differs from every count: the first wait returns at once
        self._event_id: int | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        await repeat("continuing plans in review", self._wait_and_continue, every_s=_LEAST_PAUSE_S)

    async def _wait_and_continue(self) -> None:
        notifications = await self._listener.wait(self._notifications, self._within_s)
        async with self._db.transaction() as conn:
            newest, is_decided = await review_sql.decided_since(conn, self._event_id)
        if is_decided:
            await continue_plans(self._db)
        self._notifications, self._event_id = notifications, newest  # set last, so that a failure is tried again


async def continue_plans(db: Database) -> None:
    """Continue every plan with *review* that can: its steps are queued, or it ends."""
    async with db.transaction() as conn:
        plans = await review_sql.reviewed_plans(conn)
    await each_plan(db, plans, _continue)


async def _continue(conn: Conn, plan_id: int) -> None:
    await plan_sql.lock_plan(conn, plan_id)
    await progress.continue_plan(conn, plan_id, WORKER)
