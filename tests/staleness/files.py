"""Small real files for labels: equal labels are equal files; a wrapping changes the bytes but not the effect."""

import io
import json
import struct
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from genlock.engines.media import encode_video
from genlock.model import Kind


def _bytes_of(label: str) -> bytes:
    return sha256(label.encode()).digest()


@cache
def picture(label: str) -> bytes:
    """Return a PNG that shows the label's digest as grey squares."""
    squares = np.frombuffer(_bytes_of(label)[:16], np.uint8).reshape(4, 4)
    opened = io.BytesIO()
    Image.fromarray(squares).resize((16, 16), Image.Resampling.NEAREST).convert("RGB").save(opened, "PNG")
    return opened.getvalue()


@cache
def weights(label: str, wrapping: str) -> bytes:
    """Return a safetensors file with one tensor; ``wrapping`` is part of its metadata."""
    header = {"weight": {"dtype": "U8", "shape": [32], "data_offsets": [0, 32]}, "__metadata__": {"note": wrapping}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + _bytes_of(label)


@cache
def video(label: str) -> bytes:
    """Return two frames of H.264 in the label's grey."""
    frame = np.full((32, 32, 3), _bytes_of(label)[0], np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        encode_video(path, [frame, frame], 8.0)
        return path.read_bytes()


def file_of(kind: Kind, label: str, wrapping: str = "") -> bytes:
    """Return the file of a label, in the format of its kind."""
    match kind:
        case Kind.SOURCE_IMAGE | Kind.VARIANT:
            return picture(label)
        case Kind.LORA | Kind.MODEL:
            return weights(label, wrapping)
        case Kind.WORKFLOW:
            graph = {"1": {"class_type": "SaveImage", "inputs": {"look": label}, "_meta": {"title": wrapping}}}
            return json.dumps(graph).encode()
        case _:
            return f"{label} {wrapping}".encode()
