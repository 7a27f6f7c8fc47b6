"""What every store can do: take bytes in through a draft, give them back, and prove that they are the same.

    with store.begin() as draft:          nothing is visible, and leaving without a commit removes it
        draft.write(chunk) …
        stored = draft.commit()           durable, whole, read-only, found by its digest

The calls block. Asynchronous callers make them on a thread, with chunks of about a mebibyte; a draft may be used
from several threads, one call at a time, and ``abort`` waits for the call that is under way.
"""

import hashlib
import secrets
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from genlock.blobs.model import Held, Stored
from genlock.blobs.troubles import naming_trouble
from genlock.digest import Digest, from_raw
from genlock.errors import NotFound, Tampered

CHUNK_BYTES = 2**20

Chunk = bytes | bytearray | memoryview


class Hasher(Protocol):
    """Takes the SHA-256 of what passes by. ``hashlib.sha256()`` is one; the library's ``Identifier`` is another."""

    def update(self, chunk: Chunk, /) -> None:
        """Count ``chunk`` in; it may raise to refuse the bytes, which ends the draft."""
        ...

    def digest(self) -> bytes:
        """The 32 bytes of the SHA-256 of everything so far."""
        ...


class Draft(Protocol):
    """An upload under way. Leaving its ``with`` block without ``commit`` removes every trace of it."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """How much was written so far."""

    @abstractmethod
    def write(self, chunk: Chunk) -> None:
        """Append ``chunk``; ``Unavailable`` if the store is full or cannot be written."""

    @abstractmethod
    def commit(self) -> Stored:
        """Make the bytes durable and visible under their digest."""

    @abstractmethod
    def abort(self) -> None:
        """Remove what was written; nothing happens if the draft has ended already."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


class Store(Protocol):
    """Bytes by digest. What is here is whole; what is read with a ``verified`` call is what its digest says."""

    @abstractmethod
    def begin(self, hasher: Hasher | None = None) -> Draft:
        """A new draft. Its digest is ``hasher``'s (fresh, nothing counted in yet), by default plain SHA-256."""

    @abstractmethod
    def open(self, digest: Digest) -> BinaryIO:
        """The bytes as a seekable file, unverified, for ranges; ``NotFound`` (``bytes_gone``) if they are not here."""

    @abstractmethod
    def held(self, digest: Digest) -> Held | None:
        """What the store says about these bytes, or None."""

    @abstractmethod
    def digests(self) -> Iterator[Digest]:
        """Every digest that is here, in ascending order."""

    @abstractmethod
    def remove(self, digest: Digest) -> bool:
        """Let the bytes go for good; whether they were here."""

    def exists(self, digest: Digest) -> bool:
        """Whether the bytes are here."""
        return self.held(digest) is not None

    def size(self, digest: Digest) -> int:
        """The size in bytes; ``NotFound`` (``bytes_gone``) if they are not here."""
        held = self.held(digest)
        if held is None:
            raise gone(digest)
        return held.size_bytes

    def put(self, content: bytes) -> Stored:
        """Keep ``content``."""
        with self.begin() as draft:
            draft.write(content)
            return draft.commit()

    def put_file(self, path: Path) -> Stored:
        """Keep a copy of the file at ``path``."""
        with naming_trouble(f"reading {path.name}"), path.open("rb") as source, self.begin() as draft:
            while chunk := source.read(CHUNK_BYTES):
                draft.write(chunk)
            return draft.commit()

    def verified_chunks(self, digest: Digest) -> Iterator[bytes]:
        """The bytes in chunks. The last one is given only when all of them match, else ``Tampered`` is raised.

        So the receiver never has a complete file that is wrong.
        """
        with self.open(digest) as source:
            yield from checked(source, digest)

    def read_verified(self, digest: Digest) -> bytes:
        """All the bytes at once; ``Tampered`` if they are not what the digest says."""
        return b"".join(self.verified_chunks(digest))

    def open_verified(self, digest: Digest) -> BinaryIO:
        """The bytes as a seekable file at its beginning, read once and found right; ``Tampered`` otherwise."""
        source = self.open(digest)
        try:
            for _ in checked(source, digest):
                pass
            source.seek(0)
        except BaseException:
            source.close()
            raise
        return source

    def copy_out(self, digest: Digest, path: Path) -> int:
        """Write the bytes to ``path``, replacing what is there, and give their size.

        They appear there whole and verified or not at all, under no lock and with no link to the store.
        """
        partial = path.with_name(f".{secrets.token_hex(8)}.part")
        size_bytes = 0
        with naming_trouble(f"writing {path.name}"):
            try:
                with partial.open("xb") as target:
                    for chunk in self.verified_chunks(digest):
                        size_bytes += target.write(chunk)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        return size_bytes

    def verify(self, digest: Digest) -> int:
        """The size of the bytes, all of them read and found right; ``Tampered`` otherwise."""
        return sum(len(chunk) for chunk in self.verified_chunks(digest))


def gone(digest: Digest) -> NotFound:
    """The error for bytes that are not in the store."""
    return NotFound(
        f"The bytes of {digest} are gone: the store does not have them.",
        hint="What was recorded about them still holds. Upload the original file again to bring them back.",
        code="bytes_gone",
    )


def checked(source: BinaryIO, digest: Digest) -> Iterator[bytes]:
    """The chunks of ``source``, each one late by one: the last is given only when all match, else ``Tampered``."""
    hasher = hashlib.sha256()
    before = b""
    with naming_trouble(f"reading {digest}"):
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
