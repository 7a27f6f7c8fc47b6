"""A server that is terminated at any moment of its start ends cleanly and leaves nothing running."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.fixtures_postgres import temporary_folder
from tests.server.test_process import command, ended, started

from genlock.server.run import _fastest_loop  # pyright: ignore[reportPrivateUsage] - the loop that the server runs on
from genlock.server.signals import StopRequest, handled, run_until_stopped

COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "server": lambda data: command(data, None),
    "worker": lambda data: [sys.executable, "-m", "genlock.regeneration.worker", "--data", str(data)],
}
INITDB, ITS_PROGRAM, FIRST_DATABASE, SERVER = "--pgdata", "--boot", "--single", "/cluster -c"


def at_work(folder: Path) -> dict[int, str]:
    """Return the processes that name the folder in their command or work in it."""
    commands: dict[int, str] = {}
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        words = " ".join(process.info["cmdline"] or ())
        if process.info["status"] != psutil.STATUS_ZOMBIE and str(folder) in f"{words} {process.info['cwd']}":
            commands[process.pid] = words
    return commands


def caught(server: subprocess.Popen[str], folder: Path, word: str) -> list[int]:
    """Return the processes that show a certain point of the start; none if the server passed it too quickly."""
    while True:
        working = at_work(folder)
        if pids := [pid for pid, words in working.items() if word in words]:
            return pids
        assert server.poll() is None, server.communicate()
        if any(SERVER in words for words in working.values()):
            return []


@pytest.mark.parametrize(
    ("program", "word"),
    [("server", INITDB), ("server", ITS_PROGRAM), ("server", FIRST_DATABASE), ("server", SERVER), ("worker", SERVER)],
)
def test_an_interrupted_start_leaves_nothing_running(program: str, word: str) -> None:
    pids: list[int] = []
    while not pids:
        with temporary_folder() as folder, started(COMMANDS[program](folder / "data")) as server:
            pids = caught(server, folder, word)
            if word in (ITS_PROGRAM, FIRST_DATABASE):  # pause it: it would usually end just then
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGSTOP)
            server.send_signal(signal.SIGTERM)
            try:
                code = ended(server)
                assert code == 0, server.communicate()
                assert at_work(folder) == {}
            finally:
                for pid in at_work(folder):
                    os.kill(pid, signal.SIGKILL)
            assert "Traceback" not in server.communicate()[1]
            assert not (folder / "data" / "postgres" / "cluster" / "postmaster.pid").exists()


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.5])
def test_a_start_that_is_interrupted_later_ends(tmp_path: Path, database: str, after_s: float) -> None:
    with started(command(tmp_path / "data", database)) as server:
        assert server.stdout
        assert "tables" in server.stdout.readline()
        time.sleep(after_s)
        server.send_signal(signal.SIGINT)
        assert ended(server) == 0
        assert "Traceback" not in server.communicate()[1]
    assert not (tmp_path / "data" / "server.json").exists()


def test_a_signal_in_a_callback_of_the_event_loop_is_not_lost() -> None:
    """An exception raised in the callback would lose the wake-up that follows in it."""
    log: list[str] = []

    async def work(_: StopRequest) -> None:
        loop = asyncio.get_running_loop()
        awake: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            log.append("woke")
            loop.call_soon(awake.set_result, None)

        try:
            loop.call_soon(wake)
            await awake
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            log.append("put away")

    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        run_until_stopped(runner, work)
    assert log == ["woke", "put away"]


def test_work_does_not_begin_after_a_signal() -> None:
    async def work(_: StopRequest) -> None:
        pytest.fail("it has begun")

    with asyncio.Runner() as runner:
        runner.get_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
        run_until_stopped(runner, work)


def test_a_swallowed_cancellation_is_still_reported() -> None:
    reported: list[bool] = []

    async def work(stop: StopRequest) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        with contextlib.suppress(asyncio.CancelledError):  # as `asyncio.wait_for` did before Python 3.12
            await asyncio.sleep(60)
        reported.append(bool(stop))

    with asyncio.Runner() as runner:
        run_until_stopped(runner, work)
    assert reported == [True]


def test_work_that_cancels_itself_is_not_a_stop_request() -> None:
    async def work(stop: StopRequest) -> None:
        assert not stop
        raise asyncio.CancelledError

    with asyncio.Runner() as runner, pytest.raises(asyncio.CancelledError):
        run_until_stopped(runner, work)


def test_the_previous_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with handled(lambda number, frame: None):
        os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
