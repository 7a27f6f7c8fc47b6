"""How the server is told to end, by SIGTERM or SIGINT: while it starts, while it serves, while it puts away."""

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
    """Has both signals go to ``handler`` during the block."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    before = {number: signal.signal(number, handler) for number in _TO_END}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def leave(number: int, frame: FrameType | None) -> None:
    """End what is being started, in good order: an embedded database without users stops too."""
    raise SystemExit(0)


class Told:
    """Whether this process was told to end."""

    def __init__(self) -> None:
        self._working: asyncio.Task[None] | None = None
        self._said = False

    def __bool__(self) -> bool:
        return self._said

    def hear(self, number: int, frame: FrameType | None) -> None:
        """The handler of both signals."""
        self._said = True
        if self._working is not None:
            self._working.get_loop().call_soon_threadsafe(self._working.cancel)

    async def see_through(self, work: Coroutine[Any, Any, None]) -> None:
        """Let ``work`` run to its end, or to where it is cancelled."""
        self._working = asyncio.create_task(work)
        if self._said:
            self._working.cancel()
        await self._working


def run_until_told(runner: asyncio.Runner, work: Callable[[Told], Coroutine[Any, Any, None]]) -> None:
    """Run ``work`` to its end; a signal cancels it.

    An exception raised by the handler would appear in whatever the event loop is just doing: in one of its own
    callbacks it is lost, together with what the callback was to wake, and all wait for ever.

    A cancellation, too, can get lost (``asyncio.wait_for`` before Python 3.12, where what it waits for comes in the
    same moment), so ``work`` looks at what it is given before it begins something that has no end by itself.
    """
    told = Told()
    with handled(told.hear):
        try:
            runner.run(told.see_through(work(told)))
        except asyncio.CancelledError:
            if not told:
                raise
