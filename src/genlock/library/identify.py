"""Identifies a file in one pass: its digest, effective digest, size, media type and details.

An ``Identifier`` consumes the bytes as a stream and buffers at most a header, a picture or a graph. It is also a
``blobs.store.Hasher``, so that an upload is written, hashed and parsed in one pass::

    identifier = Identifier(kind, filename)
    with store.begin(identifier) as draft:
        for chunk in body:
            draft.write(chunk)
        identity = identifier.finish()      refuses an invalid file before anything is visible
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
    """Identifies one file from its bytes in order.

    ``update`` and ``finish`` raise ``Invalid``, naming the file, as soon as it is known to be invalid. With chunks of
    about one MiB the effective digest is computed on its own thread; the chunk may be reused when ``update`` returns.
    """

    def __init__(self, kind: Kind, filename: str) -> None:
        self._name = shown_name(filename)
        self._whole = hashlib.sha256()
        self._size_bytes = 0
        self._reader = reader_for(RULES[kind].content, kind, filename, self._name)

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append ``chunk``."""
        view = memoryview(chunk)
        self._size_bytes += view.nbytes
        self._reader.feed(view)
        self._whole.update(view)
        self._reader.drain()

    feed = update

    def digest(self) -> bytes:
        """Return the 32-byte SHA-256 of everything so far."""
        return self._whole.digest()

    def finish(self) -> Identity:
        """Return the identity of the whole file."""
        if not self._size_bytes:
            raise Invalid(
                f"{self._name} is empty.", hint="It has zero bytes; save or download it again.", code="empty_file"
            )
        digest = from_raw(self._whole.digest())
        facts = self._reader.finish()
        return Identity(
            digest=digest,
            effective_digest=facts.effective_digest or digest,
            size_bytes=self._size_bytes,
            media_type=facts.media_type,
            details=facts.details,
        )


def identify_file(path: Path, kind: Kind) -> Identity:
    """Identify the file at ``path``; read it again if it changes meanwhile. Raise ``Conflict`` if it keeps changing."""
    return identify_stamped(path, kind)[1]


def identify_stamped(
    path: Path,
    kind: Kind,
    *,
    roots: Sequence[Path] | None = None,
    store: Store | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> tuple[FileStamp, Identity]:
    """Return the stamp and the identity of the file at ``path``; with a ``store``, also store its bytes.

    With ``roots`` the file must be below one of them without any link in its path (``regular_file.open_below``).
    ``checkpoint`` is called for every MiB and may raise to stop.
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
            continue  # replaced by unlinking it first: the next attempt finds the new file
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
    """Open the file; return it with its stamp. Raise ``NotFound`` if it does not exist, else ``Unavailable``."""
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
    """Read the file once; return the identity of the bytes and the stamp after reading."""
    identifier = Identifier(kind, filename)
    buffer = memoryview(bytearray(READ_BYTES))
    with ExitStack() as stack:
        draft = None if store is None else stack.enter_context(store.begin(identifier))
        append = identifier.update if draft is None else draft.write
        left = before.size_bytes
        # Stop after the size at opening: a file that grows while it is read counts as changed anyway.
        while left >= 0 and (count := source.readinto(buffer)):
            append(buffer[:count])
            left -= count
            checkpoint()
        stamp = stamp_from(os.fstat(source.fileno()), filename)
        identity = identifier.finish()
        if draft is not None and stamp == before:
            draft.commit()
    return stamp, identity
