"""The progress reported while waiting for the server, from the lines of its log."""

from pathlib import Path

from genlock.db.embedded.progress import Log

STARTING = "2026-01-01 00:00:00 UTC [1] LOG:  starting PostgreSQL 18.4 on x86_64\n"
RECOVERY = """\
2026-01-01 00:00:00 UTC [7] LOG:  database system was interrupted; last known up at 2025-12-31 23:00:00 UTC
2026-01-01 00:00:03 UTC [7] LOG:  syncing data directory (fsync), elapsed time: 2.00 s, current path: ./base/1/1
2026-01-01 00:00:03 UTC [7] LOG:  redo starts at 1/10000000
2026-01-01 00:00:15 UTC [7] LOG:  redo in progress, elapsed time: 12.00 s, current LSN: 1/90000000
2026-01-01 00:00:20 UTC [7] LOG:  redo done at 1/A0000000 system usage: CPU: user: 1 s, elapsed: 17.00 s
"""


def new_messages(log: Log) -> list[str]:
    """Return the new messages of a log."""
    heard: list[str] = []
    log.report(heard.append)
    return heard


def test_each_step_of_a_recovery_is_reported_once(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text(STARTING + RECOVERY)
    log = Log(path, 0)
    assert new_messages(log) == [
        "The database was not stopped properly. Recovering it; nothing committed is lost.",
        "Recovering the database: making its files safe on disk (2 s).",
        "Recovering the database: 2,147 MB of its journal replayed (12 s).",
        "Recovering the database: journal replayed, writing the result to disk.",
    ]
    assert new_messages(log) == []


def test_an_incomplete_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    first = RECOVERY.splitlines(keepends=True)[0]
    path.write_text(first[:70])
    log = Log(path, 0)
    assert new_messages(log) == []
    path.write_text(first)
    assert len(new_messages(log)) == 1


def test_earlier_recoveries_are_not_reported(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text(STARTING + RECOVERY + STARTING)
    assert new_messages(Log.since_start(path)) == []
    path.write_text(STARTING + RECOVERY + STARTING + RECOVERY)
    assert len(new_messages(Log.since_start(path))) == 4
    assert new_messages(Log.since_start(tmp_path / "server.log")) == new_messages(Log.since_start(path))


def test_a_missing_log_has_no_earlier_lines(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    log = Log.since_start(path)
    path.write_text(STARTING)
    assert log.text() == STARTING
