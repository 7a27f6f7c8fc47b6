"""Arrays of numbers and digests, and how they are read from PostgreSQL. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Digests = NDArray[np.void]

PAIR_BYTES = 64
"""Bytes of a pair of digests: what was used, then what is expected."""

_HEADER = 20
"""Bytes before the elements of an array of one dimension: dimensions, flags, type, length, lower bound."""


def integers(values: Sequence[int] = ()) -> Ints:
    """Return an array of integers."""
    return np.array(values, np.int64)


def expanded(counts: Ints) -> tuple[Ints, Ints]:
    """Return for ``counts[i]`` repetitions of each i: the i of each repetition, and its number from 0."""
    index = np.repeat(np.arange(len(counts)), counts)
    return index, np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)


def read_integers(sent: bytes | None) -> Ints:
    """Return the elements of an ``int4[]`` or ``int8[]`` without nulls as PostgreSQL sends it; nothing for null."""
    if sent is None:
        return integers()
    width = int.from_bytes(sent[_HEADER : _HEADER + 4])
    element = np.dtype([("width", ">i4"), ("value", f">i{width}")])
    return np.frombuffer(sent, element, offset=_HEADER)["value"].astype(np.int64)


def read_pairs(sent: bytes | None) -> Digests:
    """Return pairs of digests that were sent one after the other; nothing for null."""
    return np.frombuffer(sent or b"", f"V{PAIR_BYTES}")
