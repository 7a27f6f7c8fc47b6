"""Reads pictures: size, format and mode, from decoding the file completely."""

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from PIL import Image, UnidentifiedImageError

from genlock.errors import Invalid
from genlock.model import Model

MAX_PICTURE_BYTES = 48 * 2**20
MAX_PIXELS = 8192 * 8192
"""Decoding needs up to four bytes per pixel: 256 MiB at this limit."""

_FORMATS = ("PNG", "JPEG", "WEBP")
_MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    # MPO is a JPEG with a second picture appended, as phones write it; viewers show it as a JPEG.
    {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "WEBP": "image/webp"}
)
_EXPORT = "Export it again as PNG, JPEG or WebP."

# What decoders raise on bytes that are not a picture.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    RuntimeError,
    Warning,  # raised only where the interpreter is configured to raise them
    struct.error,
    zlib.error,
)


class Picture(Model):
    """A picture: ``width`` and ``height`` in pixels, Pillow's ``format`` and ``mode``, number of frames."""

    width: int
    height: int
    format: str
    mode: str
    frames: int
    media_type: str

    def details(self) -> dict[str, Any]:
        """Return the details of a version."""
        return self.model_dump(exclude={"media_type"})


def read_picture(content: bytes | bytearray, name: str) -> Picture:
    """Decode the picture in ``content``. Raise ``Invalid``, naming ``name``, if it is broken, cut off or too large."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            picture = _describe(opened)
            _require_decodable(picture, name)
            if picture.format == "PNG":
                opened.verify()  # every checksum up to the end; the image cannot be used afterwards
        _require_ending(content, picture)
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            if picture.media_type == "image/jpeg":
                opened.draft(None, (picture.width // 8, picture.height // 8))  # reads all bytes but keeps few pixels
            opened.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(name) from None
    except UnidentifiedImageError as error:
        # Pillow's message names our BytesIO object, which means nothing to a user.
        raise Invalid(
            f"{name} is not a whole picture: it does not begin like a PNG, JPEG or WebP.",
            hint=_EXPORT,
            code="bad_picture",
        ) from error
    except _BROKEN as error:
        raise Invalid(f"{name} is not a whole picture: {error}.", hint=_EXPORT, code="bad_picture") from error
    return picture


def _describe(image: Image.Image) -> Picture:
    kind = image.format or ""
    return Picture(
        width=image.width,
        height=image.height,
        format="JPEG" if kind == "MPO" else kind,
        mode=image.mode,
        frames=1 if kind == "MPO" else getattr(image, "n_frames", 1),
        media_type=_MEDIA_TYPES[kind],
    )


def _require_decodable(picture: Picture, name: str) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_many_pixels(name)


def _too_many_pixels(name: str) -> Invalid:
    return Invalid(
        f"{name} has more than {MAX_PIXELS:,} pixels.",
        hint="Scale it down: no engine renders from a picture of that size.",
        code="picture_too_large",
        too_large=True,
    )


def _require_ending(content: bytes | bytearray, picture: Picture) -> None:
    """Raise ``ValueError`` if the file is cut off where the decoder would not notice it."""
    if not _ENDINGS[picture.format](content):
        raise ValueError("its end is missing")


def _png_ends(content: bytes | bytearray) -> bool:
    """Return whether the chunks (length, name, content, checksum) extend to a complete IEND."""
    place, name = 8, b""
    while name != b"IEND" and place < len(content):
        name = bytes(content[place + 4 : place + 8])
        place += 12 + int.from_bytes(content[place : place + 4], "big")
    return name == b"IEND" and place <= len(content)


def _jpeg_ends(content: bytes | bytearray) -> bool:
    """Return whether an end marker follows the start of the first scan. Cameras append more data to it."""
    return content.find(b"\xff\xd9", content.find(b"\xff\xda")) >= 0


def _webp_ends(content: bytes | bytearray) -> bool:
    """Return whether the file has as many bytes as its container declares."""
    return int.from_bytes(content[4:8], "little") + 8 <= len(content)


_ENDINGS: Mapping[str, Callable[[bytes | bytearray], bool]] = MappingProxyType(
    {"PNG": _png_ends, "JPEG": _jpeg_ends, "WEBP": _webp_ends}
)
