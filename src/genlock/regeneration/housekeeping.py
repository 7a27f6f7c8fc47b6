"""What the server does beside answering: counts are folded, and activations that a crash left untold are told."""

from genlock.background import repeat
from genlock.db.connection import Database
from genlock.staleness import what_if
from genlock.takes import usage_sql

_EVERY_S = 2.0
_UNTOLD_FOR_S = 5.0


async def housekeeping(db: Database, every_s: float = _EVERY_S) -> None:
    """Run ``once`` until cancelled."""
    await repeat("housekeeping", lambda: once(db), every_s=every_s)


async def once(db: Database, untold_for_s: float = _UNTOLD_FOR_S) -> None:
    """Fold and tell everything that is there to be folded and told."""
    folded = 1
    while folded:
        async with db.transaction() as conn:
            folded = await usage_sql.fold(conn)
    async with db.transaction() as conn:
        await what_if.publish_pending(conn, untold_for_s)
