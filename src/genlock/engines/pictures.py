"""Single pictures: reads them within limits, fits them to a size, and encodes them."""

import io
import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from genlock.errors import Invalid

Pixels = NDArray[np.uint8]
"""Height × width × 3, red, green, blue."""

MAX_PICTURE_PIXELS: Final = 8192 * 8192
"""192 MiB decoded; a larger picture could exhaust a worker's memory."""

POSTER_SIDE: Final = 320
_FORMATS = ("PNG", "JPEG", "WEBP")


def read_picture(content: bytes, label: str) -> Pixels:
    """Return the pixels of a PNG, JPEG or WebP file, EXIF orientation applied, transparency composited onto white.

    Raise ``Invalid`` if it has another format, is cut off, or has more than ``MAX_PICTURE_PIXELS``.
    """
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            width, height = opened.size
            if width * height > MAX_PICTURE_PIXELS:
                raise _too_large(label, f"{width} × {height} pixels")
            upright = ImageOps.exif_transpose(opened)
            return as_rgb(upright)
    except UnidentifiedImageError as error:
        raise Invalid(
            f"{label} is not a picture that can be read.",
            hint="Use PNG, JPEG or WebP.",
            code="not_an_image",
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(label, "too many pixels") from error
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, struct.error, zlib.error) as error:
        raise Invalid(
            f"{label} is a damaged or truncated picture: {error}.",
            hint="Export it again and upload it as a new version.",
            code="damaged_image",
        ) from error


def fit(picture: Pixels, width: int, height: int) -> Pixels:
    """Scale the picture to cover ``width`` × ``height`` and crop it to that size, centred."""
    if picture.shape[:2] == (height, width):
        return picture
    fitted = ImageOps.fit(Image.fromarray(picture), (width, height), method=Image.Resampling.LANCZOS)
    return np.asarray(fitted, dtype=np.uint8)


def png_of(picture: Pixels) -> bytes:
    """Return the picture as PNG, lossless."""
    written = io.BytesIO()
    Image.fromarray(picture).save(written, "PNG", compress_level=6)
    return written.getvalue()


def poster_of(picture: Pixels) -> bytes:
    """Return a small JPEG of the picture, its longer side at most ``POSTER_SIDE``."""
    image = Image.fromarray(picture)
    image.thumbnail((POSTER_SIDE, POSTER_SIDE), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    image.save(written, "JPEG", quality=85)
    return written.getvalue()


def as_rgb(image: Image.Image) -> Pixels:
    """Return the pixels of an opened picture, transparency composited onto white."""
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, layered)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _too_large(label: str, what: str) -> Invalid:
    return Invalid(
        f"{label} has {what}; at most {MAX_PICTURE_PIXELS} are read.",
        hint="Scale the picture down and upload it as a new version.",
        too_large=True,
        code="picture_too_large",
    )
