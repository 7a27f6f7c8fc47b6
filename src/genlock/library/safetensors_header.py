"""Parses the header of a safetensors file strictly, checks it against the data, and serialises it canonically.

The format: eight bytes with the header's length as an unsigned little-endian integer; the header, one JSON object
``{name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {text: text}}``, padded with spaces; the data,
whose every byte belongs to exactly one tensor. Nothing of a file is executed or unpickled.
"""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from genlock.errors import Invalid
from genlock.graphs.strict_json import read_json

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 16 * 2**20
"""The format allows 100 MB. Real headers are below 2 MB; one is kept in memory while its file is read."""
MAX_DIMENSIONS = 32
MAX_INTEGER = 2**53 - 1

_METADATA = "__metadata__"
_FIELDS = frozenset({"dtype", "shape", "data_offsets"})
_EXPORT = "Download or export the file again; its sha256 should be the one that its publisher names."

BITS: Mapping[str, int] = MappingProxyType(
    {
        "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
        "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
        "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    }
)  # fmt: skip
"""Bits per element of each dtype of the format."""

MAX_METADATA_KEYS = 64
MAX_METADATA_TEXT = 400


class Tensor(NamedTuple):
    """A tensor of the header; ``begin`` and ``end`` are offsets into the data in bytes."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)


class Header(NamedTuple):
    """A header whose tensors cover ``data_bytes`` bytes without gaps or overlaps.

    ``canonical`` is RFC 8785 of the header without ``__metadata__``; the effective digest begins with it.
    """

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    data_bytes: int
    canonical: bytes

    def details(self) -> dict[str, Any]:
        """Return the details of a version: counts, dtypes, ranks of a LoRA, and the metadata, truncated."""
        ranks = {tensor.shape[0] for name, tensor in self.tensors.items() if _is_lora_down(name) and tensor.shape}
        shown = {_plain(key): _plain(self.metadata[key]) for key in sorted(self.metadata)[:MAX_METADATA_KEYS]}
        cut = len(shown) < len(self.metadata) or any(
            max(len(key), len(text)) > MAX_METADATA_TEXT for key, text in self.metadata.items()
        )
        return {
            "format": "safetensors",
            "tensors": len(self.tensors),
            "parameters": sum(tensor.elements for tensor in self.tensors.values()),
            "dtypes": dict(sorted(Counter(tensor.dtype for tensor in self.tensors.values()).items())),
            **({"lora_ranks": sorted(ranks)} if ranks else {}),
            **({"metadata": shown} if shown else {}),
            **({"metadata_is_cut": True} if cut else {}),
        }


def read_header(content: bytes | bytearray, name: str) -> Header:
    """Parse the header in ``content`` (without its length). Raise ``Invalid``, naming ``name``, if it is not valid."""
    if not content.startswith(b"{"):
        raise unsound(name, "its header is not a JSON object")
    header: dict[str, Any] = read_json(content, f"The header of {name}")
    metadata = _metadata(header.pop(_METADATA, None), name)
    # Popped one at a time, so that a header of many tensors is not in memory twice.
    tensors = {key: _tensor(header.pop(key), key, name) for key in tuple(header)}
    return Header(tensors, metadata, _covered(tensors, name), _canonical(tensors, name))


def unsound(name: str, reason: str, hint: str = _EXPORT) -> Invalid:
    """Return the error for an invalid safetensors file."""
    return Invalid(f"{name} is not a sound safetensors file: {reason}.", hint=hint, code="bad_safetensors")


def _metadata(value: Any, name: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise unsound(name, "its __metadata__ is not an object")
    entries = cast(dict[str, Any], value)
    for key, text in entries.items():
        if not isinstance(text, str):
            raise unsound(name, f"its __metadata__ holds something other than text under {key[:80]!r}")
    return entries


def _tensor(value: Any, key: str, name: str) -> Tensor:
    label = f"the tensor {key[:80]!r}"
    if not isinstance(value, dict) or cast(dict[str, Any], value).keys() != _FIELDS:
        raise unsound(name, f"{label} does not have exactly dtype, shape and data_offsets")
    entry = cast(dict[str, Any], value)
    dtype, shape, offsets = entry["dtype"], _naturals(entry["shape"]), _naturals(entry["data_offsets"])
    if not isinstance(dtype, str) or dtype not in BITS:
        raise unsound(
            name, f"{label} has the dtype {str(dtype)[:40]!r}", hint=f"The format knows {', '.join(sorted(BITS))}."
        )
    if shape is None:
        raise unsound(name, f"the shape of {label} is not a list of at most {MAX_DIMENSIONS} natural numbers")
    if offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise unsound(name, f"the data_offsets of {label} are not a beginning and an end")
    tensor = Tensor(dtype, shape, *offsets)
    if tensor.elements * BITS[dtype] != 8 * (tensor.end - tensor.begin):
        raise unsound(name, f"{label} has {tensor.end - tensor.begin} bytes, which does not fit its shape and dtype")
    return tensor


def _canonical(tensors: Mapping[str, Tensor], name: str) -> bytes:
    """Return RFC 8785 of the tensors. Headers have thousands, for which ``rfc8785`` would be slower than hashing.

    For these types ``json`` differs only in the order of keys, which RFC 8785 sorts as UTF-16.
    """
    try:
        ordered = {
            key: {"data_offsets": [tensor.begin, tensor.end], "dtype": tensor.dtype, "shape": tensor.shape}
            for key, tensor in sorted(tensors.items(), key=lambda item: item[0].encode("utf-16-be"))
        }
        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise unsound(name, "the name of a tensor holds half a character") from error


def _naturals(value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    numbers = tuple(cast(list[Any], value))
    sound = len(numbers) <= MAX_DIMENSIONS and all(type(n) is int and 0 <= n <= MAX_INTEGER for n in numbers)
    return numbers if sound else None


def _covered(tensors: Mapping[str, Tensor], name: str) -> int:
    """Return the number of data bytes that the tensors cover. Raise ``Invalid`` on gaps and overlaps."""
    ordered = sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end))
    if ordered and ordered[0][1].begin != 0:
        raise unsound(name, f"its data begins with {ordered[0][1].begin} bytes that belong to no tensor")
    for (earlier, before), (later, after) in pairwise(ordered):
        if after.begin < before.end:
            raise unsound(name, f"the tensors {earlier[:80]!r} and {later[:80]!r} overlap")
        if after.begin > before.end:
            raise unsound(name, f"the bytes between {earlier[:80]!r} and {later[:80]!r} belong to no tensor")
    return ordered[-1][1].end if ordered else 0


def _is_lora_down(key: str) -> bool:
    """Return whether the tensor is the down projection of a LoRA pair, whose first dimension is the rank."""
    return key.endswith((".lora_down.weight", ".lora_A.weight", ".lora_A.default.weight", ".lora.down.weight"))


def _plain(text: str) -> str:
    """Return ``text`` truncated for display, without characters that a database or a terminal cannot handle."""
    cut = text if len(text) <= MAX_METADATA_TEXT else text[: MAX_METADATA_TEXT - 1] + "…"
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in cut)
