"""How a step of a plan ends: recorded, restored, cut off, failed or given back. Pure.

    outcome       the step is   what is written with it
    recorded      succeeded     a new take or version with its receipt
    restored      succeeded     nothing new: the planned earlier take is selected
    cut off       skipped       nothing new: a take or version made from the same inputs is selected or activated
    failed        failed        the error; what depends on the step is cancelled
    given back    queued        nothing: another attempt does the work

A take or version is put to use only if no other one was put to use since the plan started, and never with *review*.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from genlock.engines.model import Rendered
from genlock.errors import GenlockError
from genlock.library.model import Identity
from genlock.regeneration.model import PlanNote, StepError, StepState
from genlock.regeneration.plans.claimed_step import ClaimedStep
from genlock.regeneration.recipe import Recipe
from genlock.takes.claim import Claim, Output


@dataclass(frozen=True, slots=True)
class RenderResult:
    """The result of a render, its bytes stored."""

    claim: Claim
    outputs: Mapping[str, Output]
    graph: Output
    recipe: Recipe
    rendered: Rendered


@dataclass(frozen=True, slots=True)
class RecordedTake:
    """A new take of the segment was rendered."""

    segment_id: int
    result: RenderResult


@dataclass(frozen=True, slots=True)
class RecordedVersion:
    """A picture was rendered that becomes a version of the asset."""

    asset_id: int
    result: RenderResult
    identity: Identity


@dataclass(frozen=True, slots=True)
class RestoredTake:
    """An earlier take of the segment is used again, as planned."""

    state: ClassVar = StepState.SUCCEEDED
    segment_id: int
    take_id: int


@dataclass(frozen=True, slots=True)
class CutOffByTake:
    """A take of the segment was made from the same inputs: nothing is rendered."""

    state: ClassVar = StepState.SKIPPED
    segment_id: int
    take_id: int


@dataclass(frozen=True, slots=True)
class CutOffByVersion:
    """A version of the asset was made from the same inputs: nothing is rendered."""

    asset_id: int
    version: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The step could not be done."""

    error: GenlockError


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The worker ends, or its engine is unreachable: the step is queued again."""


StepOutcome = RecordedTake | RecordedVersion | RestoredTake | CutOffByTake | CutOffByVersion | Failed | GivenBack


@dataclass(frozen=True, slots=True)
class StepEnd:
    """What the row of a step says when it has ended, and what the event about it says in addition."""

    state: StepState
    take_id: int | None = None
    version: int | None = None
    take: int | None = None
    error: StepError | None = None

    @property
    def saved(self) -> bool:
        """Return whether nothing had to be rendered."""
        return self.state is StepState.SKIPPED

    @property
    def event_data(self) -> dict[str, int | str | bool]:
        """Return what the event says about the end."""
        facts = {"take_id": self.take_id, "take": self.take, "version": self.version, "saved": self.saved or None}
        if self.error is not None:
            facts |= {"error": self.error.code, "message": self.error.message}
        return {name: value for name, value in facts.items() if value is not None}


def is_selected(claimed: ClaimedStep, selected_take_id: int | None, take_id: int) -> bool:
    """Return whether a step's take is to be selected: no other one was since the plan started."""
    return not claimed.review and selected_take_id in (claimed.selected_take_id, take_id)


def is_activated(claimed: ClaimedStep, active_version: int | None) -> bool:
    """Return whether a step's version is to be activated: no other one was since the plan started."""
    return not claimed.review and active_version == claimed.active_version


def not_selected_note(claimed: ClaimedStep, take: int | None) -> PlanNote:
    """Return the note about a take that is not selected; ``take`` is the number of a new one."""
    subject = "an earlier take, made from the same inputs," if take is None else f"take {take} was added and"
    return PlanNote(
        code="not_selected",
        segment_id=claimed.segment_id,
        message=f"{claimed.segment}: another take was selected while this plan ran; {subject} is not selected.",
    )


def not_activated_note(claimed: ClaimedStep, name: str, version: int, active_version: int | None) -> PlanNote:
    """Return the note about a new version that is not active."""
    return PlanNote(
        code="not_activated",
        asset_id=claimed.asset_id,
        message=f"{name} v{version} was made and is not active: v{active_version} was activated while this plan ran.",
    )
