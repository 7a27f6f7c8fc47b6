"""Captures: runs that arrived, and the outcome of each."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from genlock.capture.run_record import RunPlace, RunRecord, RunStatus
from genlock.digest import Digest
from genlock.model import Model
from genlock.staleness.model import Cause, State
from genlock.takes.model import Receipt, Take


class CaptureState(StrEnum):
    """The outcome of a run that arrived."""

    INBOX = "inbox"
    """It waits for a person to assign it to a segment."""
    RECORDED = "recorded"
    """It is a take, with its receipt."""
    REPEATED = "repeated"
    """ComfyUI answered from its cache: nothing was generated. ``receipt_id`` is that of the cached run."""
    FAILED = "failed"
    """It ended with an error, or was interrupted."""
    DISMISSED = "dismissed"
    """It needs no assignment: a person dismissed it, or Genlock rendered it itself and recorded its receipt."""


class Capture(Model):
    """One run that arrived. ``why`` is the reason for its state."""

    id: int
    run: str
    prompt_id: str
    status: RunStatus
    state: CaptureState
    why: str | None
    for_review: bool = Field(
        description="Whether its take is for review: not selected, because the selected one came from elsewhere."
    )
    place: RunPlace | None
    segment_id: int | None
    receipt_id: int | None
    video: Digest | None
    graph: Digest
    started_at: datetime
    duration_s: float | None
    received_at: datetime
    received_by: str


class CaptureDetails(Capture):
    """A capture with the whole record of its run."""

    record: RunRecord


class Captured(Model):
    """The outcome of a run, for the client that sent or assigned it. ``warnings`` name inputs that are out of date."""

    run: str
    capture: Capture
    warnings: tuple[str, ...] = ()


class Assignment(Model):
    """The segment that a run belongs to, and whether its take is selected."""

    segment_id: int
    select: bool = True


class RunReceipt(Model):
    """A run, and its receipt once it is recorded. ``state`` and ``causes`` are given while its take is selected."""

    capture: Capture
    receipt: Receipt | None = None
    take: Take | None = None
    state: State | None = None
    causes: tuple[Cause, ...] = ()
