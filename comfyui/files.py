"""Files held by a descriptor from the moment they are used, and hashed later from that descriptor.

    path ─▶ open ─▶ stamp ─▶ (the node goes on) … a thread reads and hashes … ─▶ stamp again
                                                        equal: the digest is that of what was used
                                                        moved: there is no digest, and a reason instead

Whatever happens to the *path* meanwhile does not matter: the descriptor still leads to the same bytes.
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
    """One file as it was when it was held: an open descriptor, its stamp, and later its digest or why there is none."""

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
        """Why the digest no longer says what was loaded, if it does not."""
        return None if unwritten(self.stamp, stamp_of(self.descriptor), self.path) else WRITTEN

    def settle(self, digest: str | None, missing: str | None) -> None:
        """Say what became of it, once."""
        self.digest, self.missing = digest, missing
        self.settled.set()


class Files:
    """Holds files, hashes them on one thread of low priority, and remembers digests by stamp, on disk too."""

    def __init__(self, memory: Path | None = None) -> None:
        self._held: WeakValueDictionary[str, Held] = WeakValueDictionary()
        self._memory_file = memory
        self._memory: dict[str, str] = {
            stamp: str(digest) for stamp, digest in (read_remembered(memory) if memory else {}).items()
        }
        self._known: dict[str, tuple[str, str]] = {}  # digest → path and the stamp it had
        self._histories: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Held | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="genlock-hashing", daemon=True)
        self._thread.start()

    def hold(self, path: str, *, before_use: bool = True) -> Held:
        """The file that ``path`` leads to now, held; ``OSError`` if it cannot be opened.

        ``before_use``: somebody reads it next, so a file that was just written is held some milliseconds later.
        """
        held = _open(path, tries=3 if before_use else 0)
        with self._lock:
            self._histories.setdefault(path, set()).add(held.stamp.key)
            known = self._held.get(held.stamp.key)
            if known is not None:
                return known
            self._held[held.stamp.key] = held
        self._waiting.put(held)
        return held

    def always_the_same(self, path: str) -> bool:
        """Whether ``path`` led to one and the same content each time it was held in this process."""
        with self._lock:
            return len(self._histories.get(path, ())) == 1

    def find(self, digest: str) -> str | None:
        """The path of a file with this digest that was met here and has not changed since."""
        with self._lock:
            found = self._known.get(digest)
        if found is None:
            return None
        path, key = found
        try:
            return path if stamp_of(path).key == key else None
        except OSError:
            return None

    def digests(self) -> dict[str, str]:
        """The digests of the files that were met here and have not changed since, with their paths."""
        with self._lock:
            known = list(self._known)
        return {digest: path for digest in known if (path := self.find(digest)) is not None}

    def close(self) -> None:
        """End the thread after what waits already."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        _be_humble()
        while True:
            held = self._waiting.get()
            if held is None:
                return
            try:
                self._settle(held)
            except OSError as error:
                held.settle(None, f"it could not be read: {error.strerror}")
            except Exception:  # the thread hashes for every later run: a fault ends one digest, is logged, and is told
                logger.exception("[genlock] %s could not be hashed", held.path)
                held.settle(None, "hashing it failed")
            del held  # or the descriptor stays open while waiting for the next

    def _settle(self, held: Held) -> None:
        if held.fresh:
            held.settle(None, TOO_FRESH)
            return
        with self._lock:
            digest = self._memory.get(held.stamp.key)
        if digest is None:
            digest = hash_descriptor(held, lambda: held.reason_now() is None)
        if digest is None or held.reason_now() is not None:
            held.settle(None, WRITTEN)
            return
        with self._lock:
            self._known[digest] = (held.path, held.stamp.key)
        held.settle(digest, None)
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
    """The file at ``path``, held once its times would tell of one more write; that takes some milliseconds at most."""
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
    """The digest of what a descriptor leads to, read from its beginning; None as soon as it is not good any more."""
    found, position = hashlib.sha256(), 0
    while True:
        chunk = _read_at(held.descriptor, position)
        # After each chunk: two changes that undo each other's traces would have to meet within one.
        if not still_good():
            return None
        if not chunk:
            return f"sha256:{found.hexdigest()}"
        found.update(chunk)
        position += len(chunk)


def _read_at(descriptor: int, position: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, READ_BYTES, position)
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.read(descriptor, READ_BYTES)


def _be_humble() -> None:
    """Give this thread a low priority, where threads have one of their own: rendering comes first."""
    if hasattr(os, "setpriority") and hasattr(threading, "get_native_id"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        except OSError as error:
            logger.debug("[genlock] hashing runs at normal priority: %s", error)
