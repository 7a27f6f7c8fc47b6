"""Reproductions in requests and responses: a receipt run again, and how similar the result is to the original."""

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
    """How similar a result is to the original, best first: same bytes, same frames, visually equal, or different."""

    IDENTICAL = "identical"
    SAME_FRAMES = "same_frames"
    VISUALLY_EQUAL = "visually_equal"
    DIFFERENT = "different"


class ReproductionState(StrEnum):
    """The state of a reproduction. ``failed`` says nothing about the receipt: there was no result to compare."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class NewReproduction(Model):
    """How to run a receipt again. With two runs, the second is compared with the first to measure the noise."""

    runs: Literal[1, 2] = 1


class Thresholds(Model):
    """The least values of every frame of a visually equal result: PSNR in decibels, SSIM from 0 to 1."""

    psnr_db: Annotated[float, Field(ge=0, le=1000)]
    ssim: Annotated[float, Field(ge=0, le=1)]


class Comparison(Model):
    """How similar one output is to another.

    ``psnr_db`` (null where frames are equal) and ``ssim`` have one number for each frame; they and the values derived
    from them are empty if digests decided the verdict. Frames are counted from 1. ``difference`` is the digest of a
    stored picture: the first different frame, the original frame, and their difference enlarged. ``why`` is a sentence.
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
    """A run: its outputs by part, and its duration in seconds."""

    outputs: dict[str, Output]
    graph: Digest
    duration_s: float


class ReproductionResult(Model):
    """The result of a reproduction, written once.

    ``comparison`` compares a run with the receipt's outputs: the first, or the second if only that is not different;
    ``noise`` compares the second run with the first. There is a second run if it was requested, or to confirm that
    frames differ;
    ``within_noise``: whether the original differs from a run at most as much as two runs differ from each other.
    ``surroundings``: differences in the engine's version, its environment and the graph that ran.
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
