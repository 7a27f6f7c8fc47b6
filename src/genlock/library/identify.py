"""The identity of a file: both digests, its size and what it is, from reading it once.

An ``Identifier`` is fed the bytes as they come and keeps none of them beyond a header, a picture or a graph. It is
also a ``blobs.store.Hasher``, so that an upload is written, hashed and understood in one pass::

    identifier = Identifier(kind, filename)
    with store.begin(identifier) as draft:
        for chunk in body:
            draft.write(chunk)
        identity = identifier.finish()      refuses what is not sound, before anything is visible
        draft.commit()
"""

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from genlock.blobs.store import Store
from genlock.digest import from_raw
from genlock.errors import Conflict, Invalid, NotFound, Unavailable
from genlock.kinds import RULES
from genlock.library.model import Identity
from genlock.library.readers import reader_for, shown_name
from genlock.library.stamps import FileStamp, no_file, stamp_from
from genlock.model import Kind
from genlock.regular_file import open_below, open_regular

READ_BYTES = 2**20
MAX_READINGS = 5


class Identifier:
    """Takes the bytes of one file in order, then says what it is.

    ``update`` and ``finish`` raise ``Invalid``, naming the file, as soon as it cannot be what it should be. Chunks of
    about a mebibyte let the second digest run on its own thread; the chunk may be used again when ``update`` returns.
    """

    def __init__(self, kind: Kind, filename: str) -> None:
        self._name = shown_name(filename)
        self._whole = hashlib.sha256()
        self._size_bytes = 0
        self._reader = reader_for(RULES[kind].content, kind, filename, self._name)

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Count ``chunk`` in."""
        view = memoryview(chunk)
        self._size_bytes += view.nbytes
        self._reader.feed(view)
        self._whole.update(view)
        self._reader.drain()

    feed = update

    def digest(self) -> bytes:
        """The SHA-256 of everything so far: 32 bytes."""
        return self._whole.digest()

    def finish(self) -> Identity:
        """The identity of the whole file."""
        if not self._size_bytes:
            raise Invalid(
                f"{self._name} is empty.", hint="It has zero bytes; save or download it again.", code="empty_file"
            )
        digest = from_raw(self._whole.digest())
        findings = self._reader.finish()
        return Identity(
            digest=digest,
            effective_digest=findings.effective_digest or digest,
            size_bytes=self._size_bytes,
            media_type=findings.media_type,
            details=findings.details,
        )


def identify_file(path: Path, kind: Kind) -> Identity:
    """Return what the file at ``path`` is; read again if it changes meanwhile, ``Conflict`` if it never rests."""
    return identify_stamped(path, kind)[1]


def identify_stamped(
    path: Path,
    kind: Kind,
    *,
    roots: Sequence[Path] | None = None,
    store: Store | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> tuple[FileStamp, Identity]:
    """Return the stamp and the identity of the file at ``path``; with a ``store`` its bytes are kept.

    With ``roots`` the file must lie below one of them without any link in its path (``regular_file.open_below``).
    ``checkpoint`` is called for every mebibyte, and may raise to break off.
    """
    for _ in range(MAX_READINGS):
        source, before = _open(path, roots)
        refusal: Invalid | None = None
        identity: Identity | None = None
        with source:
            try:
                after, identity = _read_once(source, path.name, kind, before, store, checkpoint)
            except Invalid as error:
                after, refusal = before, error
            except OSError as error:
                raise _unreadable(path, error) from error
        try:
            replacement, at_path = _open(path, roots)
        except NotFound:
            continue  # it is being replaced by unlinking it first; the next reading shows whether it came back
        replacement.close()
        if before == after == at_path:
            if identity is not None:
                return before, identity
            if refusal is not None:
                raise refusal
    raise Conflict(
        f"{shown_name(path.name)} changed each of the {MAX_READINGS} times it was read.",
        hint="Wait until it is written completely, then try again.",
        code="file_keeps_changing",
    )


def _open(path: Path, roots: Sequence[Path] | None) -> tuple[io.BufferedReader, FileStamp]:
    """Return the open file and its stamp. ``NotFound`` if there is none, ``Unavailable`` if it cannot be opened."""
    try:
        source = open_regular(path) if roots is None else open_below(path, roots)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise no_file(path.name) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    return source, stamp_from(os.fstat(source.fileno()), path.name)


def _unreadable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{shown_name(path.name)} cannot be read: {error.strerror}.",
        hint="See that the server may read it and that its disk is mounted.",
    )


def _read_once(
    source: io.BufferedReader,
    filename: str,
    kind: Kind,
    before: FileStamp,
    store: Store | None,
    checkpoint: Callable[[], None],
) -> tuple[FileStamp, Identity]:
    """Return the identity of what is read now, with the stamp that the file has afterwards."""
    identifier = Identifier(kind, filename)
    buffer = memoryview(bytearray(READ_BYTES))
    with ExitStack() as stack:
        draft = None if store is None else stack.enter_context(store.begin(identifier))
        take = identifier.update if draft is None else draft.write
        left = before.size_bytes
        # A file that grows as fast as it is read would never end: what is behind its size makes it another file anyway.
        while left >= 0 and (count := source.readinto(buffer)):
            take(buffer[:count])
            left -= count
            checkpoint()
        stamp = stamp_from(os.fstat(source.fileno()), filename)
        identity = identifier.finish()
        if draft is not None and stamp == before:
            draft.commit()
    return stamp, identity
