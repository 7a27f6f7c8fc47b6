"""Calls for plans, their steps, and renders."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from genlock.model import Page
from genlock.regeneration.model import (
    LeftOut,
    NewPlan,
    NewRender,
    Plan,
    PlanState,
    RenderInput,
    Selection,
    Start,
    Step,
    WorkerView,
)
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.listing import Listing
from genlock.sdk.names import AssetLike, ProjectLike, SceneLike, SegmentLike
from genlock.staleness.model import Group

_PAUSE_S = 0.3
ENDED = frozenset({PlanState.SUCCEEDED, PlanState.FAILED, PlanState.CANCELLED, PlanState.REVIEW})
"""States in which a plan has ended, or waits for a review."""


class RegenerationCalls(Calls):
    """Plans and renders."""

    def plan(
        self,
        project: ProjectLike,
        *,
        segments: Iterable[SegmentLike] | None = None,
        scenes: Iterable[SceneLike] | None = None,
        groups: Iterable[Group | str] | None = None,
        cascade: bool = False,
        review: bool = False,
        force: bool = False,
        seed: Literal["same", "new"] = "same",
    ) -> Plan:
        """Create a draft plan. Without segments, scenes or groups it covers everything that is out of date.

        Raise ``Invalid`` for an empty list, so that a filter without matches does not plan everything.
        """
        selection = body_of(
            Selection,
            segments=None if segments is None else [self._names.segment_id(segment) for segment in segments],
            scenes=None if scenes is None else [self._names.scene_id(scene) for scene in scenes],
            groups=None if groups is None else [group if isinstance(group, str) else group.id for group in groups],
            all=True if segments is None and scenes is None and groups is None else None,
        )
        new = body_of(
            NewPlan,
            project_id=self._names.project_id(project),
            selection=selection,
            cascade=cascade,
            review=review,
            force=force,
            seed=seed,
        )
        return self._http.send(Plan, "POST", "/plans", new)

    def plans(self, *, project: ProjectLike | None = None, state: PlanState | str | None = None) -> Listing[Plan]:
        """List plans, newest first."""
        return self._list(Page[Plan], "/plans", project_id=self._project_of(project), state=state)

    def get_plan(self, plan: Plan | int) -> Plan:
        """Return the current state of a plan."""
        return self._http.get(Plan, f"/plans/{_id(plan)}")

    def steps(self, plan: Plan | int, *, page_size: int = 500) -> Listing[Step]:
        """List a plan's steps, in the order in which they can run."""
        return self._list(Page[Step], f"/plans/{_id(plan)}/steps", limit=page_size)

    def left_out(self, plan: Plan | int) -> Listing[LeftOut]:
        """List the segments that a plan leaves out, and why."""
        return self._list(Page[LeftOut], f"/plans/{_id(plan)}/left-out", limit=500)

    def start_plan(self, plan: Plan | int, *, as_planned: bool = False) -> Plan:
        """Start a plan. Raise ``Conflict`` if its expected versions or takes have changed, unless ``as_planned``."""
        body = Start(as_planned=as_planned)
        return self._http.send(Plan, "POST", f"/plans/{_id(plan)}/start", body)

    def cancel_plan(self, plan: Plan | int) -> Plan:
        """Cancel a plan at once; finished steps are kept."""
        return self._http.send(Plan, "POST", f"/plans/{_id(plan)}/cancel")

    def retry_plan(self, plan: Plan | int) -> Plan:
        """Retry the steps that failed or were cancelled, and those that depend on them."""
        return self._http.send(Plan, "POST", f"/plans/{_id(plan)}/retry")

    def accept_plan(self, plan: Plan | int) -> Plan:
        """Select every take that a plan in review made."""
        return self._http.send(Plan, "POST", f"/plans/{_id(plan)}/accept")

    def follow_plan(self, plan: Plan | int) -> Iterator[Plan]:
        """Poll a plan until it has ended or waits for a review."""
        while True:
            now = self.get_plan(plan)
            yield now
            if now.state in ENDED:
                return
            time.sleep(_PAUSE_S)

    def wait_for(self, plan: Plan | int) -> Plan:
        """Wait until a plan has ended or waits for a review."""
        *_, last = self.follow_plan(plan)
        return last

    # renders -------------------------------------------------------------------------------------

    def render(
        self,
        place: str,
        *,
        engine: str,
        inputs: Sequence[RenderInput] = (),
        parameters: Mapping[str, Any] | None = None,
        review: bool = False,
    ) -> Plan:
        """Start a plan that renders a take of a segment, or of every segment of a scene."""
        new = body_of(NewRender, engine=engine, inputs=inputs, parameters=dict(parameters or {}), review=review)
        if place.count("/") == 1:
            return self._http.send(Plan, "POST", f"/scenes/{self._names.scene_id(place)}/render", new)
        return self._http.send(Plan, "POST", f"/segments/{self._names.segment_id(place)}/render", new)

    def render_asset(
        self,
        asset: AssetLike,
        *,
        engine: str,
        inputs: Sequence[RenderInput] = (),
        parameters: Mapping[str, Any] | None = None,
        review: bool = False,
        project: ProjectLike | None = None,
    ) -> Plan:
        """Start a plan that renders a new version of an asset, such as a variant, with its receipt."""
        new = body_of(NewRender, engine=engine, inputs=inputs, parameters=dict(parameters or {}), review=review)
        asset_id = self._names.asset(asset, self._project_of(project)).id
        return self._http.send(Plan, "POST", f"/assets/{asset_id}/render", new)

    def render_input(
        self,
        reference: str,
        *,
        role: str | None = None,
        strength_model: float | None = None,
        strength_clip: float | None = None,
        project: ProjectLike | None = None,
    ) -> RenderInput:
        """Return an input of a render: ``lora:rain`` in its expected version, ``lora:rain@2`` in that one."""
        asset, number = self._names.version(reference, self._project_of(project))
        return body_of(
            RenderInput,
            role=role or asset.kind.value,
            asset_id=asset.id,
            version=number,
            strength_model=strength_model,
            strength_clip=strength_clip,
        )

    def workers(self) -> Listing[WorkerView]:
        """List the worker processes, with their engines and the time of their last heartbeat."""
        return self._list(Page[WorkerView], "/workers")


def _id(plan: Plan | int) -> int:
    return plan if isinstance(plan, int) else plan.id
