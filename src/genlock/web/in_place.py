"""Sends the bytes of files in place, after verifying that the file is the registered one.

    open without links ─▶ stamp ─▶ verified under this stamp? ── yes ──────────────────────────▶ whole, or a range
                                        └── no ─▶ hash all of it: match ─▶ record the stamp ──▶ whole, or a range
                                                               mismatch ─▶ ``Tampered``

The stamp is compared again after every chunk. A file that was written within the last two seconds is only sent whole
and hashed on the way: a second write within one tick of the clock would not change its stamp.
"""

import asyncio
import io
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from genlock.blobs.store import CHUNK_BYTES, verify_chunks
from genlock.db.connection import Database
from genlock.digest import Digest
from genlock.errors import Tampered
from genlock.library import in_place_sql
from genlock.library.in_place import open_in_place, replaced
from genlock.library.model import Version
from genlock.library.stamps import FileStamp, stamp_from
from genlock.settings import Settings


class VerifiedFile:
    """An open file whose bytes matched its version; every read raises ``Tampered`` if it has changed since."""

    def __init__(self, source: io.BufferedReader, path: Path, stamp: FileStamp, *, has_ranges: bool) -> None:
        self.source = source
        self.has_ranges = has_ranges
        self._path, self._stamp = path, stamp

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield all bytes, hashed again on the way; the last chunk only if the digest matches."""
        return self._unchanged(verify_chunks(self.source, digest))

    def range(self, length: int) -> Iterator[bytes]:
        """Yield ``length`` bytes from the current position."""
        return self._unchanged(range_of(self.source, length))

    def _unchanged(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if _stamp_of(self.source, self._path) != self._stamp:
                raise _changed(self._path)
            yield chunk


class FilesInPlace:
    """Opens files in place below the configured folders, and records verified stamps."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db, self._settings = db, settings
        self._host = socket.gethostname()
        # A player requests many ranges at once; the file is verified for the first of them, not on every thread.
        self._verifying = asyncio.Lock()

    async def open(self, path: Path, version: Version) -> VerifiedFile:
        """Open the file of ``version``. Raise ``NotFound`` if missing, ``Tampered`` if replaced, ``Denied`` outside the
        roots.
        """
        roots = (*self._settings.register_roots, *self._settings.scan_folders)
        source = await asyncio.to_thread(open_in_place, path, roots)
        try:
            stamp = _stamp_of(source, path)
            if stamp.size_bytes != version.size_bytes:
                raise replaced(path, f"it has {stamp.size_bytes:,} bytes, not {version.size_bytes:,}.")
            started_ns = time.time_ns()
            if not await self._is_verified(path, stamp, version.digest):
                async with self._verifying:
                    if not await self._is_verified(path, stamp, version.digest):
                        await self._verify(source, path, stamp, version.digest)
        except BaseException:
            source.close()
            raise
        return VerifiedFile(source, path, stamp, has_ranges=stamp.is_settled(started_ns))

    async def record_verified(self, path: Path, stamp: FileStamp, digest: Digest, *, started_ns: int) -> None:
        """Record that a reading begun at ``started_ns`` found ``digest``, unless the file was just written."""
        if stamp.is_settled(started_ns):
            async with self._db.transaction() as conn:
                await in_place_sql.note_verified(conn, self._host, str(path), stamp, digest)

    async def _is_verified(self, path: Path, stamp: FileStamp, digest: Digest) -> bool:
        async with self._db.transaction() as conn:
            return await in_place_sql.is_verified(conn, self._host, str(path), stamp, digest)

    async def _verify(self, source: io.BufferedReader, path: Path, stamp: FileStamp, digest: Digest) -> None:
        """Read the whole file. Raise ``Tampered`` unless it has ``digest`` and has not changed since it was opened."""
        started_ns = time.time_ns()
        try:
            await asyncio.to_thread(_read_all, source, digest)
        except Tampered as error:
            raise replaced(path, "its bytes have another digest.") from error
        if _stamp_of(source, path) != stamp:
            raise _changed(path)
        await self.record_verified(path, stamp, digest, started_ns=started_ns)


def range_of(source: BinaryIO, length: int) -> Iterator[bytes]:
    """Yield ``length`` bytes of an open file from its current position, in chunks."""
    while length > 0 and (chunk := source.read(min(CHUNK_BYTES, length))):
        length -= len(chunk)
        yield chunk


def _read_all(source: io.BufferedReader, digest: Digest) -> None:
    source.seek(0)
    for _ in verify_chunks(source, digest):
        pass
    source.seek(0)


def _stamp_of(source: io.BufferedReader, path: Path) -> FileStamp:
    return stamp_from(os.fstat(source.fileno()), path.name)


def _changed(path: Path) -> Tampered:
    return replaced(path, "it changed while it was read.")
