"""Renders frozen values as small HTML tables for notebooks. All text is escaped."""

import html
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel

_LONGEST_TEXT = 80
_DIGEST_DIGITS = 12


def table_of(items: Sequence[Any], footer: str = "") -> str:
    """Return a table with a row per item and a column per field that is set in any item."""
    if not items:
        return "<p><i>nothing</i></p>"
    names = [name for name in _fields(items[0]) if any(_is_set(getattr(item, name)) for item in items)]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    rows = "".join(_row(_cell(getattr(item, name)) for name in names) for item in items)
    below = f"<p>{html.escape(footer)}</p>" if footer else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{below}"


def card_of(item: BaseModel) -> str:
    """Return a table with a row per field of a value; lists of values become nested tables."""
    rows: list[str] = []
    for name in _fields(item):
        value = getattr(item, name)
        if _is_set(value):
            rows.append(f"<tr><th>{html.escape(name)}</th><td>{_inner(value)}</td></tr>")
    return f"<table><caption>{html.escape(type(item).__name__)}</caption><tbody>{''.join(rows)}</tbody></table>"


def _inner(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(item, BaseModel) for item in value):  # pyright: ignore[reportUnknownVariableType]
        return table_of(value)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        pairs = (f"{key}: {_text(entry)}" for key, entry in value.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return "<br>".join(html.escape(pair) for pair in pairs)
    return _cell(value)


def _row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _fields(item: Any) -> tuple[str, ...]:
    return tuple(type(item).model_fields) if isinstance(item, BaseModel) else ()


def _is_set(value: Any) -> bool:
    return value is not None and value != () and value != {} and value != ""


def _cell(value: Any) -> str:
    return html.escape(_text(value))


def _text(value: Any) -> str:
    """Return a value as one line: digests, times and long texts shortened, lists as their length."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S %Z}"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, BaseModel):
        shown = (f"{name} {_text(getattr(value, name))}" for name in _fields(value) if _is_short(getattr(value, name)))
        return _cut(", ".join(shown))
    if isinstance(value, tuple | list):
        return ", ".join(_text(item) for item in value) if len(value) < 4 else f"{len(value)} items"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    text = "" if value is None else str(value)
    if text.startswith("sha256:"):
        return text[: len("sha256:") + _DIGEST_DIGITS] + "…"
    return _cut(text)


def _is_short(value: Any) -> bool:
    return isinstance(value, str | int | float | Enum)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
