"""Events that stop an engine's runs, one for each run in progress."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from genlock.errors import Conflict


class Settable(Protocol):
    """An event of threading or asyncio, whichever the engine waits for."""

    def set(self) -> None:
        """Wake every waiter."""


E = TypeVar("E", bound=Settable)


class Stops(Generic[E]):
    """The runs of an engine in progress, each with the event that stops it."""

    def __init__(self, event: Callable[[], E]) -> None:
        self._event = event
        self._by_run: dict[str, E] = {}

    @contextmanager
    def under_way(self, run: str) -> Generator[E]:
        """Yield the event that stops this run while it is in progress. Raise ``Conflict`` if it already is."""
        if run in self._by_run:
            raise Conflict(f"The run {run} is already in progress.", hint="Give each run its own name.")
        stop = self._by_run[run] = self._event()
        try:
            yield stop
        finally:
            del self._by_run[run]

    def stop(self, run: str) -> None:
        """Stop a run; do nothing if it is not in progress."""
        stop = self._by_run.get(run)
        if stop is not None:
            stop.set()
