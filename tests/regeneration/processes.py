"""Worker processes for tests that kill them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.regeneration.studio import Studio

from genlock.db.connection import rows

PATIENCE_S = 120.0
SILENT_S = 3.0
SLOW = {"frames": 200, "width": 128, "height": 128}
"""Parameters of a render that is long enough to be caught in the middle of it, also on an idle machine."""


@asynccontextmanager
async def worker(
    studio: Studio,
    tmp_path: Path,
    *more: str,
    supervised: bool = False,
    environment: Mapping[str, str] | None = None,
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a worker process on the studio's database and store; end it with the block if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "genlock.regeneration.worker",
        "--data",
        str(tmp_path / "data"),
        "--database-url",
        studio.db.conninfo,
        "--blobs",
        str(studio.store.root),
        "--silent-s",
        str(SILENT_S),
        *more,
        stdin=asyncio.subprocess.PIPE if supervised else asyncio.subprocess.DEVNULL,
        env={**os.environ, "GENLOCK_LOG_LEVEL": "warning", **(environment or {})},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 30)
            except TimeoutError:
                process.kill()
                await process.wait()


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    """Return when a condition has become true."""
    async with asyncio.timeout(PATIENCE_S):
        while not await what():  # noqa: ASYNC110 - it happens in another process, which sets no event here
            await asyncio.sleep(0.05)


async def recorded(studio: Studio, plan_id: int) -> list[tuple[int, int]]:
    """Return the number of receipts of each step of a plan, by position."""
    async with studio.db.transaction() as conn:
        counts = await rows(
            conn,
            """
            SELECT s.position, count(r.id) AS receipts
              FROM plan_steps s LEFT JOIN receipts r ON r.step_id = s.id
             WHERE s.plan_id = %(plan)s GROUP BY s.position ORDER BY s.position
            """,
            plan=plan_id,
        )
    return [(row["position"], row["receipts"]) for row in counts]


async def jobs(studio: Studio) -> int:
    """Return the number of jobs in the queue."""
    async with studio.db.transaction() as conn:
        return (await rows(conn, "SELECT count(*) AS n FROM procrastinate_jobs"))[0]["n"]
