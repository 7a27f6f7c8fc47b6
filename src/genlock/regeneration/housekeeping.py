"""What the server does beside answering: counts are folded, and activations that a crash left untold are told."""

import asyncio
import logging

from genlock.db.connection import Database
from genlock.errors import GenlockError
from genlock.staleness import impact
from genlock.takes import counting_sql

logger = logging.getLogger(__name__)
_EVERY_S = 2.0
_LONGEST_PAUSE_S = 30.0
_UNTOLD_FOR_S = 5.0


async def housekeeping(db: Database, every_s: float = _EVERY_S) -> None:
    """Keep house until cancelled; a database that is away is waited for."""
    pause_s = every_s
    while True:
        try:
            await once(db)
            pause_s = every_s
        except GenlockError as error:
            logger.warning("Housekeeping has to wait %.0f s: %s", pause_s, error.message)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        await asyncio.sleep(pause_s)


async def once(db: Database, untold_for_s: float = _UNTOLD_FOR_S) -> None:
    """Fold and tell everything that is there to be folded and told."""
    folded = 1
    while folded:
        async with db.transaction() as conn:
            folded = await counting_sql.fold(conn)
    async with db.transaction() as conn:
        await impact.tell_left_over(conn, untold_for_s)
