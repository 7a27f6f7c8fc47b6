"""Readers: parse a file while it streams by, and report its effective digest, media type and details.

A reader buffers at most a header, a picture or a graph. ``feed`` may leave work running on another thread that reads
the same bytes; ``drain`` waits for it.
"""

import codecs
import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from genlock.digest import Digest, from_raw
from genlock.errors import Invalid
from genlock.kinds import JSON, OCTETS, SAFETENSORS_EXTENSIONS, TEXT, Content, extension_of, media_type_of
from genlock.library.pictures import MAX_PICTURE_BYTES, read_picture
from genlock.library.safetensors_header import (
    LENGTH_BYTES,
    MAX_HEADER_BYTES,
    Header,
    read_header,
    unsound,
)
from genlock.library.skeleton import MAX_WORKFLOW_BYTES, read_workflow
from genlock.model import Kind

MAX_TEXT_BYTES = 2**20
MIN_THREADED_BYTES = 2**17
"""For smaller chunks, submitting to another thread takes about as long as hashing."""


class FileFacts(NamedTuple):
    """The result of a reader. ``effective_digest`` is ``None`` if equality is by bytes."""

    effective_digest: Digest | None
    media_type: str
    details: dict[str, Any]


class Reader(Protocol):
    """Parses one file."""

    def feed(self, view: memoryview) -> None:
        """Parse the next bytes. Raise ``Invalid`` as soon as the file is known to be invalid."""
        ...

    def drain(self) -> None:
        """Wait until the bytes last fed are no longer read."""
        ...

    def finish(self) -> FileFacts:
        """Return the facts about the file. Raise ``Invalid`` if it is incomplete."""
        ...


def reader_for(content: Content, kind: Kind, filename: str, name: str) -> Reader:
    """Return the reader for the content of ``kind``; messages call the file ``name``."""
    match content:
        case Content.WEIGHTS:
            return WeightsReader(extension_of(filename) in SAFETENSORS_EXTENSIONS, name)
        case Content.PICTURE:
            return WholeReader(name, MAX_PICTURE_BYTES, lambda content: _picture(content, name))
        case Content.WORKFLOW:
            return WholeReader(name, MAX_WORKFLOW_BYTES, lambda content: _workflow(content, name))
        case Content.TEXT:
            return TextReader(name)
        case Content.BYTES:
            return BytesReader(media_type_of(kind, filename))


def _picture(content: bytearray, name: str) -> FileFacts:
    picture = read_picture(content, name)
    return FileFacts(None, picture.media_type, picture.details())


def _workflow(content: bytearray, name: str) -> FileFacts:
    workflow = read_workflow(content, name)
    return FileFacts(workflow.skeleton_digest, JSON, workflow.details())


class BytesReader:
    """Accepts any bytes without parsing them."""

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type

    def feed(self, view: memoryview) -> None:
        """Ignore the bytes."""

    def drain(self) -> None:
        """Return at once: nothing runs in the background."""

    def finish(self) -> FileFacts:
        """Return the media type only."""
        return FileFacts(None, self._media_type, {})


class TextReader:
    """Parses UTF-8 text, such as a prompt."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._size_bytes = 0
        self._characters = 0

    def feed(self, view: memoryview) -> None:
        """Raise ``Invalid`` if the text is not UTF-8, contains a NUL or is too long for a prompt."""
        self._size_bytes += view.nbytes
        if self._size_bytes > MAX_TEXT_BYTES:
            raise too_large(self._name, "text", MAX_TEXT_BYTES)
        self._decode(bytes(view), final=False)

    def drain(self) -> None:
        """Return at once: nothing runs in the background."""

    def finish(self) -> FileFacts:
        """Return the number of characters."""
        self._decode(b"", final=True)
        return FileFacts(None, TEXT, {"characters": self._characters})

    def _decode(self, content: bytes, *, final: bool) -> None:
        try:
            text = self._decoder.decode(content, final)
        except UnicodeDecodeError as error:
            raise Invalid(f"{self._name} is not UTF-8 text.", hint="Save it as UTF-8.", code="bad_text") from error
        if "\0" in text:
            raise Invalid(f"{self._name} holds a NUL character.", hint="Save it as plain text.", code="bad_text")
        self._characters += len(text)


class WholeReader:
    """Buffers a small file and passes it to ``read`` at the end."""

    def __init__(self, name: str, limit_bytes: int, read: Callable[[bytearray], FileFacts]) -> None:
        self._name = name
        self._limit_bytes = limit_bytes
        self._read = read
        self._content = bytearray()

    def feed(self, view: memoryview) -> None:
        """Buffer the bytes. Raise ``Invalid`` (413) beyond the limit."""
        if len(self._content) + view.nbytes > self._limit_bytes:
            raise too_large(self._name, "file of this kind", self._limit_bytes)
        self._content += view

    def drain(self) -> None:
        """Return at once: nothing runs in the background."""

    def finish(self) -> FileFacts:
        """Return the result of ``read``."""
        return self._read(self._content)


class WeightsReader:
    """Parses weights: computes the effective digest of safetensors and skips other formats.

    The content decides: a plausible length followed by ``{`` and a valid header is safetensors. A file whose name ends
    in ``.safetensors`` is refused if it is not.
    """

    def __init__(self, claimed: bool, name: str) -> None:
        self._claimed = claimed
        self._name = name
        self._head: bytearray | None = bytearray()
        self._head_bytes = LENGTH_BYTES + 1
        self._header: Header | None = None
        self._effective = hashlib.sha256()
        self._data_bytes = 0
        self._thread: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None

    def feed(self, view: memoryview) -> None:
        """Buffer the header, then hash the data into the effective digest."""
        while self._head is not None and view:
            taken = view[: self._head_bytes - len(self._head)]
            self._head += taken
            view = view[taken.nbytes :]
            if len(self._head) == self._head_bytes:
                self._parse_head(self._head)
        if self._header is not None and view:
            self._hash(view, self._header)

    def drain(self) -> None:
        """Wait for the second thread."""
        if self._running is not None:
            self._running.result()
            self._running = None

    def finish(self) -> FileFacts:
        """Return the effective digest and the header's details; neither for other formats."""
        if self._thread is not None:
            self._thread.shutdown()
        if self._header is None:
            if self._head is not None:
                self._refuse(unsound(self._name, "it ends before its header does"))
            return FileFacts(None, OCTETS, {})
        if self._data_bytes != self._header.data_bytes:
            missing = self._header.data_bytes - self._data_bytes
            self._refuse(unsound(self._name, f"its last {missing:,} bytes are missing: it was cut off"))
            return FileFacts(None, OCTETS, {})
        return FileFacts(from_raw(self._effective.digest()), OCTETS, self._header.details())

    def _parse_head(self, head: bytearray) -> None:
        """Check the length after nine bytes, and parse the header once it is complete."""
        length = int.from_bytes(head[:LENGTH_BYTES], "little")
        if len(head) == LENGTH_BYTES + 1:
            if not 2 <= length <= MAX_HEADER_BYTES or head[LENGTH_BYTES] != ord("{"):
                self._refuse(_no_header(head, length, self._name))
                self._head = None
                return
            self._head_bytes = LENGTH_BYTES + length
            return
        self._head = None
        try:
            del head[:LENGTH_BYTES]
            self._header = read_header(head, self._name)
        except Invalid as error:
            self._refuse(error)
            return
        self._effective.update(self._header.canonical)

    def _hash(self, view: memoryview, header: Header) -> None:
        self._data_bytes += view.nbytes
        if self._data_bytes > header.data_bytes:
            self._refuse(unsound(self._name, f"bytes follow after the last tensor (byte {header.data_bytes:,})"))
            self._header = None
        elif view.nbytes < MIN_THREADED_BYTES:
            self._effective.update(view)
        else:
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="effective-digest")
            self._running = self._thread.submit(self._effective.update, view)

    def _refuse(self, error: Invalid) -> None:
        """Raise ``error`` if the name claims safetensors; otherwise the file merely has another format."""
        if self._claimed:
            raise error


def _no_header(head: bytearray, length: int, name: str) -> Invalid:
    """Return the error for a file that does not begin like safetensors, with a guess at its actual format."""
    for beginning, guess in _LOOKALIKES:
        if head.startswith(beginning):
            return unsound(name, f"it is {guess}")
    if length > MAX_HEADER_BYTES:
        return unsound(name, f"it announces a header of {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read")
    return unsound(name, "it does not begin with a header")


_LOOKALIKES: tuple[tuple[bytes | tuple[bytes, ...], str], ...] = (
    (b"PK\x03\x04", "a PyTorch checkpoint or another archive under the wrong name"),
    (tuple(bytes((0x80, version)) for version in range(2, 6)), "a pickle under the wrong name"),
    (b"GGUF", "a GGUF model under the wrong name"),
    (b"<", "a web page that was saved instead of the file"),
    (b"version ", "a Git LFS pointer, not the file it stands for"),
)


def too_large(name: str, what: str, limit_bytes: int) -> Invalid:
    """Return the error (413) for a file that exceeds the limit of its kind."""
    return Invalid(
        f"{name} is larger than a {what} may be ({limit_bytes:,} bytes).",
        hint="Check that it is the right file and the right kind.",
        code="too_large",
        too_large=True,
    )


def shown_name(filename: str) -> str:
    """Return ``filename`` as shown in messages: quoted, without characters that could control a terminal."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in filename[:255])
    return f"'{plain}'"
