"""Renders with a heartbeat, and stops the render when its attempt has lost the work or the worker ends.

A heartbeat that fails is logged and tried again at the next tick: it never costs a render.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from genlock.engines.model import Engine, Rendered, RenderSpec
from genlock.errors import Conflict, GenlockError
from genlock.regeneration.making.worker_context import WorkerContext

logger = logging.getLogger(__name__)


async def render_watched(
    context: WorkerContext,
    engine: Engine,
    spec: RenderSpec,
    files: Mapping[str, Path],
    still_ours: Callable[[float], Awaitable[bool]],
) -> Rendered | None:
    """Render and return the result; ``None`` if it was stopped: the work was cancelled or lost, or this worker ends.

    ``still_ours`` receives the progress (0–1) at every tick, and returns whether this attempt may go on.
    """
    done = 0.0
    stopped = False

    def report(progress: float, message: str) -> None:
        nonlocal done
        if progress > 0 and done == 0:
            context.fault("rendering")
        logger.debug("%s: %s", spec.run, message)
        done = progress

    async def tick() -> None:
        nonlocal stopped
        while not stopped:
            # Not wait_for: on Python 3.11 it loses a cancellation that comes together with its timeout.
            with suppress(TimeoutError):
                async with asyncio.timeout(context.tick_s):
                    await context.ending.wait()
            try:
                current = await still_ours(done)
            except GenlockError as error:
                logger.warning("%s: could not record the heartbeat: %s", spec.run, error.message)
                current = True
            except Exception:  # logged whole; a missed heartbeat must not fail a render that goes well
                logger.exception("%s: could not record the heartbeat.", spec.run)
                current = True
            stopped = context.ending.is_set() or not current
        try:
            await engine.cancel(spec.run)
        except Exception:  # the render goes on; the fence refuses a result that is no longer current
            logger.exception("%s: could not stop the render.", spec.run)

    ticking = asyncio.create_task(tick())
    try:
        return await engine.render(spec, files, report)
    except Conflict as error:
        if stopped and error.code == "cancelled":
            return None
        raise
    finally:
        stopped = True  # ends the loop even if a callback swallowed its cancellation
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
