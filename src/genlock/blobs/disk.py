"""A store in a folder of the local disk.

    ROOT/incoming/                 drafts, each locked by the process that writes it
    ROOT/ab/cdef…                  the blob sha256:abcdef…, read-only; 256 folders, created when the store is opened

A blob is published by one hard link after its bytes are synced, so it is either complete or absent. File names are
validated digests or random numbers: nothing a user sends is ever part of a path.
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

from genlock.blobs.model import BlobStat, Stored
from genlock.blobs.os_errors import os_errors_as_unavailable
from genlock.blobs.store import CHUNK_BYTES, Chunk, Draft, Hasher, Store, bytes_gone
from genlock.digest import PREFIX, Digest, from_raw, to_raw
from genlock.errors import Invalid

GRACE_S = 24 * 3600
"""Minimum age of a draft to be swept where the file system has no locks, so that a live writer cannot be detected."""

_WRITING = "storing an upload"
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_HEX = frozenset("0123456789abcdef")


class DiskStore(Store):
    """Blobs below ``root``. Opening it creates the folders and sweeps the drafts of dead processes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        with os_errors_as_unavailable("opening the store"):
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
        """Create a draft in ``incoming``. Raise ``Unavailable`` if the disk refuses it."""
        return DiskDraft(self, self._incoming, hasher or hashlib.sha256())

    def open(self, digest: Digest) -> BinaryIO:
        """Open the blob's file, unverified. Raise ``NotFound`` (``bytes_gone``) if it does not exist."""
        with os_errors_as_unavailable(f"reading {digest}"):
            try:
                return self.path_of(digest).open("rb")
            except FileNotFoundError:
                raise bytes_gone(digest) from None

    def stat(self, digest: Digest) -> BlobStat | None:
        """Return the size and the time of the last upload, from the file's metadata."""
        with os_errors_as_unavailable(f"reading {digest}"):
            try:
                status = self.path_of(digest).stat()
            except FileNotFoundError:
                return None
        written_at = datetime.fromtimestamp(status.st_mtime, UTC)
        return BlobStat(digest=digest, size_bytes=status.st_size, written_at=written_at)

    def digests(self) -> Iterator[Digest]:
        """Yield the digest of every blob in ascending order, with one folder in memory at a time."""
        for number in range(256):
            first = f"{number:02x}"
            with os_errors_as_unavailable("listing the store"), os.scandir(self._root / first) as entries:
                names = sorted(entry.name for entry in entries)
            yield from (f"{PREFIX}{first}{name}" for name in names if len(name) == 62 and _HEX.issuperset(name))

    def remove(self, digest: Digest) -> bool:
        """Unlink the blob; readers that have it open can continue."""
        path = self.path_of(digest)
        with os_errors_as_unavailable(f"removing {digest}"):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            _sync_folder(path.parent)
        return True

    def path_of(self, digest: Digest) -> Path:
        """Return the path of the blob, for reading only. Raise ``Invalid`` if ``digest`` is malformed."""
        try:
            name = to_raw(digest).hex()
        except ValueError as error:
            raise Invalid(f"{digest!r} is not a digest.", hint=f"{str(error).capitalize()}.") from error
        return self._root / name[:2] / name[2:]

    def sweep(self) -> int:
        """Remove the drafts of dead processes; return their number."""
        removed = 0
        with os_errors_as_unavailable("sweeping abandoned uploads"):
            for path in sorted(self._incoming.iterdir()):
                removed += _remove_if_abandoned(path)
        return removed

    def publish(self, draft: Path, digest: Digest) -> bool:
        """Link the synced file ``draft`` to its final path; return whether the blob is new. Called by ``commit``."""
        path = self.path_of(digest)
        try:
            os.link(draft, path)
            is_new = True
        except FileExistsError:
            is_new = self._keep_or_restore(draft, path, digest)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # A file system without hard links: a rename is as atomic, but a race may write the same bytes twice.
            is_new = self._keep_or_restore(draft, path, digest) if path.exists() else True
            if is_new:
                draft.replace(path)
        # Even if the blob existed: its writer may not have synced the folder yet.
        _sync_folder(path.parent)
        return is_new

    def _keep_or_restore(self, draft: Path, path: Path, digest: Digest) -> bool:
        """Touch ``path`` if it is intact, else replace it, so that an upload repairs the blob. Always return false."""
        if _has_digest(path, digest):
            # Retention counts from the last upload: without this, it could remove the blob that we just stored.
            os.utime(path)
        else:
            draft.replace(path)
        return False


class DiskDraft(Draft):
    """A locked file in ``incoming``. The kernel releases the lock when the process ends, however it ends."""

    def __init__(self, store: DiskStore, incoming: Path, hasher: Hasher) -> None:
        self._store = store
        self._hasher = hasher
        self._size_bytes = 0
        self._ended = False
        # If the client disconnects, the event loop aborts while a thread may still be writing: without this lock that
        # thread would write into whatever file reuses the descriptor.
        self._lock = Lock()
        with os_errors_as_unavailable(_WRITING):
            self._path, self._descriptor = _create_locked(incoming)

    @property
    def size_bytes(self) -> int:
        """Number of bytes written so far."""
        return self._size_bytes

    def write(self, chunk: Chunk) -> None:
        """Hash and append ``chunk``; any error ends the draft and removes its file."""
        with self._lock:
            self._require_open()
            try:
                with os_errors_as_unavailable(_WRITING):
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
        """Sync the file, make it read-only, link it to its final path, and sync that folder."""
        with self._lock:
            self._require_open()
            try:
                digest = from_raw(self._hasher.digest())
                with os_errors_as_unavailable(_WRITING):
                    os.fchmod(self._descriptor, 0o444)
                    os.fsync(self._descriptor)
                    is_new = self._store.publish(self._path, digest)
            finally:
                self._discard()
        return Stored(digest=digest, size_bytes=self._size_bytes, is_new=is_new)

    def abort(self) -> None:
        """Remove the file, after waiting for a ``write`` on another thread."""
        with self._lock:
            if not self._ended:
                self._discard()

    def _require_open(self) -> None:
        if self._ended:
            raise ValueError("this draft has ended: it was committed or aborted")

    def _discard(self) -> None:
        """Remove the file and then close it, which releases the lock."""
        self._ended = True
        try:
            with os_errors_as_unavailable("removing an interrupted upload"):
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)


def _create_locked(incoming: Path) -> tuple[Path, int]:
    """Create an empty file in ``incoming``, locked by this process."""
    while True:
        path = incoming / f"{secrets.token_hex(16)}.part"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            return path, descriptor  # no locks on this file system: the sweep goes by age
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # a sweep removed it before it was locked


def _remove_if_abandoned(path: Path) -> bool:
    """Remove ``path`` if it is a draft without a live writer; return whether it was removed."""
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
    """Make the directory entries of ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
