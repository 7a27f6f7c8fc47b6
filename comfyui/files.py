"""Files held by a descriptor from the moment they are used, and hashed later from that descriptor.

    path ─▶ open ─▶ stamp ─▶ (the node goes on) … a thread reads and hashes … ─▶ stamp again
                                                        equal: the digest is that of the bytes used
                                                        changed: no digest, and the reason instead

Replacing the file at the *path* meanwhile has no effect: the descriptor still refers to the same bytes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from .remembering import read_remembered, write_remembered
from .stamps import FRESH_NS, SETTLED_NS, Stamp, stamp_of, unwritten

logger = logging.getLogger("genlock")

READ_BYTES = 2**20
MOST_REMEMBERED = 20_000
WRITTEN = "it was written to after it was loaded"
TOO_FRESH = "it was written at the very moment it was loaded"


class Held:
    """A file as it was when it was opened: its descriptor, its stamp, and later its digest or why it has none."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.stamp = stamp_of(descriptor)
        self.fresh = False
        self.digest: str | None = None
        self.missing: str | None = None
        self.settled = threading.Event()

    def __del__(self) -> None:
        os.close(self.descriptor)

    def reason_now(self) -> str | None:
        """Return why the bytes may differ from those that were loaded, or nothing if they do not."""
        return None if unwritten(self.stamp, stamp_of(self.descriptor), self.path) else WRITTEN

    def finish(self, digest: str | None, missing: str | None) -> None:
        """Set the digest, or why it is missing, once."""
        self.digest, self.missing = digest, missing
        self.settled.set()


class Files:
    """Holds files, hashes them on one thread of low priority, and caches digests by stamp, on disk too."""

    def __init__(self, memory: Path | None = None) -> None:
        self._held: WeakValueDictionary[str, Held] = WeakValueDictionary()
        self._memory_file = memory
        self._memory: dict[str, str] = {
            stamp: str(digest) for stamp, digest in (read_remembered(memory) if memory else {}).items()
        }
        self._path_stamps: dict[str, tuple[str, str]] = {}  # digest → path and its stamp
        self._histories: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Held | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="genlock-hashing", daemon=True)
        self._thread.start()

    def hold(self, path: str, *, before_use: bool = True) -> Held:
        """Open and return the file at ``path``; raise ``OSError`` if it cannot be opened.

        ``before_use``: a node reads it next, so a file that was just written is opened some milliseconds later.
        """
        held = _open(path, tries=3 if before_use else 0)
        with self._lock:
            self._histories.setdefault(path, set()).add(held.stamp.key)
            existing = self._held.get(held.stamp.key)
            if existing is not None:
                return existing
            self._held[held.stamp.key] = held
        self._waiting.put(held)
        return held

    def always_the_same(self, path: str) -> bool:
        """Return whether ``path`` had the same content each time it was held in this process."""
        with self._lock:
            return len(self._histories.get(path, ())) == 1

    def find(self, digest: str) -> str | None:
        """Return the path of a file with this digest that was hashed here and has not changed since."""
        with self._lock:
            path_stamp = self._path_stamps.get(digest)
        if path_stamp is None:
            return None
        path, key = path_stamp
        try:
            return path if stamp_of(path).key == key else None
        except OSError:
            return None

    def digests(self) -> dict[str, str]:
        """Return the paths of the files that were hashed here and have not changed since, by digest."""
        with self._lock:
            digests = list(self._path_stamps)
        return {digest: path for digest in digests if (path := self.find(digest)) is not None}

    def close(self) -> None:
        """Stop the thread after the files that are already waiting."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        _lower_priority()
        while True:
            held = self._waiting.get()
            if held is None:
                return
            try:
                self._hash(held)
            except OSError as error:
                held.finish(None, f"it could not be read: {error.strerror}")
            except Exception:  # the thread must survive for later runs: the record carries the reason
                logger.exception("[genlock] %s could not be hashed", held.path)
                held.finish(None, "hashing it failed")
            del held  # else the descriptor stays open while waiting for the next

    def _hash(self, held: Held) -> None:
        if held.fresh:
            held.finish(None, TOO_FRESH)
            return
        with self._lock:
            digest = self._memory.get(held.stamp.key)
        if digest is None:
            digest = hash_descriptor(held, lambda: held.reason_now() is None)
        if digest is None or held.reason_now() is not None:
            held.finish(None, WRITTEN)
            return
        with self._lock:
            self._path_stamps[digest] = (held.path, held.stamp.key)
        held.finish(digest, None)
        if held.stamp.age_ns() > SETTLED_NS:
            self._remember(held.stamp, digest)

    def _remember(self, stamp: Stamp, digest: str) -> None:
        with self._lock:
            if stamp.key in self._memory:
                return
            self._memory[stamp.key] = digest
            while len(self._memory) > MOST_REMEMBERED:
                del self._memory[next(iter(self._memory))]
            content = dict(self._memory)
        if self._memory_file is not None:
            write_remembered(self._memory_file, content)


def _open(path: str, tries: int) -> Held:
    """Open the file at ``path`` once one more write would change its times, which takes milliseconds at most."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    held = Held(path, os.open(path, flags))
    for _ in range(tries):
        age_ns = held.stamp.age_ns()
        if not 0 <= age_ns < FRESH_NS:
            return held
        time.sleep((FRESH_NS - age_ns) / 1e9)
        if stamp_of(path) == held.stamp:
            return held
        held = Held(path, os.open(path, flags))
    held.fresh = tries > 0
    return held


def hash_descriptor(held: Held, still_good: Callable[[], bool]) -> str | None:
    """Return the digest of a descriptor's bytes from the beginning; None as soon as ``still_good`` returns false."""
    hasher, position = hashlib.sha256(), 0
    while True:
        chunk = _read_at(held.descriptor, position)
        # Checked after each chunk, so that two changes that cancel out are noticed unless they fall within one chunk.
        if not still_good():
            return None
        if not chunk:
            return f"sha256:{hasher.hexdigest()}"
        hasher.update(chunk)
        position += len(chunk)


def _read_at(descriptor: int, position: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, READ_BYTES, position)
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.read(descriptor, READ_BYTES)


def _lower_priority() -> None:
    """Give this thread a low priority, where threads have their own priority: rendering comes first."""
    if hasattr(os, "setpriority") and hasattr(threading, "get_native_id"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        except OSError as error:
            logger.debug("[genlock] hashing runs at normal priority: %s", error)
