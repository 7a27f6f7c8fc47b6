"""Captures: runs that arrived, and what became of each."""

from datetime import datetime
from enum import StrEnum

from genlock.capture.runs import RunPlace, RunRecord, RunStatus
from genlock.digest import Digest
from genlock.model import Model


class CaptureState(StrEnum):
    """What became of a run that arrived."""

    INBOX = "inbox"
    """It waits for a person to say which segment it belongs to."""
    RECORDED = "recorded"
    """It is a take, with its receipt."""
    REPEATED = "repeated"
    """ComfyUI answered from its cache: nothing was generated. ``receipt_id`` is that of what it showed again."""
    FAILED = "failed"
    """It ended with an error, or was interrupted."""
    DISMISSED = "dismissed"
    """Nobody needs it here: a person said so, or Genlock rendered it itself and made its receipt."""


class Capture(Model):
    """One run that arrived. ``why`` says in words why it is where it is."""

    id: int
    run: str
    prompt_id: str
    status: RunStatus
    state: CaptureState
    why: str | None
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
    """What became of a run, told to whoever sent or assigned it. ``warnings`` name inputs that are out of date."""

    run: str
    capture: Capture
    warnings: tuple[str, ...] = ()


class Assignment(Model):
    """The segment that a run belongs to, and whether its take is put in the cut."""

    segment_id: int
    select: bool = True
