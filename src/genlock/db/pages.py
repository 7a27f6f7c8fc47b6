"""Keyset cursors: the sort keys of a page's last row, opaque to the client."""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any, TypeVar

from genlock.errors import Invalid
from genlock.model import Page

T = TypeVar("T")

MAX_LIMIT = 500


def encode_cursor(*keys: int | str | None) -> str:
    """Return the cursor that continues after a row with these sort keys."""
    return base64.urlsafe_b64encode(json.dumps(keys, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *types: type) -> tuple[Any, ...] | None:
    """Return the sort keys in a cursor, checked against ``types``; ``None`` without a cursor. Raise ``Invalid``."""
    if cursor is None:
        return None
    try:
        keys = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        keys = None
    if (
        not isinstance(keys, list)
        or len(keys) != len(types)  # pyright: ignore[reportUnknownArgumentType]
        or not all(type(key) is expected for key, expected in zip(keys, types, strict=True))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        or not all(abs(key) < 2**63 for key in keys if isinstance(key, int))  # pyright: ignore[reportUnknownVariableType]
    ):
        raise Invalid(
            "This cursor is invalid.",
            hint="Pass `next` of the previous page unchanged, with the same filters, or start without a cursor.",
            code="bad_cursor",
        )
    return tuple(keys)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def decode_key(cursor: str | None) -> int | None:
    """Return the number in a cursor of a list sorted by a number; ``None`` without a cursor. Raise ``Invalid``."""
    keys = decode_cursor(cursor, int)
    return keys[0] if keys else None


def page_of(
    rows: tuple[T, ...], limit: int, keys: Callable[[T], tuple[int | str | None, ...]], total: int | None = None
) -> Page[T]:
    """Return a page of the rows of a query for ``limit + 1`` rows; ``keys`` returns a row's sort keys."""
    items = rows[:limit]
    return Page(items=items, next=encode_cursor(*keys(items[-1])) if len(rows) > limit else None, total=total)
