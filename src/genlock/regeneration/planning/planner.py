"""Plans which segments to render again, and lists what is left out and why. Pure: the situation is loaded before.

    selection ──▶ selected segments ──▶ versions to remake ──▶ walk each chain, first segment first ──▶ draft

    clothed v2  ┌─────────┐   restore   render    blocked
    is made ───▶│ step 1  │──▶ step 2 ─▶ step 3 ─▶ step 4        one chain: each waits for the one before
                └─────────┘──▶ step 5 ─▶ …                        another chain: independent of it

    a selected segment      is not stale                          left out: matching, pinned or waived
                            expects the inputs that its take has  left out: upstream (or matching)
                            expects those of an earlier take      restore
                            lacks an input or an engine           blocked, and all that continues it
                            else                                  render

After a rendered segment the frame is open, so the next segment is planned as a render; if its inputs turn out equal to
those of an existing take when it starts, it is cut off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from genlock.digest import Digest, digest_of_json
from genlock.regeneration import recipe as recipes
from genlock.regeneration.model import PlanNote, Reason, StepKind, Substitute
from genlock.regeneration.planning.draft import Draft, DraftStep, Expectation, PlanRequest
from genlock.regeneration.planning.input_review import InputReviews
from genlock.regeneration.planning.redo import Frame, Redo, redo
from genlock.regeneration.planning.remake import Remake, Remakes, remakes
from genlock.regeneration.planning.situation import EarlierTake, PlannedSegment, SelectedTake, Situation
from genlock.regeneration.recipe import Recipe
from genlock.takes.claim_resolution import LAST_FRAME
from genlock.takes.model import ReferencedAsset


def plan(situation: Situation, plan_request: PlanRequest) -> Draft:
    """Return the draft of a plan for a request in this situation."""
    scenes = [list(segments) for _, segments in groupby(situation.segments, key=lambda segment: segment.scene_id)]
    selected = (
        frozenset(plan_request.selected | _continuing(scenes, plan_request.selected))
        if plan_request.cascade
        else plan_request.selected
    )
    plan_request = replace(plan_request, selected=selected)
    again = remakes(situation, {*_used(situation, plan_request), *plan_request.used}, plan_request.engines)
    walk = _Walk(situation, plan_request, again)
    for segments in scenes:
        walk.scene(segments)
    return walk.draft()


def _continuing(scenes: Iterable[list[PlannedSegment]], selected: frozenset[int]) -> set[int]:
    """Return the segments that continue a selected one, to the end of its run."""
    continuing: set[int] = set()
    for segments in scenes:
        taken = False
        for segment in segments:
            taken = (taken and segment.take is not None and segment.take.continues) or segment.segment_id in selected
            if taken:
                continuing.add(segment.segment_id)
    return continuing


def _used(situation: Situation, plan_request: PlanRequest) -> Iterable[tuple[int, int]]:
    """Yield every (scope, asset) whose expected version a selected stale segment uses."""
    for segment in situation.segments:
        if segment.segment_id not in plan_request.selected or segment.take is None or segment.archived:
            continue
        judgement = situation.judgement(segment.segment_id)
        if judgement.stale or plan_request.force:
            for line in segment.take.receipt.inputs:
                if line.asset is not None and not judgement.keeps(line):
                    yield segment.scope_id, line.asset


class _Walk:
    """Walks through the scenes once, segment by segment, and decides about each."""

    def __init__(self, situation: Situation, plan_request: PlanRequest, again: Remakes) -> None:
        self._situation = situation
        self._plan_request = plan_request
        self._again = again
        self._reviews = InputReviews(situation, again)
        self._steps: list[DraftStep] = []
        self._left_out: dict[int, Reason] = {}
        self._downstream = 0
        self._expected: dict[tuple[int | None, int], Expectation] = {}
        self._frames: dict[int, int] = {}
        self._empty = 0
        self._remade = self._plan_remakes()

    def scene(self, segments: list[PlannedSegment]) -> None:
        """Plan the segments of one scene."""
        predecessors: list[_Predecessor] = []
        touched = _runs_with(segments, self._plan_request.selected)
        for run, segment in zip(_runs(segments), segments, strict=True):
            if segment.archived:
                if segment.segment_id in self._plan_request.selected:
                    self._left_out[segment.segment_id] = Reason.ARCHIVED
                continue
            if segment.take is None:
                self._empty += segment.segment_id in self._plan_request.selected
                predecessors.append(_Predecessor(segment))
                continue
            before = predecessors[-1] if predecessors and segment.take.continues else None
            predecessors.append(self._segment(segment, segment.take, before, in_touched_run=run in touched))

    def draft(self) -> Draft:
        """Return the draft with all decisions."""
        notes: list[PlanNote] = []
        if self._empty:
            notes.append(
                PlanNote(
                    code="empty",
                    message=f"{_segments(self._empty)} without a take: render {'it' if self._empty == 1 else 'them'} "
                    "first; a plan only renders again.",
                    segments=self._empty,
                )
            )
        return Draft(
            steps=tuple(self._steps),
            left_out=self._left_out,
            downstream_stale=self._downstream,
            expected=tuple(self._expected.values()),
            frames=self._frames,
            notes=tuple(notes),
            remakes=self._again,
        )

    def _plan_remakes(self) -> dict[int, int]:
        """Add steps for the versions to remake, also for the blocked ones; return their positions by asset."""
        positions: dict[int, int] = {}
        for asset_id, why in sorted(self._again.obstacles.items()):
            self._add(asset_id=asset_id, kind=StepKind.BLOCKED, recipe=None, why=why)
        for remake in self._again.in_order():
            positions[remake.asset_id] = self._add_remake(remake, positions)
        return positions

    def _add_remake(self, remake: Remake, positions: Mapping[int, int]) -> int:
        recipe = remake.recipe
        if self._plan_request.new_seed is not None:
            recipe = recipes.with_seed(recipe, self._plan_request.new_seed())
        self._expect(None, remake.asset_id)
        for line in recipe.inputs:
            if line.asset is not None and line.open is None:
                self._expect(None, line.asset, number=line.version)
        substitutes = tuple(
            _substitute(line.role.value, self._situation.named(line.asset or 0), used, line.version)
            for line, used in remake.replaced
        )
        return self._add(
            asset_id=remake.asset_id,
            kind=StepKind.RENDER,
            recipe=recipe,
            substitutes=substitutes,
            after=tuple(sorted(positions[asset] for asset in remake.after)),
            active_version=remake.active,
            estimate_s=self._cost(remake.workload_id),
        )

    def _segment(
        self, segment: PlannedSegment, take: SelectedTake, before: "_Predecessor | None", *, in_touched_run: bool
    ) -> "_Predecessor":
        behind_change = before is not None and before.changed
        behind_gap = before is not None and before.gap
        reason = self._reason_to_leave(segment, take, in_touched_run=in_touched_run)
        if segment.segment_id not in self._plan_request.selected or reason is not None:
            if reason is not None:
                self._left_out[segment.segment_id] = reason
            self._downstream += behind_change or behind_gap
            return _Predecessor(segment, changed=behind_change, gap=behind_change or behind_gap)
        remedy = redo(
            self._situation, self._reviews, segment, take, before.frame if before else None, self._plan_request.engines
        )
        if before is not None and before.blocked:
            remedy = replace(remedy, obstacle=f"continues {before.segment.name}, which is blocked.")
        if remedy.obstacle is not None:
            return self._block(segment, take, remedy, before)
        if self._plan_request.new_seed is not None:
            remedy = replace(remedy, recipe=recipes.with_seed(remedy.recipe, self._plan_request.new_seed()))
        self._downstream += behind_gap
        restored = None
        if not self._plan_request.force:
            request = recipes.request_of(remedy.recipe)
            if request == remedy.has:
                # It was made from the restored frame before it and needs nothing, or its cause is further upstream.
                self._left_out[segment.segment_id] = Reason.MATCHING if behind_change else Reason.UPSTREAM
                return _Predecessor(segment, gap=behind_gap)
            earlier = self._situation.earlier_takes.get(segment.segment_id, ())
            restored = _match(earlier, request, remedy.recipe.graph) if request is not None and earlier else None
        if restored:
            self._remember(segment, remedy, before)
            position = self._add_segment(segment, take, remedy, StepKind.RESTORE, restored.take_id, before)
            changed = restored.outputs.get(LAST_FRAME) != take.outputs.get(LAST_FRAME)
            return _Predecessor(segment, position, restored=restored, changed=changed, gap=behind_gap)
        if remedy.cannot_render is not None:
            return self._block(segment, take, replace(remedy, obstacle=remedy.cannot_render), before)
        self._remember(segment, remedy, before)
        position = self._add_segment(segment, take, remedy, StepKind.RENDER, None, before)
        return _Predecessor(segment, position, rendered=True, changed=True, gap=behind_gap)

    def _block(
        self, segment: PlannedSegment, take: SelectedTake, remedy: Redo, before: "_Predecessor | None"
    ) -> "_Predecessor":
        self._add_segment(segment, take, remedy, StepKind.BLOCKED, None, before)
        return _Predecessor(segment, blocked=True, changed=before is not None and before.changed)

    def _reason_to_leave(self, segment: PlannedSegment, take: SelectedTake, *, in_touched_run: bool) -> Reason | None:
        judgement = self._situation.judgement(segment.segment_id)
        if segment.segment_id not in self._plan_request.selected:
            if judgement.stale and in_touched_run:
                return Reason.NOT_SELECTED
            return self._plan_request.aside.get(segment.segment_id)
        if self._plan_request.force or judgement.stale:
            return None
        if judgement.waived:
            return Reason.WAIVED
        return Reason.PINNED if self._is_outdated_but_pinned(segment, take) else Reason.MATCHING

    def _is_outdated_but_pinned(self, segment: PlannedSegment, take: SelectedTake) -> bool:
        """Return whether it matches only because of a pin: the active version has another content."""
        for line in (*take.receipt.inputs, *take.via):
            if line.asset is None:
                continue
            expected, active = (self._situation.expected(scene, line.asset) for scene in (segment.scene_id, None))
            if expected and active and expected.effective != active.effective:
                return True
        return False

    def _remember(self, segment: PlannedSegment, remedy: Redo, before: "_Predecessor | None") -> None:
        for asset_id in remedy.judged:
            self._expect(segment.scene_id, asset_id)
        if before is not None and before.position is None and before.segment.take is not None:
            self._frames[before.segment.segment_id] = before.segment.take.take_id

    def _expect(self, scene_id: int | None, asset_id: int, *, number: int | None = None) -> None:
        if (scene_id, asset_id) in self._expected:
            return
        target = self._situation.expected(scene_id, asset_id)
        if target is not None and number in (None, target.number):
            expectation = Expectation(scene_id, target.asset, target.number, target.effective)
            self._expected[(scene_id, asset_id)] = expectation

    def _add_segment(
        self,
        segment: PlannedSegment,
        take: SelectedTake,
        remedy: Redo,
        kind: StepKind,
        take_id: int | None,
        before: "_Predecessor | None",
    ) -> int:
        after = {self._remade[asset] for asset in remedy.recipe.open_assets if asset in self._remade}
        chain = None
        if before is not None and before.position is not None:
            after.add(before.position)
            chain = self._steps[before.position - 1].chain
        blocked = kind is StepKind.BLOCKED
        return self._add(
            segment_id=segment.segment_id,
            chain=chain,
            kind=kind,
            recipe=None if blocked else remedy.recipe,
            substitutes=tuple(_substitute(each.role, each.asset, each.used, each.to) for each in remedy.replaced),
            after=() if blocked else tuple(sorted(after)),
            take_id=take_id,
            selected_take_id=take.take_id,
            estimate_s=self._cost(take.receipt.workload_id) if kind is StepKind.RENDER else None,
            why=remedy.obstacle,
        )

    def _add(
        self,
        *,
        kind: StepKind,
        recipe: Recipe | None,
        segment_id: int | None = None,
        asset_id: int | None = None,
        chain: int | None = None,
        substitutes: tuple[Substitute, ...] = (),
        after: tuple[int, ...] = (),
        take_id: int | None = None,
        selected_take_id: int | None = None,
        active_version: int | None = None,
        estimate_s: float | None = None,
        why: str | None = None,
    ) -> int:
        position = len(self._steps) + 1
        self._steps.append(
            DraftStep(
                position=position,
                chain=chain or position,
                segment_id=segment_id,
                asset_id=asset_id,
                kind=kind,
                recipe=recipe,
                substitutes=substitutes,
                after=after,
                take_id=take_id,
                selected_take_id=selected_take_id,
                active_version=active_version,
                estimate_s=estimate_s,
                why=why,
            )
        )
        return position

    def _cost(self, workload_id: int | None) -> float | None:
        return None if workload_id is None else self._situation.cost_s.get(workload_id)


@dataclass(frozen=True, slots=True)
class _Predecessor:
    """The outcome planned for the previous segment: its step, and the frame that can be continued after it.

    ``changed``: its frame will change. ``gap``: it is left out after such a change, or continues one that is.
    """

    segment: PlannedSegment
    position: int | None = None
    restored: EarlierTake | None = None
    rendered: bool = False
    blocked: bool = False
    changed: bool = False
    gap: bool = False

    @property
    def frame(self) -> Frame:
        """The frame that can be continued after it; open while it is to be rendered."""
        if self.rendered or self.segment.take is None:
            return Frame()
        if self.restored is not None:
            return Frame(self.restored.take_id, self.restored.outputs)
        return Frame(self.segment.take.take_id, self.segment.take.outputs)


def _match(
    earlier_takes: Iterable[EarlierTake], request: Mapping[str, Any], graph: Digest | None
) -> EarlierTake | None:
    """Return the newest earlier take that was made from the same request, by a graph if one is given."""
    digest = digest_of_json(request)
    return next((take for take in earlier_takes if take.inputs_digest == digest and graph in (None, take.graph)), None)


def _runs(segments: Iterable[PlannedSegment]) -> list[int]:
    """Return the index of each segment's run in the scene."""
    runs: list[int] = []
    run = 0
    for segment in segments:
        run += segment.take is None or not segment.take.continues
        runs.append(run)
    return runs


def _runs_with(segments: list[PlannedSegment], selected: frozenset[int]) -> set[int]:
    return {run for run, segment in zip(_runs(segments), segments, strict=True) if segment.segment_id in selected}


def _substitute(role: str, asset: ReferencedAsset, used: int | None, to: int | None) -> Substitute:
    return Substitute.model_validate({"role": role, "asset": asset, "from": used, "to": to})


def _segments(count: int) -> str:
    return f"{count} segment{'' if count == 1 else 's'}"
