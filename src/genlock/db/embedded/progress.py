"""The server's progress while a process waits for it, read from its log."""

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
    """Report nothing."""


class Log:
    """The server's log from an offset on: its text for errors, and its progress as messages for users."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._offset = offset
        self._read_to = offset
        self._redo_from = 0
        self._doing = "Starting the database"
        self._reported_at = time.monotonic()
        self._began_at = self._reported_at

    @classmethod
    def since_start(cls, path: Path) -> Self:
        """Return the log since the start of the present server, which another process has started."""
        size = path.stat().st_size if path.exists() else 0
        before = max(0, size - _LOOK_BACK)
        began = cls(path, before).text().encode().rfind(_STARTING) if size else -1
        return cls(path, before + began if began >= 0 else size)

    def text(self) -> str:
        """Return the log's text since the offset."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            return log.read().decode(errors="replace")

    def report(self, on_progress: OnProgress) -> None:
        """Report new messages, and after a silence that the server still works."""
        has_messages = False
        for message in self._new_messages():
            on_progress(message)
            has_messages = True
        now = time.monotonic()
        if has_messages:
            self._reported_at = now
        elif now - self._reported_at >= SILENCE_S:
            on_progress(f"{self._doing} ({now - self._began_at:.0f} s).")
            self._reported_at = now

    def _new_messages(self) -> Iterator[str]:
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
