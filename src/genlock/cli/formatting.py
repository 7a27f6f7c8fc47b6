"""Formats values: words for people, one JSON document for programs."""

import json
import shutil
import unicodedata
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.text import Text

from genlock.sdk.listing import Listing
from genlock.staleness.model import State

_WIDE = 200
_STYLES = {
    State.STALE: "dark_orange",  # nothing else is orange
    State.UNKNOWN: "magenta",
    State.WAIVED: "cyan",
    State.FRESH: "green",
    State.EMPTY: "dim",
}
_SIGNS = {State.STALE: "▲", State.UNKNOWN: "?", State.WAIVED: "✓", State.FRESH: "·", State.EMPTY: "○"}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def console(*, stderr: bool) -> Console:
    """Return a console without markup, as wide as its terminal or ``COLUMNS``; else lines are not wrapped."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = shutil.get_terminal_size((_WIDE, 0)).columns
    return console


def as_document(value: Any) -> Any:
    """Return a value as JSON; a listing with all its items."""
    if isinstance(value, Listing):
        items = [as_document(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        return {"items": items, "total": value.total}  # pyright: ignore[reportUnknownMemberType]
    if isinstance(value, BaseModel):
        return json.loads(value.model_dump_json(by_alias=True))
    if isinstance(value, dict):
        return {str(key): as_document(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [as_document(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return to_jsonable_python(value)


def clean(text: str) -> str:
    """Return ``text`` without control characters, except line ends and tabs."""
    return "".join(
        character if character in "\n\t" or unicodedata.category(character) != "Cc" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def heading(text: str) -> Text:
    """Return a heading."""
    return Text(clean(text), style="bold")


def state_word(state: State) -> Text:
    """Return a state as icon and word."""
    return Text(f"{_SIGNS[state]} {state.value}", style=_STYLES[state])


def size_word(size_bytes: int) -> str:
    """Return a size such as ``1.4 GiB``."""
    size = float(size_bytes)
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("the last unit has no upper limit")


def seconds_word(seconds: float | None) -> str:
    """Return a duration such as ``14.0 s`` or ``2.5 min``."""
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def many(count: int, word: str) -> str:
    """Return a count with its noun: ``1 segment``, ``2 segments``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def short(digest: str | None) -> str:
    """Return the beginning of a digest."""
    return "" if digest is None else digest[: len("sha256:") + 12] + "…"
