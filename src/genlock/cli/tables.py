"""Lists of records: a table if the columns fit, else a few lines per record in a narrow terminal."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from genlock.cli.formatting import clean
from genlock.cli.times import ago

_COLUMN_GAP = 3
_ITEM_GAP = 2
_INDENT = 2
_WHOLE_WIDTH = 14
"""A cell up to this width is never broken, not even between its words."""
_WORD_WIDTH = 24
"""A word up to this width is never broken."""


class RecordTable:
    """Records with headings. ``title_columns`` are the leading columns that identify a record."""

    def __init__(self, headings: Sequence[str], rows: Sequence[Sequence[Any]], title_columns: int) -> None:
        self._headings = headings
        self._rows = [[_cell(value) for value in row] for row in rows]
        self._numeric = [
            bool(rows) and all(isinstance(row[column], int | float) or row[column] is None for row in rows)
            for column in range(len(headings))
        ]
        self._title_columns = title_columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a table if every column keeps its words whole, else one record below the other."""
        widths = [self._minimum_width(column) for column in range(len(self._headings))]
        if sum(widths) + _COLUMN_GAP * (len(widths) - 1) <= options.max_width:
            yield self._table(widths)
        else:
            for row in self._rows:
                yield from self._record(row, options.max_width)

    def _minimum_width(self, column: int) -> int:
        texts = [self._headings[column], *(row[column].plain for row in self._rows)]
        return max(map(_minimum_width, texts))

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for column, heading in enumerate(self._headings):
            justify = "right" if self._numeric[column] else "left"
            table.add_column(heading, justify=justify, overflow="fold", min_width=widths[column])
        for row in self._rows:
            table.add_row(*row)
        return table

    def _record(self, row: Sequence[Text], width: int) -> RenderResult:
        """Yield the title of a record, and its other values with their headings in as few lines as possible."""
        title = [cell for cell in row[: self._title_columns] if cell.plain]
        yield Text(" " * _ITEM_GAP).join(title)
        lines: list[Text] = []
        for heading, cell in list(zip(self._headings, row, strict=True))[self._title_columns :]:
            if not cell.plain:
                continue
            item = Text.assemble((f"{heading} " if heading else "", "dim"), cell)
            if lines and lines[-1].cell_len + _ITEM_GAP + item.cell_len <= width - _INDENT:
                lines[-1].append(" " * _ITEM_GAP).append_text(item)
            else:
                lines.append(item)
        for line in lines:
            yield Padding(line, (0, 0, 0, _INDENT), expand=False)


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, title_columns: int = 1) -> RecordTable:
    """Return records as a table: numbers right-aligned, ``None`` as a dash, without empty columns.

    ``title_columns`` are the leading columns that identify a record; they are its heading if the table is too wide.
    """
    rows = [list(row) for row in rows]
    used = [column for column in range(len(headings)) if not rows or any(row[column] != "" for row in rows)]
    title_columns = sum(column < title_columns for column in used)
    return RecordTable(
        [headings[column] for column in used], [[row[column] for column in used] for row in rows], title_columns
    )


def pairs(rows: Iterable[tuple[str, Any]]) -> Table:
    """Return names and values, one pair per line, without absent values."""
    table = Table(box=None, show_header=False, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        if value is not None and value != "":
            table.add_row(name, _cell(value))
    return table


def _minimum_width(text: str) -> int:
    """Return the width that keeps a short text, and the words of a long one, whole."""
    width = cell_len(text)
    if width <= _WHOLE_WIDTH:
        return width
    return max((min(cell_len(word), _WORD_WIDTH) for word in text.split()), default=0)


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
