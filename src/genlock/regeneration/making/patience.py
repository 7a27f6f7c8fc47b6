"""Retries while the database is unreachable: a worker in the middle of a step waits for it and continues."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from genlock.db.connection import Conn, Database
from genlock.db.refusals import is_lost_connection
from genlock.errors import Conflict, Unavailable

T = TypeVar("T")
logger = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_CONTENTIONS = 20


async def patiently(db: Database, action: Callable[[Conn], Awaitable[T]]) -> T:
    """Return the result of ``action`` in its own transaction, retried for as long as the connection is lost.

    ``action`` must be idempotent: the connection may be lost after the commit and before its confirmation. Conflicts
    between concurrent transactions are retried too, a limited number of times.
    """
    pause_s = _FIRST_PAUSE_S
    contentions = 0
    while True:
        try:
            async with db.transaction() as conn:
                return await action(conn)
        except Unavailable as error:
            if not is_lost_connection(error):
                raise
            logger.warning("The database is unreachable, trying again in %.1f s: %s", pause_s, error.message)
        except Conflict as error:
            contentions += 1
            if error.code != "contention" or contentions > _CONTENTIONS:
                raise
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
