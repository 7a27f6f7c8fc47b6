"""How values are shown: as tables and words for people, as one JSON document for programs."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
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
    """Where answers or notes go. Nothing in a text acts as markup; without a terminal nothing is cut to its width."""
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)
    if not made.is_terminal:
        made = Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=max(made.width, _WIDE))
    return made


def as_document(value: Any) -> Any:
    """A value as JSON has it; a listing with everything it lists."""
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
    """``text`` without what a terminal would act on; line ends and tabs stay."""
    return "".join(
        character if character in "\n\t" or unicodedata.category(character) != "Cc" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> Table:
    """A table; numbers stand on the right, ``None`` is shown as a dash, columns that say nothing are left out."""
    rows = [list(row) for row in rows]
    said = [at for at in range(len(headings)) if not rows or any(row[at] != "" for row in rows)]
    headings, rows = [headings[at] for at in said], [[row[at] for at in said] for row in rows]
    made = Table(box=SIMPLE_HEAD, title=title, title_justify="left", show_edge=False, pad_edge=False)
    for at, heading in enumerate(headings):
        numbers = bool(rows) and all(isinstance(row[at], int | float) or row[at] is None for row in rows)
        made.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made


def pairs(rows: Iterable[tuple[str, Any]]) -> Table:
    """Names and what they are, one a line; what has no value is left out."""
    made = Table(box=None, show_header=False, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value is not None and value != "":
            made.add_row(name, _cell(value))
    return made


def heading(text: str) -> Text:
    """A line that says what follows."""
    return Text(clean(text), style="bold")


def state_word(state: State) -> Text:
    """A state as icon and word."""
    return Text(f"{_SIGNS[state]} {state.value}", style=_STYLES[state])


def ago(when: datetime | None) -> str:
    """How long something has been, such as ``3 min ago``."""
    if when is None:
        return ""
    seconds = (datetime.now(UTC) - when).total_seconds()
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"


def size_word(size_bytes: int) -> str:
    """A size such as ``1.4 GiB``."""
    size = float(size_bytes)
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("the last unit takes everything")


def seconds_word(seconds: float | None) -> str:
    """A duration such as ``14 s`` or ``2.5 min``."""
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"


def many(count: int, word: str) -> str:
    """``1 segment``, ``2 segments``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def short(digest: str | None) -> str:
    """The beginning of a digest, enough to tell it from others."""
    return "" if digest is None else digest[: len("sha256:") + 12] + "…"


def _cell(value: Any) -> Text:
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, datetime):
        return Text(ago(value))
    if isinstance(value, float):
        return Text(f"{value:g}")
    return Text(clean(str(value)))
