"""Reproductions as they are asked for and answered: a receipt run again, and how like the original that is."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from genlock.digest import Digest
from genlock.model import Model
from genlock.regeneration.model import StepError
from genlock.takes.claim import Output
from genlock.takes.difference import ValueDifference


class Verdict(StrEnum):
    """How like the original something is, best first: the same bytes, the same frames, alike to the eye, or not."""

    IDENTICAL = "identical"
    SAME_FRAMES = "same_frames"
    VISUALLY_EQUAL = "visually_equal"
    DIFFERENT = "different"


class ReproductionState(StrEnum):
    """How far a reproduction is. ``failed`` says nothing about the receipt: there was no result to compare."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class NewReproduction(Model):
    """How to run a receipt again. With two runs the second is compared with the first: what chance alone does."""

    runs: Literal[1, 2] = 1


class Thresholds(Model):
    """What every frame must reach to be called visually equal: PSNR in decibels, SSIM from 0 to 1."""

    psnr_db: Annotated[float, Field(ge=0, le=1000)]
    ssim: Annotated[float, Field(ge=0, le=1)]


class Comparison(Model):
    """How like one output is to another.

    ``psnr_db`` (null where frames are equal) and ``ssim`` have one number for each frame; they and what follows from
    them are empty where bytes or digests decided already. Frames are counted from 1. ``difference`` is the digest of
    a stored picture: the first different frame, what it was, and their difference enlarged. ``why`` says it in words.
    """

    verdict: Verdict
    why: str
    frames: int | None = None
    other_frames: int | None = None
    first_different_frame: int | None = None
    worst_psnr_db: float | None = None
    worst_ssim: float | None = None
    psnr_db: tuple[float | None, ...] = ()
    ssim: tuple[float, ...] = ()
    difference: Digest | None = None


class ReproductionRun(Model):
    """One run: what it made, by part, and how long that took."""

    outputs: dict[str, Output]
    graph: Digest
    duration_s: float


class ReproductionResult(Model):
    """What came of a reproduction, written once.

    ``comparison`` is of the first run with what the receipt names; ``noise`` of the second run with the first, and
    ``within_noise`` whether the original is no further away than two runs are from each other. ``surroundings``:
    what differs in the engine's version, its environment and the graph that really ran.
    """

    comparison: Comparison
    noise: Comparison | None = None
    within_noise: bool | None = None
    surroundings: tuple[ValueDifference, ...]
    runs: tuple[ReproductionRun, ...]


class Reproduction(Model):
    """A receipt that is run again. It makes no take, selects nothing, and never touches the receipt."""

    id: int
    receipt_id: int
    project_id: int | None
    engine: str
    runs: int
    thresholds: Thresholds
    state: ReproductionState
    progress: float
    attempt: int
    worker: str | None
    verdict: Verdict | None
    result: ReproductionResult | None
    error: StepError | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
