"""Plans what would be redone, and says what is left out and why. Pure: the situation was loaded before.

    selection ──▶ chosen segments ──▶ versions to make again ──▶ walk each chain, first segment first ──▶ draft

    clothed v2  ┌─────────┐   restore   render    blocked
    is made ───▶│ step 1  │──▶ step 2 ─▶ step 3 ─▶ step 4        one chain: each waits for the one before
                └─────────┘──▶ step 5 ─▶ …                        another chain: independent of it

    a chosen segment is …   nothing the matter                    left out: matching, pinned or waived
                            what it wants is what its take has    left out: upstream (or matching)
                            an earlier take is what it wants      restore
                            something it needs cannot be had      blocked, and all that continues it
                            else                                  render

Behind a segment that is rendered the frame is open, so the next one is planned as a render; when it starts and wants
what a take already is, it is cut off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from genlock.regeneration import wanted
from genlock.regeneration.model import PlanNote, Reason, StepKind, Substitute
from genlock.regeneration.planning.draft import Ask, Draft, DraftStep, Expectation
from genlock.regeneration.planning.redo import Frame, Redo, redo
from genlock.regeneration.planning.remake import Remake, Remakes, remakes
from genlock.regeneration.planning.situation import Chosen, Past, Seat, Situation
from genlock.regeneration.wanted import Wish
from genlock.takes.claim_resolution import LAST_FRAME
from genlock.takes.model import ReferencedAsset


def plan(situation: Situation, ask: Ask) -> Draft:
    """The draft for what is asked in this situation."""
    scenes = [list(seats) for _, seats in groupby(situation.seats, key=lambda seat: seat.scene_id)]
    chosen = frozenset(ask.chosen | _behind(scenes, ask.chosen)) if ask.cascade else ask.chosen
    ask = replace(ask, chosen=chosen)
    again = remakes(situation, {*_used(situation, ask), *ask.used}, ask.engines)
    walk = _Walk(situation, ask, again)
    for seats in scenes:
        walk.scene(seats)
    return walk.draft()


def _behind(scenes: Iterable[list[Seat]], chosen: frozenset[int]) -> set[int]:
    """What continues a chosen segment, to the end of its run."""
    found: set[int] = set()
    for seats in scenes:
        taken = False
        for seat in seats:
            taken = (taken and seat.take is not None and seat.take.continues) or seat.segment_id in chosen
            if taken:
                found.add(seat.segment_id)
    return found


def _used(situation: Situation, ask: Ask) -> Iterable[tuple[int, int]]:
    """Every (scope, asset) that is used by a chosen segment with something the matter, in its expected version."""
    for seat in situation.seats:
        if seat.segment_id not in ask.chosen or seat.take is None or seat.archived:
            continue
        judgement = situation.judgement(seat.segment_id)
        if judgement.stale or ask.force:
            for line in seat.take.made.inputs:
                if line.asset is not None and not judgement.keeps(line):
                    yield seat.scope_id, line.asset


class _Walk:
    """Goes through the scenes once, segment by segment, and notes what becomes of each."""

    def __init__(self, situation: Situation, ask: Ask, again: Remakes) -> None:
        self._situation = situation
        self._ask = ask
        self._again = again
        self._steps: list[DraftStep] = []
        self._left_out: dict[int, Reason] = {}
        self._downstream = 0
        self._expected: dict[tuple[int | None, int], Expectation] = {}
        self._frames: dict[int, int] = {}
        self._empty = 0
        self._remade = self._plan_remakes()

    def scene(self, seats: list[Seat]) -> None:
        """Plan the segments of one scene."""
        ahead: list[_Ahead] = []
        touched = _runs_with(seats, self._ask.chosen)
        for run, seat in zip(_runs(seats), seats, strict=True):
            if seat.archived:
                if seat.segment_id in self._ask.chosen:
                    self._left_out[seat.segment_id] = Reason.ARCHIVED
                continue
            if seat.take is None:
                self._empty += seat.segment_id in self._ask.chosen
                ahead.append(_Ahead(seat))
                continue
            before = ahead[-1] if ahead and seat.take.continues else None
            ahead.append(self._segment(seat, seat.take, before, in_touched_run=run in touched))

    def draft(self) -> Draft:
        """Everything that was decided."""
        notes: list[PlanNote] = []
        if self._empty:
            notes.append(
                PlanNote(
                    code="empty",
                    message=f"{_segments(self._empty)} without a take: render {'it' if self._empty == 1 else 'them'} "
                    "first, a plan only redoes.",
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
        """Steps for the versions that are made again, and for those that can't be; the position of each."""
        positions: dict[int, int] = {}
        for asset_id, why in sorted(self._again.obstacles.items()):
            self._add(asset_id=asset_id, kind=StepKind.BLOCKED, wish=None, why=why)
        for one in self._again.in_order():
            positions[one.asset_id] = self._add_remake(one, positions)
        return positions

    def _add_remake(self, one: Remake, positions: Mapping[int, int]) -> int:
        wish = one.wish
        if self._ask.new_seed is not None:
            wish = wanted.with_seed(wish, self._ask.new_seed())
        self._expect(None, one.asset_id)
        for line in wish.inputs:
            if line.asset is not None and line.open is None:
                self._expect(None, line.asset, number=line.version)
        substitutes = tuple(
            _substitute(line.role.value, self._situation.named(line.asset or 0), used, line.version)
            for line, used in one.replaced
        )
        return self._add(
            asset_id=one.asset_id,
            kind=StepKind.RENDER,
            wish=wish,
            substitutes=substitutes,
            after=tuple(sorted(positions[asset] for asset in one.after)),
            active_version=one.active,
            estimate_s=self._cost(one.workload_id),
        )

    def _segment(self, seat: Seat, take: Chosen, before: "_Ahead | None", *, in_touched_run: bool) -> "_Ahead":
        behind_change = before is not None and before.changed
        behind_gap = before is not None and before.gap
        reason = self._reason_to_leave(seat, take, in_touched_run=in_touched_run)
        if seat.segment_id not in self._ask.chosen or reason is not None:
            if reason is not None:
                self._left_out[seat.segment_id] = reason
            self._downstream += behind_change or behind_gap
            return _Ahead(seat, changed=behind_change, gap=behind_change or behind_gap)
        found = redo(self._situation, self._again, seat, take, before.frame if before else None, self._ask.engines)
        if before is not None and before.blocked:
            found = replace(found, obstacle=f"continues {before.seat.name}, which is blocked.")
        if found.obstacle is not None:
            return self._block(seat, take, found, before)
        if self._ask.new_seed is not None:
            found = replace(found, wish=wanted.with_seed(found.wish, self._ask.new_seed()))
        self._downstream += behind_gap
        past = None
        if not self._ask.force:
            digest = wanted.inputs_digest(found.wish)
            if digest is not None and digest == found.has:
                # Behind a restored frame that it was made from it needs nothing; else its cause lies before it.
                self._left_out[seat.segment_id] = Reason.MATCHING if behind_change else Reason.UPSTREAM
                return _Ahead(seat, gap=behind_gap)
            past = digest and _match(self._situation.past.get(seat.segment_id, ()), digest, found.wish)
        if past:
            self._remember(seat, found, before)
            position = self._add_segment(seat, take, found, StepKind.RESTORE, past.take_id, before)
            changed = past.outputs.get(LAST_FRAME) != take.outputs.get(LAST_FRAME)
            return _Ahead(seat, position, restored=past, changed=changed, gap=behind_gap)
        if found.cannot_render is not None:
            return self._block(seat, take, replace(found, obstacle=found.cannot_render), before)
        self._remember(seat, found, before)
        position = self._add_segment(seat, take, found, StepKind.RENDER, None, before)
        return _Ahead(seat, position, rendered=True, changed=True, gap=behind_gap)

    def _block(self, seat: Seat, take: Chosen, found: Redo, before: "_Ahead | None") -> "_Ahead":
        self._add_segment(seat, take, found, StepKind.BLOCKED, None, before)
        return _Ahead(seat, blocked=True, changed=before is not None and before.changed)

    def _reason_to_leave(self, seat: Seat, take: Chosen, *, in_touched_run: bool) -> Reason | None:
        judgement = self._situation.judgement(seat.segment_id)
        if seat.segment_id not in self._ask.chosen:
            if judgement.stale and in_touched_run:
                return Reason.NOT_SELECTED
            return self._ask.aside.get(seat.segment_id)
        if self._ask.force or judgement.stale:
            return None
        if judgement.waived:
            return Reason.WAIVED
        return Reason.PINNED if self._is_pinned_behind(seat, take) else Reason.MATCHING

    def _is_pinned_behind(self, seat: Seat, take: Chosen) -> bool:
        """Whether it only matches because of a pin: what is active has another content."""
        for line in (*take.made.inputs, *take.via):
            if line.asset is None:
                continue
            here, everywhere = (self._situation.expected(scene, line.asset) for scene in (seat.scene_id, None))
            if here and everywhere and here.effective != everywhere.effective:
                return True
        return False

    def _remember(self, seat: Seat, found: Redo, before: "_Ahead | None") -> None:
        for asset_id in found.judged:
            self._expect(seat.scene_id, asset_id)
        if before is not None and before.position is None and before.seat.take is not None:
            self._frames[before.seat.segment_id] = before.seat.take.take_id

    def _expect(self, scene_id: int | None, asset_id: int, *, number: int | None = None) -> None:
        target = self._situation.expected(scene_id, asset_id)
        if target is not None and number in (None, target.number):
            self._expected.setdefault(
                (scene_id, asset_id), Expectation(scene_id, target.asset, target.number, target.effective)
            )

    def _add_segment(
        self,
        seat: Seat,
        take: Chosen,
        found: Redo,
        kind: StepKind,
        take_id: int | None,
        before: "_Ahead | None",
    ) -> int:
        after = {self._remade[asset] for asset in found.wish.open_assets if asset in self._remade}
        chain = None
        if before is not None and before.position is not None:
            after.add(before.position)
            chain = self._steps[before.position - 1].chain
        blocked = kind is StepKind.BLOCKED
        return self._add(
            segment_id=seat.segment_id,
            chain=chain,
            kind=kind,
            wish=None if blocked else found.wish,
            substitutes=tuple(_substitute(one.role, one.asset, one.used, one.to) for one in found.replaced),
            after=() if blocked else tuple(sorted(after)),
            take_id=take_id,
            selected_take_id=take.take_id,
            estimate_s=self._cost(take.made.workload_id) if kind is StepKind.RENDER else None,
            why=found.obstacle,
        )

    def _add(
        self,
        *,
        kind: StepKind,
        wish: Wish | None,
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
                wish=wish,
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
class _Ahead:
    """What becomes of the segment before: its step, and the frame that can be continued after it.

    ``changed``: another frame will be there. ``gap``: it is left out behind such a change, or continues one that is.
    """

    seat: Seat
    position: int | None = None
    restored: Past | None = None
    rendered: bool = False
    blocked: bool = False
    changed: bool = False
    gap: bool = False

    @property
    def frame(self) -> Frame:
        """What can be continued after it; open while it is to be rendered."""
        if self.rendered or self.seat.take is None:
            return Frame()
        if self.restored is not None:
            return Frame(self.restored.take_id, self.restored.outputs)
        return Frame(self.seat.take.take_id, self.seat.take.outputs)


def _match(past: Iterable[Past], digest: str, wish: Wish) -> Past | None:
    """The newest earlier take that is what is wanted."""
    return next((one for one in past if one.inputs_digest == digest and wish.graph in (None, one.graph)), None)


def _runs(seats: Iterable[Seat]) -> list[int]:
    """For each seat the place of its run in the scene."""
    found: list[int] = []
    run = 0
    for seat in seats:
        run += seat.take is None or not seat.take.continues
        found.append(run)
    return found


def _runs_with(seats: list[Seat], chosen: frozenset[int]) -> set[int]:
    return {run for run, seat in zip(_runs(seats), seats, strict=True) if seat.segment_id in chosen}


def _substitute(role: str, asset: ReferencedAsset, used: int | None, to: int | None) -> Substitute:
    return Substitute.model_validate({"role": role, "asset": asset, "from": used, "to": to})


def _segments(count: int) -> str:
    return f"{count} segment{'' if count == 1 else 's'}"
