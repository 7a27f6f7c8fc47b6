"""A file of a form that is also written to a folder for a moment, for readers that need a path."""

import hashlib
from pathlib import Path

from genlock.blobs.store import Chunk
from genlock.blobs.troubles import naming_trouble
from genlock.digest import Digest, from_raw


class Spool:
    """Counts the digest of what passes by, as a ``blobs.store.Hasher``, and writes it to ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._hash = hashlib.sha256()

    def update(self, chunk: Chunk, /) -> None:
        """Count ``chunk`` in, and write it."""
        self._hash.update(chunk)
        self.size_bytes += len(chunk)
        # Opened for each chunk of a mebibyte, so that an upload that ends early leaves nothing open.
        with naming_trouble("receiving a file"), self.path.open("ab") as target:
            target.write(chunk)

    def digest(self) -> bytes:
        """The 32 bytes of the SHA-256 of everything so far."""
        return self._hash.digest()

    def whole(self) -> Digest:
        """The digest of the file, which is there from now on even if it is empty."""
        with naming_trouble("receiving a file"):
            self.path.touch()
        return from_raw(self._hash.digest())
