"""The server's background work: it folds counts and publishes activation events that a crash left pending."""

from genlock.background import repeat
from genlock.db.connection import Database
from genlock.staleness import what_if
from genlock.takes import usage_sql

_EVERY_S = 2.0
_PENDING_FOR_S = 5.0


async def housekeeping(db: Database, every_s: float = _EVERY_S) -> None:
    """Run ``once`` until cancelled."""
    await repeat("housekeeping", lambda: once(db), every_s=every_s)


async def once(db: Database, pending_for_s: float = _PENDING_FOR_S) -> None:
    """Fold all counts, and publish the events that have been pending for ``pending_for_s`` seconds."""
    folded = 1
    while folded:
        async with db.transaction() as conn:
            folded = await usage_sql.fold(conn)
    async with db.transaction() as conn:
        await what_if.publish_pending(conn, pending_for_s)
