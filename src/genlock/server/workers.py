"""Keeps worker processes running: starts them with the server, restarts them when they die, ends them with it."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_HEALTHY_S = 60.0
_GRACE_S = 10.0


async def keep_running(command: Sequence[str], count: int, environment: Mapping[str, str]) -> None:
    """Run ``count`` processes of ``command`` until cancelled; then terminate them, and kill them after a grace period.

    The standard input of each is a pipe that is never written to: it closes when this process dies in any way, so that
    a worker notices that its server is gone.
    """
    async with asyncio.TaskGroup() as group:
        for number in range(1, count + 1):
            group.create_task(_keep_one(command, number, environment))


async def _keep_one(command: Sequence[str], number: int, environment: Mapping[str, str]) -> None:
    pause_s = _FIRST_PAUSE_S
    while True:
        started_s = time.monotonic()
        try:
            ending = f"ended with status {await _run_one(command, environment)}"
        except OSError as error:  # out of memory or processes, which may be temporary
            ending = f"could not be started: {error.strerror}"
        if time.monotonic() - started_s > _HEALTHY_S:
            pause_s = _FIRST_PAUSE_S
        logger.warning("Worker %d %s; another one starts in %.1f s.", number, ending, pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def _run_one(command: Sequence[str], environment: Mapping[str, str]) -> int:
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, env=dict(environment))
    try:
        return await process.wait()
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
