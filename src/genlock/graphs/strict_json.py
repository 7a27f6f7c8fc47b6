"""JSON as it must be before it decides equality: UTF-8, no duplicate keys, no NaN, no infinities (RFC 8259, 7493)."""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from genlock.errors import Invalid

MAX_MARKS = 10 * 2**16
"""How many brackets and commas are parsed at most: about as many objects, and some 64 MiB of memory."""

# Strings, however long, cost only their length; it is brackets and commas that a parser turns into many objects.
# The possessive repeats and the optional end keep the search linear, whatever the bytes are.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def read_json(content: bytes | bytearray, name: str, *, finite: bool = True) -> Any:
    """The value in ``content``; ``Invalid``, naming ``name``, if it is not JSON, or not the same to every reader.

    Unless ``finite``, NaN and infinities are let through: Python's own JSON writes them.
    """
    try:
        text = content.decode("utf-8")
        if _marks(content) <= MAX_MARKS:
            constant = _constant if finite else float
            return json.loads(text, object_pairs_hook=_object, parse_float=_float, parse_constant=constant)
        reason = f"it has more than {MAX_MARKS:,} brackets and commas"
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 (byte {error.start})"
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = str(error)
    raise Invalid(f"{name} is not sound JSON: {reason}.", hint="Export the file again.", code="bad_json")


def _marks(content: bytes | bytearray) -> int:
    """How many brackets and commas there are outside of strings."""
    bare = _STRING.sub(b"", content)
    return sum(bare.count(mark) for mark in (b"{", b"[", b","))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:80]!r} is there twice in one object")
    return found


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number that JSON has")
