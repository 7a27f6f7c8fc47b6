"""The programs of this installation, with the environment of a user who types their name."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from genlock.client import Genlock
from genlock.sdk import local
from genlock.settings import Settings


def path_with_genlock() -> str:
    """Return a PATH on which ``genlock`` is the one under test."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def plain_environment(data: Path) -> dict[str, str]:
    """Return an environment without anyone's settings, with the data folder ``data`` and any free port."""
    # pytest-xdist sets COLUMNS for its workers.
    inherited = {
        name: value for name, value in os.environ.items() if name != "COLUMNS" and not name.startswith("GENLOCK_")
    }
    return {**inherited, "GENLOCK_DATA": str(data), "GENLOCK_PORT": "0", "PATH": path_with_genlock()}


@contextmanager
def serving(settings: Settings) -> Generator[Genlock]:
    """Run a server with these settings, and yield a client of it."""
    with (
        subprocess.Popen(
            local.server_command(), env=settings.as_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process,
        Genlock(settings=settings) as opened,
    ):
        assert local.wait_until_ready(settings, process.poll)
        yield opened
        process.terminate()
