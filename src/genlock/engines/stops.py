"""What stops an engine's runs: one event for each run that is under way."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from genlock.errors import Conflict


class Settable(Protocol):
    """An event of threads or of asyncio, as the engine waits for it."""

    def set(self) -> None:
        """Let whoever waits for it go on."""


E = TypeVar("E", bound=Settable)


class Stops(Generic[E]):
    """The runs of one engine that are under way, each with the event that stops it."""

    def __init__(self, event: Callable[[], E]) -> None:
        self._event = event
        self._by_run: dict[str, E] = {}

    @contextmanager
    def under_way(self, run: str) -> Generator[E]:
        """The event that stops this run, for as long as it is under way; ``Conflict`` if it is already."""
        if run in self._by_run:
            raise Conflict(f"The run {run} is already under way.", hint="Give each run its own name.")
        stop = self._by_run[run] = self._event()
        try:
            yield stop
        finally:
            del self._by_run[run]

    def stop(self, run: str) -> None:
        """Stop a run; one that is not under way needs nothing."""
        stop = self._by_run.get(run)
        if stop is not None:
            stop.set()
