"""Animated pictures, told from still ones; and animated WEBP frame by frame, which FFmpeg does not read.

RIFF | size | WEBP | VP8X flags …            bit 1 of the flags: it is animated (WebP container specification)
PNG | IHDR … acTL … IDAT …                   acTL before the first IDAT: it is animated (PNG specification, 11.3.2.1)
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from genlock.engines.pictures import MAX_PICTURE_PIXELS, Pixels, as_rgb
from genlock.errors import Invalid

MAX_FILE_BYTES = 512 * 2**20
"""The decoder holds the whole file in memory."""

_ANIMATED = 0b10
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 10_000


def is_animated_webp(path: Path) -> bool:
    """Return whether a file has the header of an animated WEBP; false if it cannot be opened."""
    try:
        with path.open("rb") as source:
            head = source.read(21)
    except OSError:
        return False
    return len(head) == 21 and head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20] & _ANIMATED)


def is_animated_png(source: BinaryIO) -> bool:
    """Return whether a file says that it is an animated PNG, however much text comes before its pictures."""
    if source.read(len(_PNG)) != _PNG:
        return False
    for _ in range(_MOST_CHUNKS):
        head = source.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            return False
        if head[4:] == b"acTL":
            return True
        source.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False


def animation_frames(
    path: Path, name: str, *, frame_pixels: int = MAX_PICTURE_PIXELS, most: int
) -> Iterator[tuple[Pixels, int]]:
    """Yield the frames of an animated WEBP with their durations in milliseconds. Raise ``Invalid`` if it is damaged.

    Errors call it ``name``.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise Invalid(
            f"{name} is larger than an animated WEBP may be ({MAX_FILE_BYTES // 2**20} MiB).",
            hint="Save it as a video.",
            too_large=True,
            code="video_too_large",
        )
    try:
        with Image.open(path, formats=("WEBP",)) as animation:
            width, height = animation.size
            frames = getattr(animation, "n_frames", 1)
            if width * height > frame_pixels or frames > most:
                raise Invalid(
                    f"{name} has {frames} frames of {width} × {height}; at most {most} of {frame_pixels} pixels"
                    " are read.",
                    hint="Scale it down, or cut it into shorter ones.",
                    too_large=True,
                    code="video_too_large",
                )
            for number in range(frames):
                animation.seek(number)
                animation.load()
                yield as_rgb(animation), int(animation.info.get("duration", 0))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _damaged(name, "it unpacks to too many pixels") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise _damaged(name, str(error)) from error


def _damaged(name: str, why: str) -> Invalid:
    return Invalid(f"{name} is not a video that can be read: {why}.", hint="Save it again, whole.", code="not_a_video")
