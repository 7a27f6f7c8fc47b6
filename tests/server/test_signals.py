"""Told to end at any moment of its start, the server ends in good order and leaves nothing running."""

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
    """What runs and names a folder of ours in its command, or works in it."""
    found: dict[int, str] = {}
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        words = " ".join(process.info["cmdline"] or ())
        if process.info["status"] != psutil.STATUS_ZOMBIE and str(folder) in f"{words} {process.info['cwd']}":
            found[process.pid] = words
    return found


def caught(server: subprocess.Popen[str], folder: Path, word: str) -> list[int]:
    """The processes that show a server to be at some point of its start; none if it was too quick to be seen there."""
    while True:
        working = at_work(folder)
        if found := [pid for pid, words in working.items() if word in words]:
            return found
        assert server.poll() is None, server.communicate()
        if any(SERVER in words for words in working.values()):
            return []


@pytest.mark.parametrize(
    ("program", "word"),
    [("server", INITDB), ("server", ITS_PROGRAM), ("server", FIRST_DATABASE), ("server", SERVER), ("worker", SERVER)],
)
def test_a_start_that_is_broken_off_leaves_nothing_running(program: str, word: str) -> None:
    found: list[int] = []
    while not found:
        with temporary_folder() as folder, started(COMMANDS[program](folder / "data")) as server:
            found = caught(server, folder, word)
            if word in (ITS_PROGRAM, FIRST_DATABASE):  # as if it took long: it would end just then, mostly
                for pid in found:
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
def test_a_start_that_is_broken_off_later_ends_as_well(tmp_path: Path, database: str, after_s: float) -> None:
    with started(command(tmp_path / "data", database)) as server:
        assert server.stdout
        assert "tables" in server.stdout.readline()
        time.sleep(after_s)
        server.send_signal(signal.SIGINT)
        assert ended(server) == 0
        assert "Traceback" not in server.communicate()[1]
    assert not (tmp_path / "data" / "server.json").exists()


def test_a_signal_in_a_callback_of_the_event_loop_is_not_lost() -> None:
    """Raised in there, an exception would take with it what the callback was to wake."""
    told: list[str] = []

    async def work(_: StopRequest) -> None:
        loop = asyncio.get_running_loop()
        awake: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            told.append("woke")
            loop.call_soon(awake.set_result, None)

        try:
            loop.call_soon(wake)
            await awake
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            told.append("put away")

    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        run_until_stopped(runner, work)
    assert told == ["woke", "put away"]


def test_told_before_it_begins_it_does_not_begin() -> None:
    async def work(_: StopRequest) -> None:
        pytest.fail("it has begun")

    with asyncio.Runner() as runner:
        runner.get_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
        run_until_stopped(runner, work)


def test_a_cancellation_that_gets_lost_is_still_known() -> None:
    seen: list[bool] = []

    async def work(told: StopRequest) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        with contextlib.suppress(asyncio.CancelledError):  # as `asyncio.wait_for` did before Python 3.12
            await asyncio.sleep(60)
        seen.append(bool(told))

    with asyncio.Runner() as runner:
        run_until_stopped(runner, work)
    assert seen == [True]


def test_what_cancels_itself_is_not_taken_for_told() -> None:
    async def work(told: StopRequest) -> None:
        assert not told
        raise asyncio.CancelledError

    with asyncio.Runner() as runner, pytest.raises(asyncio.CancelledError):
        run_until_stopped(runner, work)


def test_the_handlers_of_before_are_there_again() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with handled(lambda number, frame: None):
        os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
