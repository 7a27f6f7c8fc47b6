"""Scratch folders of workers that share a temporary folder: real processes, one in a separate PID namespace."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from genlock.regeneration.making.scratch import scratch_folder

_HOLD = """
import sys
from pathlib import Path
from genlock.regeneration.making.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "frame.png").write_bytes(b"half a frame")
    print(folder, flush=True)
    sys.stdin.read()
"""


def has_pid_namespaces() -> bool:
    """Return whether this process may create a PID namespace."""
    command = shutil.which("unshare")
    return command is not None and subprocess.run([command, "--pid", "--fork", "true"], check=False).returncode == 0


Hold = Callable[..., tuple[subprocess.Popen[str], Path]]


@pytest.fixture
def hold(tmp_path: Path) -> Generator[Hold]:
    """Return a function that starts a process which holds a scratch folder."""
    started: list[subprocess.Popen[str]] = []

    def start(*wrapper: str) -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [*wrapper, sys.executable, "-c", _HOLD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_the_folder_of_a_killed_worker_is_removed_by_the_next(tmp_path: Path, hold: Hold) -> None:
    process, folder = hold()
    assert (folder / "frame.png").exists()
    kill(process)
    assert folder.exists()
    with scratch_folder(tmp_path) as own:
        assert not folder.exists()
        assert own.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_running_worker_is_unchanged(tmp_path: Path, hold: Hold) -> None:
    _, folder = hold()
    with scratch_folder(tmp_path):
        assert (folder / "frame.png").exists()


def _may_unshare() -> bool:
    """Return whether this user may start a process in a new PID namespace, as containers do."""
    command = shutil.which("unshare")
    return command is not None and subprocess.run([command, "--pid", "--fork", "true"], check=False).returncode == 0


@pytest.mark.skipif(not _may_unshare(), reason="only Linux has PID namespaces, as containers do, and not for all users")
def test_workers_of_two_containers_keep_their_folders(tmp_path: Path, hold: Hold) -> None:
    """In its own namespace a worker is process 1 or 2, and the processes of the other are invisible."""
    _, outer = hold()
    container, inner = hold("unshare", "--pid", "--fork", "--kill-child")
    assert outer.exists(), "the other container did not take the worker outside for dead"
    with scratch_folder(tmp_path):
        assert outer.exists() and inner.exists()
    kill(container)
    assert outer.exists()


def test_a_reused_process_id_does_not_keep_a_folder(tmp_path: Path, hold: Hold) -> None:
    """Process ids are reused: this process's is as good as any."""
    process, folder = hold()
    kill(process)
    reused = folder.with_name(f"{folder.name}-{os.getpid()}")
    folder.rename(reused)
    with scratch_folder(tmp_path):
        assert not reused.exists()


def test_files_of_other_programs_are_unchanged(tmp_path: Path) -> None:
    (tmp_path / "genlock-something").mkdir()
    (tmp_path / "genlock-scratch-file").touch()
    (tmp_path / "genlock-scratch-link").symlink_to(tmp_path / "genlock-something")
    with scratch_folder(tmp_path):
        pass
    assert len(list(tmp_path.iterdir())) == 3
