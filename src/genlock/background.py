"""Background work: loops that survive errors, and a block that ends with the work it depends on."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from genlock.errors import GenlockError

logger = logging.getLogger(__name__)


async def repeat(
    name: str, action: Callable[[], Awaitable[Any]], *, every_s: float, longest_pause_s: float = 30.0
) -> None:
    """Run ``action`` every ``every_s`` seconds until cancelled.

    An error is logged under ``name`` and the action runs again after a pause that doubles up to ``longest_pause_s``:
    a warning for one of Genlock's errors, the traceback for any other.
    """
    pause_s = every_s
    while True:
        try:
            await action()
        except Exception as error:
            if isinstance(error, GenlockError):
                logger.warning("Background work failed: %s. Next try in %.1f s. %s", name, pause_s, error.message)
            else:
                logger.exception("Background work failed unexpectedly: %s. Next try in %.1f s.", name, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = max(every_s, min(2 * pause_s, longest_pause_s))
        else:
            pause_s = every_s
            await asyncio.sleep(every_s)


@asynccontextmanager
async def alongside(*work: Coroutine[Any, Any, Any]) -> AsyncGenerator[None]:
    """Run ``work`` for the duration of the block, then cancel it.

    If one of them raises, the block is cancelled and that error is raised in its place.
    """
    block = asyncio.current_task()
    assert block is not None  # noqa: S101 - an async context manager runs in a task
    failures: list[BaseException] = []
    leaving = False

    def end_block(task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        logger.critical("Background work ended by an error: %s", task.get_coro(), exc_info=error)
        if not failures and not leaving:
            block.cancel()
        failures.append(error)

    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    for task in tasks:
        task.add_done_callback(end_block)
    try:
        yield
    except asyncio.CancelledError:
        if failures and block.uncancel() == 0:
            raise failures[0] from None
        raise
    finally:
        leaving = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if failures:
        raise failures[0]
