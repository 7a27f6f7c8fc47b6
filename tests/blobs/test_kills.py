"""Real kills: a writing process is ended with SIGKILL, and the store is checked afterwards."""

import random
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from genlock.blobs.disk import DiskStore

UPLOAD = """
import sys
from pathlib import Path
from genlock.blobs.disk import DiskStore

with DiskStore(Path(sys.argv[1])).begin() as draft:
    draft.write(bytes(5_000_000))
    print("written", flush=True)
    sys.stdin.readline()
    print(draft.commit().digest, flush=True)
"""

STORE_WITHOUT_END = """
import os, sys
from pathlib import Path
from genlock.blobs.disk import DiskStore

store = DiskStore(Path(sys.argv[1]))
while True:
    with store.begin() as draft:
        for _ in range(3):
            draft.write(os.urandom(70_000))
        print(draft.commit().digest, flush=True)
"""


@contextmanager
def running(script: str, root: Path) -> Generator[tuple[subprocess.Popen[str], IO[str], IO[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-c", script, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            yield process, process.stdin, process.stdout
        finally:
            process.kill()


def incoming(root: Path) -> list[Path]:
    return list((root / "incoming").iterdir())


def test_a_killed_upload_is_swept_when_the_store_is_opened_next(tmp_path: Path) -> None:
    with running(UPLOAD, tmp_path) as (process, _, out):
        assert out.readline() == "written\n"
        assert len(incoming(tmp_path)) == 1
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(incoming(tmp_path)) == 1, "nobody was left to remove it"
    store = DiskStore(tmp_path)
    assert incoming(tmp_path) == []
    assert list(store.digests()) == []


def test_an_upload_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    with running(UPLOAD, tmp_path) as (_, asks, out):
        assert out.readline() == "written\n"
        store = DiskStore(tmp_path)
        assert store.sweep() == 0
        assert len(incoming(tmp_path)) == 1
        asks.write("go on\n")
        asks.flush()
        digest = out.readline().strip()
    assert store.verify(digest) == 5_000_000
    assert incoming(tmp_path) == []


@pytest.mark.parametrize("seed", range(6))
def test_what_was_committed_before_a_kill_is_there_and_whole(tmp_path: Path, seed: int) -> None:
    """Killed at whatever it was doing when a random number of commits had been announced."""
    announced: list[str] = []
    with running(STORE_WITHOUT_END, tmp_path) as (process, _, out):
        for _ in range(random.Random(seed).randrange(1, 40)):
            announced.append(out.readline().strip())
        process.send_signal(signal.SIGKILL)
        announced.extend(line.strip() for line in out if line.endswith("\n"))
        process.wait()
    store = DiskStore(tmp_path)
    digests = list(store.digests())
    assert set(announced) <= set(digests)
    assert len(digests) <= len(announced) + 1
    for digest in digests:
        assert store.verify(digest) == 210_000
    assert incoming(tmp_path) == []
