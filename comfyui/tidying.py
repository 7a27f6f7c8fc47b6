"""Keeps what the extension staged below a limit: what was unused longest goes, and never what is in use.

In use is what a prompt in ComfyUI's queue names, and what was asked for within the last hour: whoever asked for it may
not have submitted yet. A file that ComfyUI has loaded may go: its name means its content, so what is remembered of it
stays right.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from .remembering import read_remembered, write_remembered
from .staging import FOLDER, PREFIX_DIGITS

logger = logging.getLogger("genlock")

JUST_USED_S = 3600.0
_OURS = re.compile(f"[0-9a-f]{{{PREFIX_DIGITS}}}")


class Kept(NamedTuple):
    """A staged file: its path, its name in graphs, its size, and when it was last asked for (seconds since 1970)."""

    path: Path
    name: str
    size_bytes: int
    used_at: float


class Tidying:
    """Remembers when what was asked for, on disk too. ``queued`` gives the file names in ComfyUI's queue."""

    def __init__(self, memory: Path, queued: Callable[[], Collection[str]]) -> None:
        self._memory, self._queued = memory, queued
        self._used_at: dict[str, float] = {
            path: at for path, at in read_remembered(memory).items() if isinstance(at, float)
        }
        self._lock = threading.Lock()

    def after(self, folders: Mapping[str, Sequence[str]], category: str, name: str, limit_bytes: int) -> None:
        """A file was asked for: make room for it among the others, if there is too much."""
        with self._lock:
            asked = str(Path(folders[category][0]) / name)
            self._used_at[asked] = time.time()
            there = list(staged_files(folders, self._used_at))
            names = set(self._queued())
            for old in too_many(there, limit_bytes, names, time.time()):
                logger.info("[genlock] %s goes: more than %s bytes are staged.", old.name, limit_bytes)
                old.path.unlink()
                self._used_at.pop(str(old.path), None)
                if not any(old.path.parent.iterdir()):
                    old.path.parent.rmdir()
            paths = {str(one.path) for one in there}
            self._used_at = {path: at for path, at in self._used_at.items() if path in paths}
            write_remembered(self._memory, self._used_at)


def staged_files(folders: Mapping[str, Sequence[str]], used_at: Mapping[str, float]) -> Iterator[Kept]:
    """What the extension staged, in all categories; what is not known to have been used was when it was written."""
    for places in folders.values():
        home = Path(places[0]) / FOLDER if places else None
        if home is None or not home.is_dir():
            continue
        for path in home.glob("*/*"):
            if _OURS.fullmatch(path.parent.name) and not path.name.startswith(".") and path.is_file():
                found = path.stat()
                name = path.relative_to(home.parent).as_posix()
                yield Kept(path, name, found.st_size, used_at.get(str(path), found.st_mtime))


def too_many(there: Collection[Kept], limit_bytes: int, queued: Collection[str], now: float) -> list[Kept]:
    """What has to go so that the rest stays below the limit: unused longest first, nothing that is in use. Pure."""
    total, going = sum(one.size_bytes for one in there), list[Kept]()
    for one in sorted(there, key=lambda one: one.used_at):
        if total <= limit_bytes:
            break
        if one.name not in queued and now - one.used_at >= JUST_USED_S:
            going.append(one)
            total -= one.size_bytes
    return going


def names_in(queue: Collection[Any]) -> set[str]:
    """The texts in the inputs of the prompts of ComfyUI's queue, file names among them."""
    graphs = [cast("dict[str, Any]", prompt[2]) for prompt in queue]
    inputs = [node.get("inputs", {}) for graph in graphs for node in graph.values()]
    return {value.replace("\\", "/") for one in inputs for value in one.values() if isinstance(value, str)}
