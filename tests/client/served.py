"""A real server process with its own database and data folder, for the tests of the SDK and the CLI."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlock.client import Genlock
from genlock.sdk import local
from genlock.sdk.connection import settings_of
from genlock.settings import Settings


@dataclass(frozen=True)
class Served:
    """A running server and how to reach it."""

    settings: Settings
    url: str
    token: str
    process: "subprocess.Popen[bytes]"

    def client(self) -> Genlock:
        """Return the SDK as an administrator."""
        return Genlock(self.url, self.token)

    def environment(self) -> dict[str, str]:
        """Return the variables with which a command finds the server, without those of the test run."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GENLOCK_")}
        return {**inherited, "GENLOCK_DATA": str(self.settings.data), "GENLOCK_PORT": "0"}


@contextmanager
def served(data: Path, database: str, *, workers: int = 0, **more: Any) -> Generator[Served]:
    """Run a server over an empty database until the block ends; ``more`` are further settings."""
    settings = settings_of(None, None, data, database_url=database, port=0, workers=workers, **more)
    data.mkdir(parents=True)
    with (data / "test.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "genlock.server"], stdout=log, stderr=log, env=settings.as_environment()
        )
    try:
        running = local.wait_until_ready(settings, process.poll)
        assert running, (data / "test.log").read_text()
        token = local.read_token(settings)
        assert token
        yield Served(settings, running.url, token, process)
    finally:
        process.terminate()
        process.wait()
