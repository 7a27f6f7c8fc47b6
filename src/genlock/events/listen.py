"""Listens for notifications of new events on one connection per process and wakes every waiter.

A notification has no payload: a waiter reads the table from where it stopped. An extra notification costs one read, and
the one that is sent after reconnecting makes up for all that were missed.
"""

import asyncio
import contextlib
import logging

import psycopg
from psycopg import sql

from genlock.database_url import redact
from genlock.events.log import CHANNEL

logger = logging.getLogger(__name__)
_PROBE_S = 30.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0


class EventListener:
    """Counts notifications. ``run`` listens until it is cancelled; ``wait`` returns when the count has changed."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._changed = asyncio.Condition()
        self.count = 0
        self.closed = False

    async def run(self) -> None:
        """Listen until cancelled, reconnecting when the connection is lost."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._conninfo, autocommit=True, application_name="genlock-events"
                ) as conn:
                    await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    pause = _FIRST_PAUSE_S
                    await self._wake_waiters()
                    while True:
                        async for _ in conn.notifies(timeout=_PROBE_S):
                            await self._wake_waiters()
                        # Without notifications the connection may have been lost silently: probe it.
                        await conn.execute("SELECT 1")
            except Exception as error:
                if isinstance(error, (psycopg.Error, OSError)):
                    logger.warning(
                        "Lost the connection that listens for events. Next try in %.1f s. %s", pause, redact(str(error))
                    )
                else:
                    logger.exception("Listening for events failed unexpectedly. Next try in %.1f s.", pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def close(self) -> None:
        """Wake every waiter and set ``closed``: later calls of ``wait`` return at once."""
        self.closed = True
        await self._wake_waiters()

    async def wait(self, last_count: int, within_s: float) -> int:
        """Return the number of notifications once it differs from ``last_count``, at the latest after ``within_s``
        seconds.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: self.closed or self.count != last_count)
        return self.count

    async def _wake_waiters(self) -> None:
        async with self._changed:
            self.count += 1
            self._changed.notify_all()
