"""The texts in an EXIF block, where savers without text chunks write a graph: ``Make: prompt:{…}``.

Pillow reads the block. A directory may announce 65,535 entries that all point at the same megabytes, so a directory of
more than ``MAX_TAGS`` entries is not read at all: cameras write about sixty, savers of graphs a handful.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from PIL import ExifTags, Image

MAX_TAGS = 256
_TEXT_TAGS: Mapping[int, str] = MappingProxyType(
    {
        ExifTags.Base.ImageDescription: "description",
        ExifTags.Base.Make: "make",
        ExifTags.Base.Model: "model",
        ExifTags.Base.UserComment: "usercomment",
    }
)
_BYTE_ORDERS: Mapping[bytes, str] = MappingProxyType({b"II*\0": "<", b"MM\0*": ">"})
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    struct.error,
    Warning,  # raised only if the interpreter turns warnings into errors
)


def exif_texts(block: bytes) -> dict[str, str]:
    """Return the texts of an EXIF block by their keys; nothing of a block that is damaged or has too many entries."""
    order = _BYTE_ORDERS.get(block[:4])
    if order is None or len(block) < 8:
        return {}
    try:
        (main_directory,) = struct.unpack_from(f"{order}I", block, 4)
        if _count_tags(block, order, main_directory) > MAX_TAGS:
            return {}
        exif = Image.Exif()
        exif.load(block)
        values: dict[int, Any] = {tag: exif.get(tag) for tag in _TEXT_TAGS}
        # Pillow hands out the offset of the second directory as the value of the tag that points at it.
        exif_directory = exif.get(ExifTags.IFD.Exif)
        if isinstance(exif_directory, int) and _count_tags(block, order, exif_directory) <= MAX_TAGS:
            values |= {tag: value for tag, value in exif.get_ifd(ExifTags.IFD.Exif).items() if tag in _TEXT_TAGS}
    except _DAMAGED:
        return {}
    texts: dict[str, str] = {}
    for tag, value in values.items():
        if isinstance(value, str):  # Pillow reads ASCII fields as Latin-1, which keeps every byte
            value = value.encode("latin-1", "replace")
        if isinstance(value, bytes):
            key, text = _named_text(_TEXT_TAGS[tag], value)
            texts[key] = text
    return texts


def _count_tags(block: bytes, order: str, offset: int) -> int:
    """Return how many entries the directory at ``offset`` announces."""
    return struct.unpack_from(f"{order}H", block, offset)[0]


def _named_text(key: str, raw: bytes) -> tuple[str, str]:
    """Return the text of a field with its key: the word before the colon in ``prompt:{…}``, else the field's name."""
    text = _decode(raw).rstrip("\0")
    prefix, colon, rest = text.partition(":")
    has_own_key = colon and prefix.isascii() and prefix.isalpha() and rest.lstrip().startswith(("{", "["))
    return (prefix.lower(), rest) if has_own_key else (key, text)


def _decode(raw: bytes) -> str:
    if raw.startswith(b"UNICODE\0"):
        # EXIF does not say which UTF-16 it is and savers differ; Latin text has its zeros in the upper halves.
        is_big_endian = raw[8::2].count(0) > raw[9::2].count(0)
        return raw[8:].decode("utf-16-be" if is_big_endian else "utf-16-le", "replace")
    return raw.removeprefix(b"ASCII\0\0\0").removeprefix(b"\0" * 8).decode("utf-8", "replace")
