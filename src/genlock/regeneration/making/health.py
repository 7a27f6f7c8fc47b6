"""Which of a worker's engines are reachable: a worker takes no steps for an engine that is not.

a step finds its engine unreachable ─▶ the step goes back into the queue ─▶ this worker takes no steps for that engine
                                                                           until a probe reaches it again
"""

import asyncio
import logging
from collections.abc import Mapping, Set

from genlock.background import repeat
from genlock.engines.model import Engine
from genlock.errors import GenlockError

logger = logging.getLogger(__name__)


class EngineHealth:
    """Which engines are reachable. ``changed`` is set whenever that set changes."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._unreachable: set[str] = set()

    def mark_unreachable(self, name: str) -> None:
        """Take an engine out of the reachable ones until a probe reaches it again."""
        if name not in self._unreachable:
            logger.warning("Engine %s is unreachable: this worker takes no steps for it until it answers.", name)
            self._unreachable.add(name)
            self.changed.set()

    def reachable(self, engines: Mapping[str, Engine]) -> tuple[str, ...]:
        """Return the names of the reachable engines."""
        return tuple(name for name in engines if name not in self._unreachable)

    async def probe(self, engines: Mapping[str, Engine], names: Set[str] | None = None) -> None:
        """Probe the engines called ``names``, or the unreachable ones."""
        for name in self._unreachable & engines.keys() if names is None else names:
            try:
                await engines[name].describe()
            except GenlockError as error:
                logger.debug("%s: %s", name, error.message)
                self.mark_unreachable(name)
            except Exception:  # logged whole; one broken engine must not end the watch over the others
                logger.exception("Engine %s failed unexpectedly when probed.", name)
                self.mark_unreachable(name)
            else:
                if name in self._unreachable:
                    logger.info("Engine %s is reachable again.", name)
                    self._unreachable.discard(name)
                    self.changed.set()

    async def watch(self, engines: Mapping[str, Engine], every_s: float) -> None:
        """Probe the unreachable engines every ``every_s`` seconds until cancelled."""
        await repeat("probing engines", lambda: self.probe(engines), every_s=every_s)
