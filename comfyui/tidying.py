"""Keeps staged files below a size limit: removes the least recently used, and never a file that is in use.

A file is in use if a prompt in ComfyUI's queue names it, or if it was requested within the last hour: the worker may
not have submitted its prompt yet. A file that ComfyUI has loaded may be removed: its name is given by its content, so
ComfyUI's caches stay correct.
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


class StagedFile(NamedTuple):
    """A staged file: its path, its name in graphs, its size, and when it was last requested (seconds since 1970)."""

    path: Path
    name: str
    size_bytes: int
    used_at: float


class Tidying:
    """Records when each file was requested, on disk too. ``queued`` returns the file names in ComfyUI's queue."""

    def __init__(self, memory: Path, queued: Callable[[], Collection[str]]) -> None:
        self._memory, self._queued = memory, queued
        self._used_at: dict[str, float] = {
            path: at for path, at in read_remembered(memory).items() if isinstance(at, float)
        }
        self._lock = threading.Lock()

    def make_room(self, folders: Mapping[str, Sequence[str]], category: str, name: str, limit_bytes: int) -> None:
        """Record the request of a staged file, and remove others if all together exceed the limit."""
        with self._lock:
            requested = str(Path(folders[category][0]) / name)
            self._used_at[requested] = time.time()
            staged = list(staged_files(folders, self._used_at))
            names = set(self._queued())
            for old in files_to_remove(staged, limit_bytes, names, time.time()):
                logger.info("[genlock] removing %s: more than %s bytes are staged.", old.name, limit_bytes)
                old.path.unlink()
                self._used_at.pop(str(old.path), None)
                if not any(old.path.parent.iterdir()):
                    old.path.parent.rmdir()
            paths = {str(file.path) for file in staged}
            self._used_at = {path: at for path, at in self._used_at.items() if path in paths}
            write_remembered(self._memory, self._used_at)


def staged_files(folders: Mapping[str, Sequence[str]], used_at: Mapping[str, float]) -> Iterator[StagedFile]:
    """Yield the staged files of all categories; a file without a recorded request counts as used when written."""
    for places in folders.values():
        home = Path(places[0]) / FOLDER if places else None
        if home is None or not home.is_dir():
            continue
        for path in home.glob("*/*"):
            if _OURS.fullmatch(path.parent.name) and not path.name.startswith(".") and path.is_file():
                status = path.stat()
                name = path.relative_to(home.parent).as_posix()
                yield StagedFile(path, name, status.st_size, used_at.get(str(path), status.st_mtime))


def files_to_remove(
    staged: Collection[StagedFile], limit_bytes: int, queued: Collection[str], now: float
) -> list[StagedFile]:
    """Return the files to remove to stay below the limit: least recently used first, none in use. Pure."""
    total, removed = sum(file.size_bytes for file in staged), list[StagedFile]()
    for file in sorted(staged, key=lambda file: file.used_at):
        if total <= limit_bytes:
            break
        if file.name not in queued and now - file.used_at >= JUST_USED_S:
            removed.append(file)
            total -= file.size_bytes
    return removed


def names_in(queue: Collection[Any]) -> set[str]:
    """Return the strings in the inputs of the queued prompts, which include file names."""
    graphs = [cast("dict[str, Any]", prompt[2]) for prompt in queue]
    values = [value for graph in graphs for node in graph.values() for value in node.get("inputs", {}).values()]
    return {value.replace("\\", "/") for value in values if isinstance(value, str)}
