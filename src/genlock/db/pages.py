"""Keyset cursors: the sort keys of a page's last row, opaque to the caller."""

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
    """The cursor that continues after a row with these sort keys."""
    return base64.urlsafe_b64encode(json.dumps(keys, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *types: type) -> tuple[Any, ...] | None:
    """The sort keys in a cursor, checked against ``types``; ``None`` for no cursor. Raises ``Invalid``."""
    if cursor is None:
        return None
    try:
        keys = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        keys = None
    if (
        not isinstance(keys, list)
        or len(keys) != len(types)  # pyright: ignore[reportUnknownArgumentType]
        or not all(type(key) is wanted for key, wanted in zip(keys, types, strict=True))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        or not all(abs(key) < 2**63 for key in keys if isinstance(key, int))  # pyright: ignore[reportUnknownVariableType]
    ):
        raise Invalid(
            "This cursor is not one that Genlock gave out.",
            hint="Take `next` from the page before, unchanged, with the same filters; or leave it out to begin again.",
            code="bad_cursor",
        )
    return tuple(keys)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def decode_key(cursor: str | None) -> int | None:
    """The one number in a cursor of lists that are sorted by a number; ``None`` for no cursor. Raises ``Invalid``."""
    keys = decode_cursor(cursor, int)
    return keys[0] if keys else None


def page_of(
    found: tuple[T, ...], limit: int, keys: Callable[[T], tuple[int | str | None, ...]], total: int | None = None
) -> Page[T]:
    """A page from a query that asked for one row more than ``limit``; ``keys`` gives a row's sort keys."""
    items = found[:limit]
    return Page(items=items, next=encode_cursor(*keys(items[-1])) if len(found) > limit else None, total=total)
