"""``inbox``: ComfyUI runs not yet assigned to a segment."""

from enum import StrEnum
from typing import Annotated

import typer

from genlock.capture.inbox import Capture, Captured, CaptureState
from genlock.cli.command import command, group
from genlock.cli.formatting import seconds_word
from genlock.cli.session import Session
from genlock.cli.tables import pairs, table
from genlock.cli.timeline import SegmentArgument
from genlock.cli.times import ago


class Shown(StrEnum):
    """Which runs are listed."""

    INBOX = "inbox"
    REVIEW = "review"
    RECORDED = "recorded"
    REPEATED = "repeated"
    FAILED = "failed"
    DISMISSED = "dismissed"
    ALL = "all"


_REVIEWS = "Some runs are takes for review: genlock inbox list --state review"

CaptureArgument = Annotated[int, typer.Argument(metavar="ID", help="The run's id.")]


def _list_default(session: Session) -> None:
    list_inbox(session)


inbox = group(
    "ComfyUI runs not yet assigned to a segment. Without a command: list them.",
    example="genlock inbox",
    default=_list_default,
)


@command(inbox, "list", example="genlock inbox list --state failed")
def list_inbox(
    session: Session,
    state: Annotated[
        Shown, typer.Option(help="Only runs in this state; `review` for takes to review, `all` for every state.")
    ] = Shown.INBOX,
) -> None:
    """List runs in the inbox, or in another state, newest first."""
    captures = session.gl.captures(state.value)
    rows = [
        (capture.id, ago(capture.received_at), _state(capture), _where(capture), capture.why or "")
        for capture in captures
    ]
    shown = table(("id", "arrived", "state", "where", "why"), rows)
    reviews = state is Shown.INBOX and next(iter(session.gl.captures("review")), None) is not None
    session.show(captures, shown if rows else "No runs.", *([_REVIEWS] if reviews else []))


@command(inbox, "show", example="genlock inbox show 12")
def show_capture(session: Session, capture: CaptureArgument) -> None:
    """Show a run: the files it used and saved, and what could not be observed."""
    shown = session.gl.capture(capture)
    run = shown.record
    unobserved = [name for name, works in run.capture.sees.items() if not works]
    files = [(file.node, file.name, file.digest or f"unknown: {file.missing}") for file in run.files]
    fields = [
        ("state", _state(shown)),
        ("why", shown.why),
        ("where", _where(shown)),
        ("ended", shown.status.value),
        ("took", seconds_word(shown.duration_s)),
        ("in hooks", None if run.capture.overhead_s is None else f"{run.capture.overhead_s * 1000:.1f} ms"),
        ("not observed", ", ".join(unobserved)),
        ("evidence is weaker because", "; ".join(run.capture.reasons)),
        ("saved", ", ".join(file.filename for file in run.outputs)),
    ]
    session.show(shown, pairs(fields), table(("node", "file", "digest as loaded"), files))


@command(inbox, "assign", example="genlock inbox assign 12 rooftop/night/3")
def assign_capture(
    session: Session,
    capture: CaptureArgument,
    segment: SegmentArgument,
    select: Annotated[bool, typer.Option(help="Select the new take.")] = True,
) -> None:
    """Record a run as a take of a segment, with its receipt."""
    captured = session.gl.assign_capture(capture, segment, select=select)
    session.show(captured, _assigned_text(captured, segment))


@command(inbox, "dismiss", example="genlock inbox dismiss 12")
def dismiss_capture(session: Session, capture: CaptureArgument) -> None:
    """Remove a run from the inbox, or its take from those for review. Its record and its take are kept."""
    dismissed = session.gl.dismiss_capture(capture)
    is_take = dismissed.state is CaptureState.RECORDED
    outcome = "is reviewed: its take stays, not selected" if is_take else "is out of the inbox"
    session.show(dismissed, f"Run {capture} {outcome}.")


def _assigned_text(captured: Captured, segment: str) -> str:
    lines = [f"Recorded for {segment}: receipt {captured.capture.receipt_id}.", *captured.warnings]
    return "\n".join(lines)


def _state(capture: Capture) -> str:
    return f"{capture.state.value}, for review" if capture.for_review else capture.state.value


def _where(capture: Capture) -> str:
    place = capture.place
    return "" if place is None else f"{place.project}/{place.scene}/{place.segment}"
