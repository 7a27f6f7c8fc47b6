"""Planning without a database: random scenes are planned, and the effect of the plan is simulated.

Every segment of these scenes is made with a LoRA whose version 2 is expected, and possibly with the previous frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from genlock.digest import digest_of
from genlock.model import InputRole, Kind
from genlock.regeneration import recipe as recipes
from genlock.regeneration.model import Reason, StepKind
from genlock.regeneration.planning.draft import Draft, PlanRequest
from genlock.regeneration.planning.planner import plan
from genlock.regeneration.planning.situation import (
    AssetFact,
    EarlierTake,
    Judgement,
    OwnCause,
    PlannedSegment,
    ReceiptFacts,
    SelectedTake,
    Situation,
    Target,
)
from genlock.regeneration.recipe import Recipe, RecipeInput, ResolvedInput
from genlock.staleness.model import RootKey, RootKind
from genlock.takes import receipt
from genlock.takes.model import ReferencedAsset
from genlock.takes.receipt import Input

RAIN = ReferencedAsset(id=7, kind=Kind.LORA, name="rain")
ROOT = RootKey(RootKind.ASSET, RAIN.id, 1, 2)
DIGESTS = {number: digest_of(f"rain {number}".encode()) for number in (1, 2)}
ENGINES = frozenset({"sketch"})


@dataclass(frozen=True)
class Drawn:
    """A drawn segment: the version it was made with, whether it continues the previous one, whether it is waived."""

    version: int
    continues: bool
    waived: bool
    restorable: bool
    empty: bool


segments = st.builds(
    Drawn,
    version=st.sampled_from([1, 1, 2]),
    continues=st.sampled_from([True, True, True, False]),
    waived=st.sampled_from([False, False, False, True]),
    restorable=st.booleans(),
    empty=st.sampled_from([False] * 9 + [True]),
)
scenes = st.lists(st.lists(segments, min_size=1, max_size=6), min_size=1, max_size=3)


def _frame(segment_id: int, name: str = "now") -> str:
    return digest_of(f"frame {segment_id} {name}".encode())


def _inputs(version: int, frame: str | None) -> tuple[Input, ...]:
    lora = Input(
        role=InputRole.LORA,
        ordinal=0,
        asset=RAIN.id,
        version=version,
        digest=DIGESTS[version],
        effective_digest=DIGESTS[version],
        strength_model=0.8,
    )
    if frame is None:
        return (lora,)
    return (lora, Input(role=InputRole.SEED_FRAME, ordinal=0, digest=frame, part="last_frame"))


def _situation(drawn: list[list[Drawn]]) -> Situation:
    segments: list[PlannedSegment] = []
    judgements: dict[int, Judgement] = {}
    earlier_takes: dict[int, tuple[EarlierTake, ...]] = {}
    for scene_id, scene in enumerate(drawn, start=1):
        before: PlannedSegment | None = None
        stale = False
        for position, segment in enumerate(scene, start=1):
            segment_id = 100 * scene_id + position
            continues = segment.continues and before is not None and before.take is not None and not segment.empty
            frame = _frame(before.segment_id) if continues and before else None
            take = None
            if not segment.empty:
                facts = ReceiptFacts(
                    digest_of(b"receipt"), "sketch", {"seed": "1"}, None, _inputs(segment.version, frame), None
                )
                take = SelectedTake(segment_id, facts, continues, (), {"last_frame": _frame(segment_id)})
            segments.append(PlannedSegment(segment_id, scene_id, 0, position, f"segment {position}", take))
            before = segments[-1]
            if take is None:
                stale = False
                continue
            own = segment.version == 1
            judged = _judged(own, waived=segment.waived, passed=stale and continues)
            judgements[segment_id] = judged
            stale = bool(judged.stale)
            if segment.restorable:
                recipe = receipt.inputs_digest("sketch", _inputs(2, frame), {"seed": "1"})
                earlier_takes[segment_id] = (
                    EarlierTake(segment_id + 1000, recipe, None, {"last_frame": _frame(segment_id, "then")}),
                )
    return Situation(
        project_id=1,
        segments=tuple(segments),
        judgements=judgements,
        assets={RAIN.id: AssetFact(RAIN, None, 2, False)},
        scopes={},
        versions={(RAIN.id, number): Target(RAIN, number, DIGESTS[number], DIGESTS[number]) for number in (1, 2)},
        outdated=frozenset(),
        earlier_takes=earlier_takes,
        lost=frozenset(),
        cost_s={},
        library=None,
    )


def _judged(own: bool, *, waived: bool, passed: bool) -> Judgement:
    causes = (OwnCause(ROOT, True, waived, RAIN.id, DIGESTS[1]),) if own else ()
    if not own and not passed:
        return Judgement()
    if waived:
        return Judgement(waived=frozenset({ROOT}), own=causes)
    return Judgement(stale=frozenset({ROOT}), own=causes)


def _all_segments(situation: Situation) -> frozenset[int]:
    return frozenset(segment.segment_id for segment in situation.segments)


def _stale(situation: Situation) -> frozenset[int]:
    return frozenset(segment for segment, judged in situation.judgements.items() if judged.stale)


def _left_out_of(situation: Situation, selected: frozenset[int]) -> Mapping[int, Reason]:
    return plan(situation, PlanRequest(selected=selected, engines=ENGINES)).left_out


def _stale_after(situation: Situation, draft: Draft) -> set[int]:
    """Recompute from versions and frames alone what would be stale once every step is done."""
    steps = {step.segment_id: step for step in draft.steps}
    stale_ids: set[int] = set()
    before: PlannedSegment | None = None
    stale = False
    frames: dict[int, str] = {}
    for segment in situation.segments:
        if segment.take is None:
            before, stale = segment, False
            continue
        step = steps.get(segment.segment_id)
        rain = next(line for line in segment.take.receipt.inputs if line.role is InputRole.LORA)
        version, frames[segment.segment_id] = rain.version, _frame(segment.segment_id)
        used = next((line.digest for line in segment.take.receipt.inputs if line.role is InputRole.SEED_FRAME), None)
        if step is not None and step.recipe is not None:
            version = next(line.version for line in step.recipe.inputs if line.role is InputRole.LORA)
            restored = step.kind is StepKind.RESTORE
            frames[segment.segment_id] = _frame(segment.segment_id, "then" if restored else "new")
            used = frames.get(before.segment_id) if before and segment.take.continues else used
        waived = any(cause.waived for cause in situation.judgement(segment.segment_id).own)
        waived = waived or bool(situation.judgement(segment.segment_id).waived)
        link_broken = segment.take.continues and before is not None and used != frames.get(before.segment_id)
        stale = (version == 1 and not waived) or link_broken or (segment.take.continues and stale and not waived)
        if stale:
            stale_ids.add(segment.segment_id)
        before = segment
    return stale_ids


@given(scenes)
def test_a_plan_of_everything_leaves_only_the_announced_segments_stale(drawn: list[list[Drawn]]) -> None:
    situation = _situation(drawn)
    draft = plan(situation, PlanRequest(selected=_stale(situation), engines=ENGINES))
    planned = {step.segment_id for step in draft.steps}
    after = _stale_after(situation, draft)
    assert len(after) <= draft.downstream_stale
    # Only a waiver leaves a gap in a chain that is planned as a whole.
    assert not after & planned or Reason.WAIVED in _left_out_of(situation, _all_segments(situation)).values()


@given(scenes, st.data())
def test_a_draft_contains_every_segment_once_and_in_order(drawn: list[list[Drawn]], data: st.DataObject) -> None:
    situation = _situation(drawn)
    selected = frozenset(data.draw(st.sets(st.sampled_from(sorted(_all_segments(situation))))))
    draft = plan(
        situation,
        PlanRequest(
            selected=selected, cascade=data.draw(st.booleans()), force=data.draw(st.booleans()), engines=ENGINES
        ),
    )
    planned = [step.segment_id for step in draft.steps if step.segment_id is not None]
    assert len(planned) == len(set(planned))
    assert not set(planned) & set(draft.left_out)
    empty = {segment.segment_id for segment in situation.segments if segment.take is None}
    assert selected - empty <= set(planned) | set(draft.left_out)
    assert [step.position for step in draft.steps] == list(range(1, len(draft.steps) + 1))
    for step in draft.steps:
        assert all(before < step.position for before in step.after)
        assert all(draft.steps[before - 1].chain == step.chain for before in step.after)
        # An open frame is the output of an earlier step; no other input may be open.
        assert step.recipe is not None
        assert step.after or not step.recipe.is_open


@given(scenes)
def test_force_renders_every_selected_segment(drawn: list[list[Drawn]]) -> None:
    situation = _situation(drawn)
    draft = plan(situation, PlanRequest(selected=_all_segments(situation), force=True, engines=ENGINES))
    taken = {segment.segment_id for segment in situation.segments if segment.take is not None}
    assert {step.segment_id for step in draft.steps} == taken
    assert {step.kind for step in draft.steps} <= {StepKind.RENDER}
    assert draft.left_out == {}
    assert draft.downstream_stale == 0


@given(scenes)
def test_a_take_of_an_unavailable_engine_can_be_restored_but_not_rendered(drawn: list[list[Drawn]]) -> None:
    situation = _situation(drawn)
    draft = plan(situation, PlanRequest(selected=_stale(situation), engines=frozenset()))
    assert StepKind.RENDER not in {step.kind for step in draft.steps}
    blocked = [step for step in draft.steps if step.kind is StepKind.BLOCKED]
    assert all(step.why and step.recipe is None for step in blocked)
    again = plan(situation, PlanRequest(selected=_stale(situation), engines=ENGINES))
    assert [step.segment_id for step in draft.steps] == [step.segment_id for step in again.steps]


def test_a_waived_input_is_unchanged() -> None:
    situation = _situation([[Drawn(1, False, True, False, False)]])
    assert plan(situation, PlanRequest(selected=frozenset({101}), engines=ENGINES)).left_out == {101: Reason.WAIVED}
    (step,) = plan(situation, PlanRequest(selected=frozenset({101}), force=True, engines=ENGINES)).steps
    assert step.recipe is not None
    assert [line.version for line in step.recipe.inputs] == [1]
    assert step.substitutes == ()


def test_a_recipe_has_a_digest_once_it_is_resolved() -> None:
    frame = RecipeInput(role=InputRole.SEED_FRAME, ordinal=0, part="last_frame")
    lora = RecipeInput(role=InputRole.LORA, ordinal=0, asset=RAIN.id, open="version")
    recipe = recipes.with_frame(Recipe(engine="sketch", inputs=(lora, frame), parameters={"seed": "1"}), None)
    assert recipe.is_open
    assert recipes.inputs_digest(recipe) is None
    assert recipe.open_assets == {RAIN.id}
    resolved = ResolvedInput(digest=DIGESTS[2], effective_digest=DIGESTS[2], version=2)
    whole = recipes.resolve(recipe, {RAIN.id: resolved}, lambda _part: ResolvedInput(digest=_frame(1), take=5))
    assert not whole.is_open
    expected = [line.model_copy(update={"strength_model": None}) for line in _inputs(2, _frame(1))]
    assert recipes.inputs_digest(whole) == receipt.inputs_digest("sketch", expected, {"seed": "1"})
    assert recipes.resolve(recipe, {}, lambda _part: None).is_open
