"""Small files to identify, written by hand where they must be invalid in one exact way."""

import io
import json
from typing import Any

from PIL import Image

from genlock.library.identify import Identifier
from genlock.library.model import Identity
from genlock.model import Kind


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a safetensors file; ``header`` is JSON or, where it must be invalid, bytes."""
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(content) if length is None else length).to_bytes(8, "little") + content + data


def tensor(begin: int, end: int, dtype: str = "U8", shape: list[Any] | None = None) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


def picture(format: str = "PNG", size: tuple[int, int] = (48, 32), mode: str = "RGB", **options: Any) -> bytes:
    image = Image.linear_gradient("L").resize(size).convert(mode)
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def identified(content: bytes, kind: Kind, filename: str, chunk_bytes: int = 2**20) -> Identity:
    identifier = Identifier(kind, filename)
    for start in range(0, len(content), chunk_bytes):
        identifier.update(content[start : start + chunk_bytes])
    return identifier.finish()
