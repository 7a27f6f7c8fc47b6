"""A step that a worker has claimed, with what the worker needs to know of its plan. Pure."""

from datetime import datetime

from genlock.model import Kind, Model
from genlock.regeneration.model import StepKind
from genlock.regeneration.recipe import Recipe


class ClaimedStep(Model):
    """One attempt at a step. ``selected_take_id`` and ``active_version`` are those of the start of the plan."""

    step_id: int
    plan_id: int
    position: int
    project_id: int | None
    segment_id: int | None
    scene_id: int | None
    segment: str | None
    asset_id: int | None
    asset_kind: Kind | None
    asset: str | None
    kind: StepKind
    recipe: Recipe
    take_id: int | None
    selected_take_id: int | None
    active_version: int | None
    attempt: int
    review: bool
    force: bool
    started_by: str
    claimed_at: datetime
    planned_at: datetime

    @property
    def work(self) -> str:
        """Return a name for the work that every attempt shares, and no step of another database."""
        return f"step-{self.step_id} of {self.planned_at.isoformat()}"

    @property
    def event_data(self) -> dict[str, int | str]:
        """Return what events say about the step."""
        facts = {"plan_id": self.plan_id, "position": self.position, "kind": self.kind.value}
        facts |= {"segment_id": self.segment_id, "asset_id": self.asset_id}
        return {name: value for name, value in facts.items() if value is not None}
