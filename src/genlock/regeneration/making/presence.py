"""Which of a worker's engines can be reached: it takes no steps for one that cannot, and others may.

a step finds its engine away ─▶ it goes back into the queue ─▶ this worker stops asking for such steps
                                                              until the engine answers again
"""

import asyncio
import logging
from collections.abc import Mapping

from genlock.engines.model import AWAY, LOST, Engine
from genlock.errors import GenlockError

logger = logging.getLogger(__name__)

GONE = frozenset({AWAY, LOST})
"""Codes of errors that say nothing about the step: it may be tried again, here or elsewhere."""
MOST_TRIES = 8
"""A step that has been begun this often is not given back any more: it may be what makes engines go away."""


class Presence:
    """Which engines are away. ``changed`` is set whenever that is another set than before."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._away: set[str] = set()

    def lost(self, name: str) -> None:
        """An engine was found away."""
        if name not in self._away:
            logger.warning("The engine %s is away: this worker takes no steps for it until it answers.", name)
            self._away.add(name)
            self.changed.set()

    def here(self, engines: Mapping[str, Engine]) -> tuple[str, ...]:
        """The names of those that are not away."""
        return tuple(name for name in engines if name not in self._away)

    async def look(self, engines: Mapping[str, Engine], names: set[str] | None = None) -> None:
        """Ask ``names``, or those that are away, whether they are there."""
        for name in self._away & engines.keys() if names is None else names:
            try:
                await engines[name].describe()
            except GenlockError as error:
                logger.debug("%s: %s", name, error.message)
                self.lost(name)
            else:
                if name in self._away:
                    logger.info("The engine %s is there again.", name)
                    self._away.discard(name)
                    self.changed.set()


async def watch(presence: Presence, engines: Mapping[str, Engine], every_s: float) -> None:
    """Look for the engines that are away, until this is cancelled."""
    while True:
        await asyncio.sleep(every_s)
        await presence.look(engines)
