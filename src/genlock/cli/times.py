"""Times on the command line: parsed with their UTC offset, shown in local time with its offset."""

from datetime import UTC, datetime

import typer


def parse_time(text: str) -> datetime:
    """Parse a time. Raise a usage error without an offset, because the time would be ambiguous."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a time. Write it like 2026-12-01T18:00+01:00.") from error
    if time.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset from UTC. Write it like 2026-12-01T18:00+01:00, or with Z.")
    return time


def local_time(when: datetime) -> str:
    """Return a time in the local time zone with its offset, such as ``2026-12-01 18:00:00+01:00``."""
    return when.astimezone().isoformat(sep=" ", timespec="seconds")


def ago(when: datetime | None) -> str:
    """Return how long ago something was, such as ``3 min ago``."""
    if when is None:
        return ""
    seconds = (datetime.now(UTC) - when).total_seconds()
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"
