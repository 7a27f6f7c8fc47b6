"""Tables in terminals of several widths, and times with their offset."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer
from rich.console import Console

from genlock.cli.tables import table
from genlock.cli.times import local_time, parse_time

HEADINGS = ("id", "state", "steps", "file", "digest", "by", "note")
ROWS = [
    (18, "succeeded", 12, "clothed_v2.png", "sha256:ed93e6f358e9…", "admin.token", "another coat for the night scenes"),
    (7, "failed", 4, "clothed_v1.png", "sha256:2d9994ccee2a…", "ana", ""),
]


def printed(width: int, rows: Sequence[Sequence[object]] = ROWS) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table(HEADINGS, rows, title_columns=2))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_short_word_is_broken(width: int) -> None:
    shown = printed(width)
    assert max(map(len, shown.splitlines())) <= width
    for row in ROWS:
        for value in row[:-1]:
            assert str(value) in shown, shown


def test_a_narrow_terminal_gets_the_records_one_below_the_other() -> None:
    assert printed(40, ROWS[1:]).splitlines() == [
        "7  failed",
        "  steps 4  file clothed_v1.png",
        "  digest sha256:2d9994ccee2a…  by ana",
    ]


def test_a_wide_terminal_gets_a_table() -> None:
    heading, _, first, *_ = printed(120).splitlines()
    assert heading.split() == list(HEADINGS)
    assert first.split()[:3] == ["18", "succeeded", "12"]


def test_times_are_read_with_their_offset() -> None:
    assert parse_time("2026-12-01T18:00Z") == datetime(2026, 12, 1, 18, tzinfo=UTC)
    assert parse_time("2026-12-01 18:00+01:00") == datetime(2026, 12, 1, 17, tzinfo=UTC)
    for text in ("2026-12-01T18:00", "2026-12-01", "tomorrow", ""):
        with pytest.raises(typer.BadParameter, match="2026-12-01T18:00"):
            parse_time(text)


def test_times_are_shown_in_local_time_with_their_offset() -> None:
    when = datetime(2026, 12, 1, 18, tzinfo=timezone(timedelta(hours=-5)))
    shown = local_time(when)
    assert datetime.fromisoformat(shown) == when
    assert datetime.fromisoformat(shown).utcoffset() == when.astimezone().utcoffset()
