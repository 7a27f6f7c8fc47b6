"""JSON strict enough to decide equality: UTF-8, no duplicate keys, no NaN, no infinities (RFC 8259, RFC 7493)."""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from genlock.errors import Invalid

MAX_MARKS = 10 * 2**16
"""The most brackets and commas that are parsed: about as many objects, and some 64 MiB of memory."""

# A string costs only its length; a parser turns brackets and commas into many objects.
# The possessive repeats and the optional end keep the search linear, whatever the bytes are.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def read_json(content: bytes | bytearray, name: str, *, finite: bool = True) -> Any:
    """Return the value of ``content``; raise ``Invalid``, with ``name``, if it is not JSON or not unambiguous.

    Unless ``finite``, NaN and infinities are accepted: Python's own JSON writes them.
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
    raise Invalid(f"{name} is not valid JSON: {reason}.", hint="Export the file again.", code="bad_json")


def _marks(content: bytes | bytearray) -> int:
    """Return the number of brackets and commas outside of strings."""
    bare = _STRING.sub(b"", content)
    return sum(bare.count(mark) for mark in (b"{", b"[", b","))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:80]!r} occurs twice in an object")
    return fields


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number that JSON has")
