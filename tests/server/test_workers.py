"""Workers are started, restarted, and ended with the server."""

import asyncio
import os
import sys
from pathlib import Path

import psutil

from genlock.server.workers import keep_running


def worker(folder: Path, then: str) -> list[str]:
    """Return a process that leaves a file named after itself, and then runs some code."""
    return [
        sys.executable,
        "-c",
        f"import os, pathlib, sys, time; pathlib.Path({str(folder)!r}, str(os.getpid())).touch(); {then}",
    ]


async def pids(folder: Path, least: int) -> set[int]:
    while True:
        ids = {int(path.name) for path in folder.iterdir()}
        if len(ids) >= least:
            return ids
        await asyncio.sleep(0.02)


async def test_the_given_number_of_workers_is_started_and_ended(tmp_path: Path) -> None:
    keeping = asyncio.create_task(keep_running(worker(tmp_path, "time.sleep(600)"), 2, os.environ))
    ids = await pids(tmp_path, 2)
    keeping.cancel()
    await asyncio.wait([keeping])
    assert not any(psutil.pid_exists(pid) for pid in ids)


async def test_a_worker_that_dies_is_restarted(tmp_path: Path) -> None:
    keeping = asyncio.create_task(keep_running(worker(tmp_path, "time.sleep(600)"), 1, os.environ))
    (first,) = await pids(tmp_path, 1)
    psutil.Process(first).kill()
    both = await pids(tmp_path, 2)
    keeping.cancel()
    await asyncio.wait([keeping])
    assert first in both
    assert not any(psutil.pid_exists(pid) for pid in both)


async def test_a_worker_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    script = tmp_path / "later"
    keeping = asyncio.create_task(keep_running([str(script)], 1, os.environ))
    await asyncio.sleep(0)
    started_folder = tmp_path / "started"
    started_folder.mkdir()
    temporary = tmp_path / "temporary"
    temporary.write_text(f"#!/bin/sh\ntouch {started_folder}/$$\nexec sleep 600\n")
    temporary.chmod(0o700)
    temporary.rename(script)
    assert await pids(started_folder, 1)
    keeping.cancel()
    await asyncio.wait([keeping])


async def test_a_worker_notices_that_its_server_is_gone(tmp_path: Path) -> None:
    """Its standard input ends when the server's process does, for whatever reason."""
    waits = worker(tmp_path, "sys.stdin.read()")
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio, os, sys; from genlock.server.workers import keep_running;"
        f"asyncio.run(keep_running({waits!r}, 1, os.environ))",
    )
    (pid,) = await pids(tmp_path, 1)
    gone = psutil.Process(pid)
    server.kill()
    await server.wait()
    await asyncio.to_thread(psutil.wait_procs, [gone], 30)
    assert not gone.is_running() or gone.status() == psutil.STATUS_ZOMBIE
