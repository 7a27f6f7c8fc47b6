"""SIGTERM and SIGINT end the server gracefully during its start, while it serves, and during its shutdown."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], None]
_TO_END = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def handled(handler: Handler) -> Generator[None]:
    """Handle both signals with ``handler`` during the block."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    before = {number: signal.signal(number, handler) for number in _TO_END}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def leave(number: int, frame: FrameType | None) -> None:
    """End a start gracefully: an unused embedded database stops too."""
    raise SystemExit(0)


class StopRequest:
    """Whether a signal has requested that this process end."""

    def __init__(self) -> None:
        self._working: asyncio.Task[None] | None = None
        self._requested = False

    def __bool__(self) -> bool:
        return self._requested

    def request(self, number: int, frame: FrameType | None) -> None:
        """Handle both signals: request the end, and cancel the running work."""
        self._requested = True
        if self._working is not None:
            self._working.get_loop().call_soon_threadsafe(self._working.cancel)

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` until it ends or is cancelled."""
        self._working = asyncio.create_task(work)
        if self._requested:
            self._working.cancel()
        await self._working


def run_until_stopped(runner: asyncio.Runner, work: Callable[[StopRequest], Coroutine[Any, Any, None]]) -> None:
    """Run ``work`` to its end; a signal cancels it.

    The handler must not raise: an exception inside a callback of the event loop is lost, with the task that the
    callback should wake, and the process waits indefinitely.

    A cancellation can also be lost (``asyncio.wait_for`` before Python 3.12, if the result arrives at the same moment),
    so ``work`` checks its argument before it starts something that does not end by itself.
    """
    stop = StopRequest()
    with handled(stop.request):
        try:
            runner.run(stop.run(work(stop)))
        except asyncio.CancelledError:
            if not stop:
                raise
