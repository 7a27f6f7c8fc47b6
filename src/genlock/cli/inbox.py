"""``inbox``: runs of ComfyUI that nobody has placed yet."""

from enum import StrEnum
from typing import Annotated

import typer

from genlock.capture.inbox import Capture, Captured
from genlock.cli.command import command, group
from genlock.cli.formatting import seconds_word
from genlock.cli.session import Session
from genlock.cli.tables import pairs, table
from genlock.cli.timeline import SegmentArgument
from genlock.cli.times import ago


class Shown(StrEnum):
    """Which runs are listed."""

    INBOX = "inbox"
    RECORDED = "recorded"
    REPEATED = "repeated"
    FAILED = "failed"
    DISMISSED = "dismissed"
    ALL = "all"


CaptureArgument = Annotated[int, typer.Argument(metavar="ID", help="A run that arrived, by its id.")]


def _list_default(session: Session) -> None:
    list_inbox(session)


inbox = group(
    "ComfyUI runs not yet assigned to a segment. Without a command: list them.",
    example="genlock inbox",
    default=_list_default,
)


@command(inbox, "list", example="genlock inbox list --state failed")
def list_inbox(
    session: Session, state: Annotated[Shown, typer.Option(help="What became of them; all for any.")] = Shown.INBOX
) -> None:
    """List runs that arrived, newest first."""
    found = session.gl.captures(state.value)
    rows = [(one.id, ago(one.received_at), one.state.value, _where(one), one.why or "") for one in found]
    shown = table(("id", "arrived", "state", "where", "why"), rows)
    session.show(found, shown if rows else "Nothing waits here.")


@command(inbox, "show", example="genlock inbox show 12")
def show_capture(session: Session, capture: CaptureArgument) -> None:
    """Show one run: what it used, what it saved, and what could not be seen."""
    found = session.gl.capture(capture)
    run = found.record
    blind = [name for name, works in run.capture.sees.items() if not works]
    files = [(one.node, one.name, one.digest or f"unknown: {one.missing}") for one in run.files]
    said = [
        ("state", found.state.value),
        ("why", found.why),
        ("where", _where(found)),
        ("ended", found.status.value),
        ("took", seconds_word(found.duration_s)),
        ("in hooks", None if run.capture.overhead_s is None else f"{run.capture.overhead_s * 1000:.1f} ms"),
        ("not seen", ", ".join(blind)),
        ("saved", ", ".join(one.filename for one in run.outputs)),
    ]
    session.show(found, pairs(said), table(("node", "file", "digest as loaded"), files))


@command(inbox, "assign", example="genlock inbox assign 12 rooftop/night/3")
def assign_capture(
    session: Session,
    capture: CaptureArgument,
    segment: SegmentArgument,
    select: Annotated[bool, typer.Option(help="Put the new take in the cut.")] = True,
) -> None:
    """Record a run as a take of a segment, with its receipt."""
    told = session.gl.assign_capture(capture, segment, select=select)
    session.show(told, _said(told, segment))


@command(inbox, "dismiss", example="genlock inbox dismiss 12")
def dismiss_capture(session: Session, capture: CaptureArgument) -> None:
    """Take a run out of the inbox. Its record stays, and it may still be assigned."""
    session.show(session.gl.dismiss_capture(capture), f"Run {capture} is out of the inbox.")


def _said(told: Captured, segment: str) -> str:
    lines = [f"Recorded for {segment}: receipt {told.capture.receipt_id}.", *told.warnings]
    return "\n".join(lines)


def _where(one: Capture) -> str:
    place = one.place
    return "" if place is None else f"{place.project}/{place.scene}/{place.segment}"
