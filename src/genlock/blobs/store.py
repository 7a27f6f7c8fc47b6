"""The interface of blob stores: write blobs through drafts, read them, verify them.

    with store.begin() as draft:          nothing is visible; leaving without a commit discards it
        draft.write(chunk) …
        stored = draft.commit()           durable, complete, read-only, addressed by its digest

Calls block. Asynchronous callers make them on a thread, with chunks of about one MiB. A draft may be used from
several threads, one call at a time; ``abort`` waits for the call in progress.
"""

import hashlib
import secrets
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from genlock.blobs.model import BlobStat, Stored
from genlock.blobs.os_errors import os_errors_as_unavailable
from genlock.digest import Digest, from_raw
from genlock.errors import NotFound, Tampered

CHUNK_BYTES = 2**20

Chunk = bytes | bytearray | memoryview


class Hasher(Protocol):
    """Computes a SHA-256 incrementally, as ``hashlib.sha256()`` and the library's ``Identifier`` do."""

    def update(self, chunk: Chunk, /) -> None:
        """Append ``chunk``. It may raise to refuse the bytes, which ends the draft."""
        ...

    def digest(self) -> bytes:
        """Return the 32-byte SHA-256 of everything appended so far."""
        ...


class Draft(Protocol):
    """An upload in progress. Leaving its ``with`` block without ``commit`` discards it."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Number of bytes written so far."""

    @abstractmethod
    def write(self, chunk: Chunk) -> None:
        """Append ``chunk``. Raise ``Unavailable`` if the store is full or cannot be written."""

    @abstractmethod
    def commit(self) -> Stored:
        """Make the bytes durable and visible under their digest."""

    @abstractmethod
    def abort(self) -> None:
        """Discard what was written; a no-op if the draft has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class Store(Protocol):
    """Blobs by digest. A blob is complete if it exists; the ``verified`` methods also check its digest."""

    @abstractmethod
    def begin(self, hasher: Hasher | None = None) -> Draft:
        """Start a draft. ``hasher``, which must be unused, computes its digest; by default plain SHA-256."""

    @abstractmethod
    def open(self, digest: Digest) -> BinaryIO:
        """Open the blob as a seekable file, unverified, for ranges. Raise ``NotFound`` (``bytes_gone``) if absent."""

    @abstractmethod
    def stat(self, digest: Digest) -> BlobStat | None:
        """Return the size and the last upload time of a blob; ``None`` if it is absent."""

    @abstractmethod
    def digests(self) -> Iterator[Digest]:
        """Yield the digest of every blob in ascending order."""

    @abstractmethod
    def remove(self, digest: Digest) -> bool:
        """Delete the blob; return whether it existed."""

    def exists(self, digest: Digest) -> bool:
        """Return whether the blob exists."""
        return self.stat(digest) is not None

    def size(self, digest: Digest) -> int:
        """Return the size in bytes. Raise ``NotFound`` (``bytes_gone``) if the blob is absent."""
        stat = self.stat(digest)
        if stat is None:
            raise bytes_gone(digest)
        return stat.size_bytes

    def put(self, content: bytes) -> Stored:
        """Store ``content``."""
        with self.begin() as draft:
            draft.write(content)
            return draft.commit()

    def put_file(self, path: Path) -> Stored:
        """Store a copy of the file at ``path``."""
        with os_errors_as_unavailable(f"reading {path.name}"), path.open("rb") as source, self.begin() as draft:
            while chunk := source.read(CHUNK_BYTES):
                draft.write(chunk)
            return draft.commit()

    def verified_chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield the blob in chunks. Before the last one, raise ``Tampered`` if the digest does not match.

        So the receiver never has a complete file that is wrong.
        """
        with self.open(digest) as source:
            yield from verify_chunks(source, digest)

    def read_verified(self, digest: Digest) -> bytes:
        """Return the whole blob. Raise ``Tampered`` if its digest does not match."""
        return b"".join(self.verified_chunks(digest))

    def open_verified(self, digest: Digest) -> BinaryIO:
        """Read and verify the blob, then return it as a seekable file at offset 0. Raise ``Tampered`` on a mismatch."""
        source = self.open(digest)
        try:
            for _ in verify_chunks(source, digest):
                pass
            source.seek(0)
        except BaseException:
            source.close()
            raise
        return source

    def copy_out(self, digest: Digest, path: Path) -> int:
        """Write the verified blob to ``path``, replacing an existing file; return its size in bytes.

        The file appears complete and verified or not at all; no lock is stat and no link to the store remains.
        """
        partial = path.with_name(f".{secrets.token_hex(8)}.part")
        size_bytes = 0
        with os_errors_as_unavailable(f"writing {path.name}"):
            try:
                with partial.open("xb") as target:
                    for chunk in self.verified_chunks(digest):
                        size_bytes += target.write(chunk)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        return size_bytes

    def verify(self, digest: Digest) -> int:
        """Read and verify the blob; return its size in bytes. Raise ``Tampered`` on a mismatch."""
        return sum(len(chunk) for chunk in self.verified_chunks(digest))


def bytes_gone(digest: Digest) -> NotFound:
    """Return the error for a blob that is not in the store."""
    return NotFound(
        f"The bytes of {digest} are gone: the store does not have them.",
        hint="What was recorded about them still holds. Upload the original file again to bring them back.",
        code="bytes_gone",
    )


def verify_chunks(source: BinaryIO, digest: Digest) -> Iterator[bytes]:
    """Yield the chunks of ``source``, one chunk delayed: raise ``Tampered`` before the last if the digest differs."""
    hasher = hashlib.sha256()
    before = b""
    with os_errors_as_unavailable(f"reading {digest}"):
        while chunk := source.read(CHUNK_BYTES):
            hasher.update(chunk)
            if before:
                yield before
            before = chunk
    actual = from_raw(hasher.digest())
    if actual != digest:
        raise Tampered(
            f"The stored bytes of {digest} are not what was uploaded: their digest is {actual}.",
            hint="Upload the original file again: that puts the right bytes back.",
        )
    if before:
        yield before
