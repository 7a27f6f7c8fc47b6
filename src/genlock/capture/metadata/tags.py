"""Reads the texts that programs wrote into a picture or video, from the structure of the file.

    PNG   tEXt, zTXt, iTXt, and comf, which ComfyUI writes behind the pictures of an animated one
    WEBP  EXIF Make, Model, ImageDescription, UserComment
    MP4, MOV, WEBM, MKV               tags of the container
    GIF   nothing: savers write a PNG next to it

Files are not trusted. Nothing is unpacked or held beyond ``MAX_TEXT_BYTES``, and a file with an inconsistent structure
yields no text rather than a wrong one.
"""

# PyAV's stubs leave the metadata of a container open.
# pyright: reportUnknownMemberType=false

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import av
from av.error import FFmpegError

from genlock.capture.metadata.exif import exif_texts
from genlock.errors import Invalid
from genlock.library.readers import shown_name

MAX_TEXT_BYTES = 16 * 2**20
"""How much text is read from one file: graphs with an editor's additions have a few hundred KiB."""

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"comf")
_MOST_CHUNKS = 100_000


def tags_of(path: Path, name: str) -> dict[str, str]:
    """Return the texts in a file by their keys, in lower case. Raises ``Invalid`` for too much text."""
    with path.open("rb") as source:
        beginning = source.read(12)
        if beginning.startswith(_PNG):
            return dict(_png_texts(source, shown_name(name)))
        if beginning[:4] == b"RIFF" and beginning[8:] == b"WEBP":
            return _webp_texts(source, shown_name(name))
    if beginning[4:8] == b"ftyp" or beginning.startswith(b"\x1a\x45\xdf\xa3"):
        return _container_texts(path, shown_name(name))
    return {}


def _png_texts(source: BinaryIO, name: str) -> Iterator[tuple[str, str]]:
    """Yield the text chunks of a PNG (PNG specification, 11.3.3), each unpacked no further than the limit."""
    source.seek(len(_PNG))
    left = MAX_TEXT_BYTES
    for _ in range(_MOST_CHUNKS):
        head = source.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind not in _TEXT_CHUNKS:
            source.seek(length + 4, 1)
            continue
        if length > left:
            raise _too_much(name)
        chunk = source.read(length)
        source.seek(4, 1)
        key, text = _png_text(kind, chunk, left, name)
        left -= len(text)
        yield key, text


def _png_text(kind: bytes, chunk: bytes, most: int, name: str) -> tuple[str, str]:
    key, _, rest = chunk.partition(b"\0")
    packed = kind == b"zTXt"
    if kind == b"zTXt":
        rest = rest[1:]
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    if packed:
        rest = _unpacked(rest, most, name)
    # tEXt should be Latin-1, and many savers write UTF-8.
    return key.decode("latin-1").lower(), _decoded(rest, otherwise="latin-1")


def _unpacked(packed: bytes, most: int, name: str) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, most + 1)
    except zlib.error as error:
        raise _unreadable(name, f"a text in it is damaged ({error})") from error
    if len(text) > most:
        raise _too_much(name)
    return text


def _webp_texts(source: BinaryIO, name: str) -> dict[str, str]:
    """Return the EXIF texts of a WEBP; savers write ``prompt:{…}`` into tags that were meant for cameras."""
    source.seek(12)
    for _ in range(_MOST_CHUNKS):
        head = source.read(8)
        if len(head) < 8:
            return {}
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"EXIF":
            if length > MAX_TEXT_BYTES:
                raise _too_much(name)
            return exif_texts(source.read(length).removeprefix(b"Exif\0\0"))
        source.seek(length + length % 2, 1)
    return {}


def _container_texts(path: Path, name: str) -> dict[str, str]:
    """Return the tags of a video: of the file, and of its streams for keys that the file does not have."""
    try:
        options = {"format_whitelist": "mov,mp4,matroska,webm", "protocol_whitelist": "file"}
        with av.open(f"file:{path.absolute()}", "r", options=options, metadata_errors="replace") as container:
            levels: list[Mapping[str, str]] = [
                container.metadata,
                *(stream.metadata for stream in container.streams),
            ]
    except FFmpegError as error:
        raise _unreadable(name, str(error.strerror or error)) from error
    texts: dict[str, str] = {}
    for tags in levels:
        for key, text in tags.items():
            texts.setdefault(key.lower(), text)
    if sum(len(text) for text in texts.values()) > MAX_TEXT_BYTES:
        raise _too_much(name)
    return texts


def _decoded(raw: bytes, otherwise: str = "utf-8") -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(otherwise, "replace")


def _too_much(name: str) -> Invalid:
    return Invalid(
        f"{name} contains more than {MAX_TEXT_BYTES // 2**20} MiB of text.",
        hint="No workflow is that large. Save it again without the metadata, and import that.",
        code="too_much_text",
    )


def _unreadable(name: str, why: str) -> Invalid:
    return Invalid(
        f"{name} cannot be read: {why}.", hint="See whether it plays; render or copy it again.", code="unreadable_file"
    )
