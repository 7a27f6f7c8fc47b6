"""A store in a folder of the local disk.

    ROOT/incoming/                 drafts, each locked by the process that writes it
    ROOT/ab/cdef…                  the blob sha256:abcdef…, read-only; 256 folders, made when the store is opened

A blob appears by one hard link after its bytes are on the disk, so it is there whole or not at all. Names come from
checked digests and random numbers only: nothing a user sends is ever part of a path.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from genlock.blobs.model import Held, Stored
from genlock.blobs.store import CHUNK_BYTES, Chunk, Draft, Hasher, Store, gone
from genlock.blobs.troubles import naming_trouble
from genlock.digest import PREFIX, Digest, from_raw, to_raw
from genlock.errors import Invalid

GRACE_S = 24 * 3600
"""How old a draft must be to be swept where the file system cannot tell whether its writer still lives."""

_WRITING = "storing an upload"
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_HEX = frozenset("0123456789abcdef")


class DiskStore(Store):
    """Blobs below ``root``. Opening it makes the folders and sweeps drafts whose process has died."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        with naming_trouble("opening the store"):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._incoming.mkdir(mode=0o700, exist_ok=True)
            for number in range(256):
                (root / f"{number:02x}").mkdir(mode=0o700, exist_ok=True)
            _sync_folder(root)
            self.sweep()

    @property
    def root(self) -> Path:
        """Return the folder of the store."""
        return self._root

    def begin(self, hasher: Hasher | None = None) -> "DiskDraft":
        """A draft in ``incoming``; ``Unavailable`` if the disk refuses it."""
        return DiskDraft(self, self._incoming, hasher or hashlib.sha256())

    def open(self, digest: Digest) -> BinaryIO:
        """The blob's file, unverified; ``NotFound`` (``bytes_gone``) if it is not here."""
        with naming_trouble(f"reading {digest}"):
            try:
                return self.path_of(digest).open("rb")
            except FileNotFoundError:
                raise gone(digest) from None

    def held(self, digest: Digest) -> Held | None:
        """Size and time of the last upload, from the file itself."""
        with naming_trouble(f"reading {digest}"):
            try:
                status = self.path_of(digest).stat()
            except FileNotFoundError:
                return None
        written_at = datetime.fromtimestamp(status.st_mtime, UTC)
        return Held(digest=digest, size_bytes=status.st_size, written_at=written_at)

    def digests(self) -> Iterator[Digest]:
        """Every blob, in ascending order, one folder in memory at a time."""
        for number in range(256):
            first = f"{number:02x}"
            with naming_trouble("listing the store"), os.scandir(self._root / first) as entries:
                names = sorted(entry.name for entry in entries)
            yield from (f"{PREFIX}{first}{name}" for name in names if len(name) == 62 and _HEX.issuperset(name))

    def remove(self, digest: Digest) -> bool:
        """Unlink the blob; readers that have it open can go on."""
        path = self.path_of(digest)
        with naming_trouble(f"removing {digest}"):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            _sync_folder(path.parent)
        return True

    def path_of(self, digest: Digest) -> Path:
        """Where the blob lies; ``Invalid`` if ``digest`` is not one. For reading only."""
        try:
            name = to_raw(digest).hex()
        except ValueError as error:
            raise Invalid(f"{digest!r} is not a digest.", hint=f"{str(error).capitalize()}.") from error
        return self._root / name[:2] / name[2:]

    def sweep(self) -> int:
        """Remove the drafts of processes that have died, and give their number."""
        removed = 0
        with naming_trouble("sweeping abandoned uploads"):
            for path in sorted(self._incoming.iterdir()):
                removed += _remove_if_abandoned(path)
        return removed

    def publish(self, draft: Path, digest: Digest) -> bool:
        """Give the synced file ``draft`` its place; whether it was not there before. Called by a draft's commit."""
        path = self.path_of(digest)
        try:
            os.link(draft, path)
            is_new = True
        except FileExistsError:
            is_new = self._keep_or_restore(draft, path, digest)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # A file system without hard links: the rename is as atomic, only a race may write equal bytes twice.
            is_new = self._keep_or_restore(draft, path, digest) if path.exists() else True
            if is_new:
                draft.replace(path)
        # Also if the blob existed: its writer may not have reached this line yet.
        _sync_folder(path.parent)
        return is_new

    def _keep_or_restore(self, draft: Path, path: Path, digest: Digest) -> bool:
        """False: ``path`` is right and stays, only its time moves. A wrong file is replaced; so uploads repair."""
        if _has_digest(path, digest):
            # Retention counts from the last upload: without this, it could take the bytes away from under us.
            os.utime(path)
        else:
            draft.replace(path)
        return False


class DiskDraft(Draft):
    """A locked file in ``incoming``. The kernel drops the lock when the process ends, however it ends."""

    def __init__(self, store: DiskStore, incoming: Path, hasher: Hasher) -> None:
        self._store = store
        self._hasher = hasher
        self._size_bytes = 0
        self._ended = False
        # A client that goes away aborts from the event loop while a thread still writes: without this lock that
        # thread would write into whatever file got the same descriptor next.
        self._lock = Lock()
        with naming_trouble(_WRITING):
            self._path, self._descriptor = _create_locked(incoming)

    @property
    def size_bytes(self) -> int:
        """How much was written so far."""
        return self._size_bytes

    def write(self, chunk: Chunk) -> None:
        """Count ``chunk`` in and append it; whatever goes wrong ends the draft and leaves nothing behind."""
        with self._lock:
            self._require_open()
            try:
                with naming_trouble(_WRITING):
                    self._hasher.update(chunk)
                    rest = memoryview(chunk)
                    while rest:
                        written = os.write(self._descriptor, rest)
                        self._size_bytes += written
                        rest = rest[written:]
            except BaseException:
                self._discard()
                raise

    def commit(self) -> Stored:
        """Sync the file, link it into its place read-only, and sync that folder."""
        with self._lock:
            self._require_open()
            try:
                digest = from_raw(self._hasher.digest())
                with naming_trouble(_WRITING):
                    os.fchmod(self._descriptor, 0o444)
                    os.fsync(self._descriptor)
                    is_new = self._store.publish(self._path, digest)
            finally:
                self._discard()
        return Stored(digest=digest, size_bytes=self._size_bytes, is_new=is_new)

    def abort(self) -> None:
        """Remove the file; waits for a ``write`` on another thread."""
        with self._lock:
            if not self._ended:
                self._discard()

    def _require_open(self) -> None:
        if self._ended:
            raise ValueError("this draft has ended: it was committed or aborted")

    def _discard(self) -> None:
        """Take the draft's own name away and let go of the lock, in this order."""
        self._ended = True
        try:
            with naming_trouble("removing an upload that was broken off"):
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)


def _create_locked(incoming: Path) -> tuple[Path, int]:
    """A new empty file in ``incoming``, held by this process."""
    while True:
        path = incoming / f"{secrets.token_hex(16)}.part"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            return path, descriptor  # no locks on this file system: the sweep goes by age there
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # a sweep saw it in the moment before it was locked, and took it


def _remove_if_abandoned(path: Path) -> bool:
    """Whether ``path`` was a draft without a living writer; it is gone then."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            if time.time() - os.fstat(descriptor).st_mtime < GRACE_S:
                return False
        path.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)


def _has_digest(path: Path, digest: Digest) -> bool:
    with path.open("rb") as source:
        hasher = hashlib.sha256()
        while chunk := source.read(CHUNK_BYTES):
            hasher.update(chunk)
    return from_raw(hasher.digest()) == digest


def _sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
