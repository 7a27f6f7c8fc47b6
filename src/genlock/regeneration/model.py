"""Plans in requests and responses: what would be rendered again, in order, and what is left out."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from genlock.model import InputRole, Model
from genlock.takes.claim import Parameters
from genlock.takes.model import ReferencedAsset

Id = Annotated[int, Field(ge=1, le=2**63 - 1)]


class PlanState(StrEnum):
    """The state of a plan. ``review``: it waits for a user to activate a version or accept the new takes."""

    DRAFT = "draft"
    RUNNING = "running"
    REVIEW = "review"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepKind(StrEnum):
    """What a step does: render, select an earlier take again, or nothing because it is blocked."""

    RENDER = "render"
    RESTORE = "restore"
    BLOCKED = "blocked"


class StepState(StrEnum):
    """The state of a step. ``skipped``: nothing had to be rendered (``saved``), or nothing could be (blocked)."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why a segment is left out of a plan."""

    PINNED = "pinned"
    WAIVED = "waived"
    NOT_SELECTED = "not_selected"
    MATCHING = "matching"
    UPSTREAM = "upstream"
    ARCHIVED = "archived"


class Selection(Model):
    """The segments to plan: the whole report, groups of it, scenes, or single segments."""

    all: bool = False
    segments: Annotated[tuple[Id, ...], Field(max_length=10_000)] = ()
    scenes: Annotated[tuple[Id, ...], Field(max_length=10_000)] = ()
    groups: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.all or self.segments or self.scenes or self.groups):
            raise ValueError("select something: all, segments, scenes or groups")
        if self.all and (self.segments or self.scenes or self.groups):
            raise ValueError("all is the whole report: select either that, or segments, scenes or groups")
        return self


class NewPlan(Model):
    """What to plan. ``cascade`` adds segments that continue selected ones; ``review`` leaves selecting to a user."""

    project_id: Id
    selection: Selection
    cascade: bool = False
    review: bool = False
    force: bool = False
    seed: Literal["same", "new"] = "same"


class Start(Model):
    """How to start a plan: ``as_planned`` runs it although versions or takes have changed since it was created."""

    as_planned: bool = False


class RenderInput(Model):
    """An input of a render. Without ``version`` the expected version is used."""

    role: InputRole
    asset_id: Id
    ordinal: Annotated[int, Field(ge=0, le=999)] | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    strength_model: float | None = None
    strength_clip: float | None = None


class NewRender(Model):
    """A render to start: of a segment, of every segment of a scene, or of a new version of an asset."""

    engine: Annotated[str, Field(min_length=1, max_length=100)]
    inputs: Annotated[tuple[RenderInput, ...], Field(max_length=1000)] = ()
    parameters: Parameters = Parameters()
    review: bool = False


class PlanTotals(Model):
    """What a plan would do (``render`` to ``gpu_seconds``), and its outcome so far.

    ``saved``: steps whose inputs turned out equal to those of a take, so that nothing had to be rendered.
    ``gpu_seconds``: the sum of medians for the steps that render; null where nothing was measured yet.
    """

    steps: int
    render: int
    restore: int
    blocked: int
    left_out: int
    gpu_seconds: float | None
    rendered: int
    restored: int
    saved: int
    failed: int
    cancelled: int


class PlanNote(Model):
    """Something about a plan that its user should know. ``code`` is a stable word for programs."""

    code: str
    message: str
    segment_id: int | None = None
    asset_id: int | None = None
    segments: int | None = None


class Plan(Model):
    """What would be rendered again, in order; the plan that was shown is the plan that runs.

    ``downstream_stale``: segments that will be stale afterwards, because they continue segments that it changes.
    ``progress`` runs from 0 to 1 over the steps that can run.
    """

    id: int
    project_id: int | None
    state: PlanState
    selection: dict[str, Any]
    cascade: bool
    review: bool
    force: bool
    seed: Literal["same", "new"]
    as_planned: bool
    totals: PlanTotals
    progress: float
    downstream_stale: int
    notes: tuple[PlanNote, ...]
    created_by: str
    created_at: datetime
    started_by: str | None
    started_at: datetime | None
    finished_at: datetime | None


class Substitute(Model):
    """An input that a step replaces: ``lora rain v1 → v2``. ``to`` is null for a version that the plan itself makes."""

    role: str
    asset: ReferencedAsset
    from_: int | None = Field(alias="from")
    to: int | None


class StepError(Model):
    """Why a step failed, in the words of the error."""

    code: str
    message: str
    hint: str | None = None


class Step(Model):
    """A render, a restored take or an obstacle, for a segment or for an asset that gets a new version.

    ``name`` is ``scene/position`` or ``kind:name``. ``after``: the steps that run first. ``why``: what blocks a blocked
    or queued step, or why a step was cancelled.
    """

    id: int
    plan_id: int
    position: int
    segment_id: int | None
    asset_id: int | None
    name: str
    kind: StepKind
    state: StepState
    saved: bool
    substitutes: tuple[Substitute, ...]
    after: tuple[int, ...]
    estimate_s: float | None
    progress: float
    worker: str | None
    attempt: int
    take_id: int | None
    version: int | None
    why: str | None
    error: StepError | None
    started_at: datetime | None
    finished_at: datetime | None


class LeftOut(Model):
    """A segment that a plan leaves out, and why. ``name`` is ``scene/position``."""

    segment_id: int
    name: str
    why: Reason


class WorkerView(Model):
    """A worker process: the engines that it reaches, and the time of its last heartbeat."""

    id: int
    name: str
    engines: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    alive: bool
