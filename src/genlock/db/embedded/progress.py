"""What the server does while somebody waits for it, told from its log."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

OnProgress = Callable[[str], None]

_REDO_STARTS = re.compile(r"redo starts at ([0-9A-F]+)/([0-9A-F]+)")
_REDO_GOES_ON = re.compile(r"redo in progress, elapsed time: ([\d.]+) s, current LSN: ([0-9A-F]+)/([0-9A-F]+)")
_REDO_ENDS = re.compile(r"redo done at")
_SYNCING = re.compile(r"syncing data directory \((\w+)\), elapsed time: ([\d.]+) s")
_STARTING = b"LOG:  starting PostgreSQL"
_LOOK_BACK = 65_536
_INTERRUPTED = re.compile(r"was interrupted|not properly shut down")

SILENCE_S = 5.0


def quiet(text: str) -> None:
    """Tells nobody."""


class Log:
    """The server's log from one place on: all of it for errors, and its news in the user's words."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._offset = offset
        self._read_to = offset
        self._redo_from = 0
        self._doing = "Starting the database"
        self._said_at = time.monotonic()
        self._began_at = self._said_at

    @classmethod
    def since_start(cls, path: Path) -> Self:
        """The log from where the present server began, which somebody else has started."""
        size = path.stat().st_size if path.exists() else 0
        before = max(0, size - _LOOK_BACK)
        began = cls(path, before).text().encode().rfind(_STARTING) if size else -1
        return cls(path, before + began if began >= 0 else size)

    def text(self) -> str:
        """All that the server said since."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            return log.read().decode(errors="replace")

    def tell(self, on_progress: OnProgress) -> None:
        """Tells what is new, and after a silence that it still goes on."""
        said = False
        for news in self._news():
            on_progress(news)
            said = True
        now = time.monotonic()
        if said:
            self._said_at = now
        elif now - self._said_at >= SILENCE_S:
            on_progress(f"{self._doing} ({now - self._began_at:.0f} s).")
            self._said_at = now

    def _news(self) -> Iterator[str]:
        with self._path.open("rb") as log:
            log.seek(self._read_to)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._read_to += len(whole) + len(newline)
        for line in whole.decode(errors="replace").splitlines():
            if _INTERRUPTED.search(line):
                self._doing = "The database was not stopped properly. Recovering it; nothing committed is lost"
                yield f"{self._doing}."
            elif match := _SYNCING.search(line):
                yield f"Recovering the database: making its files safe on disk ({float(match[2]):.0f} s)."
            elif match := _REDO_STARTS.search(line):
                self._redo_from = _position(match[1], match[2])
            elif match := _REDO_GOES_ON.search(line):
                done = _position(match[2], match[3]) - self._redo_from
                took_s = float(match[1])
                yield f"Recovering the database: {done / 1e6:,.0f} MB of its journal replayed ({took_s:.0f} s)."
            elif _REDO_ENDS.search(line):
                self._doing = "Recovering the database: journal replayed, writing the result to disk"
                yield f"{self._doing}."


def _position(high: str, low: str) -> int:
    return (int(high, 16) << 32) + int(low, 16)
