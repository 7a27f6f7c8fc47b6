"""Measures the start of commands, compared with the import of their HTTP client."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.clock import Row, repeat
from benchmarks.environment import serving

LIMIT_MS = 350
_RUNS = 9


def import_floor() -> Row:
    """Return the time of ``python -c "import httpx"``."""
    return _measure(Row('python -c "import httpx"', floor=""), "-c", "import httpx")


def starts(home: Path) -> Iterator[Row]:
    """Return the times of ``genlock --help``, and of ``genlock status`` with a running server that has no projects."""
    with serving(home, None) as server:
        for word in ("--help", "status"):
            row = Row(f"genlock {word}", LIMIT_MS, floor="import httpx")
            yield _measure(row, "-m", "genlock.cli", word, GENLOCK_DATA=str(server.data))


def _measure(row: Row, *arguments: str, **environment: str) -> Row:
    def run(_: int) -> None:
        ended = subprocess.run(
            [sys.executable, *arguments], env={**os.environ, **environment}, stdout=subprocess.DEVNULL, check=False
        )
        if ended.returncode not in {0, 3}:  # 3: something is stale
            raise RuntimeError(f"{row.name} failed with exit code {ended.returncode}")

    return repeat(row, run, count=_RUNS, seconds=10)
