"""The law of plans, on random histories and real renders.

A segment that a plan regenerated is fresh afterwards, or accepted by a waiver; all others keep their take; a segment
that is still stale was blocked, or the plan said beforehand that it would be.
"""

import random
from collections.abc import Awaitable, Callable

import pytest
from tests.regeneration.studio import Studio

from genlock.db.connection import Database, rows
from genlock.engines.offers import engine_names
from genlock.errors import Conflict
from genlock.model import Kind
from genlock.regeneration.model import Plan, PlanState, StepKind
from genlock.regeneration.planning import choose_sql, situation_sql
from genlock.regeneration.planning.draft import PlanRequest
from genlock.regeneration.planning.planner import plan
from genlock.regeneration.planning.restorable import with_restorable
from genlock.staleness.model import State
from genlock.staleness.report import parse_group, report

ROUNDS = 5
CHANGES = 4
FILES = {
    "portrait": (Kind.SOURCE_IMAGE, ("portrait_v2.png", "harbour_v1.png")),
    "coat": (Kind.VARIANT, ("clothed_v2.png", "street_v1.png")),
    "rain": (Kind.LORA, ("rain_v1_relabelled.safetensors", "rain_v2.safetensors")),
    "tiny": (Kind.MODEL, ("tiny_v2.safetensors",)),
    "walk": (Kind.WORKFLOW, ("walk_v1_moved.json", "walk_v2.json")),
}


class History:
    """Random changes to a studio, the same ones for the same seed."""

    def __init__(self, studio: Studio, seed: int) -> None:
        self.studio = studio
        self.chance = random.Random(seed)
        self.changes: tuple[Callable[[], Awaitable[None]], ...] = (
            self.upload,
            self.upload,
            self.activate,
            self.activate,
            self.pin,
            self.unpin,
            self.waive,
            self.select,
            self.chain,
        )
        self.log: list[str] = []

    @property
    def all_segments(self) -> list[int]:
        return [segment for segments in self.studio.segments.values() for segment in segments]

    async def change(self) -> None:
        change = self.chance.choice(self.changes)
        self.log.append(change.__name__)
        try:
            await change()
        except Conflict as refusal:  # nothing to waive, nothing to unpin, or an ancestor of itself
            self.log.append(f"refused: {refusal.message}")

    async def upload(self) -> None:
        name = self.chance.choice(list(FILES))
        kind, files = FILES[name]
        sources = [("portrait", await self.studio.active("portrait"))] if name == "coat" else []
        await self.studio.upload(kind, name, self.chance.choice(files), made_from=sources)

    async def activate(self) -> None:
        name = self.chance.choice([*FILES, "clothed"])
        await self.studio.activate(name, self.chance.randint(1, await self.studio.versions(name)))

    async def pin(self) -> None:
        name = self.chance.choice([*FILES, "clothed"])
        scene = self.chance.choice([None, *self.studio.scenes])
        await self.studio.pin(name, self.chance.randint(1, await self.studio.versions(name)), scene=scene)

    async def unpin(self) -> None:
        await self.studio.unpin_all(self.chance.choice([None, *self.studio.scenes]))

    async def waive(self) -> None:
        await self.studio.waive(self.chance.choice(self.all_segments), self.chance.choice([*FILES, "clothed"]))

    async def select(self) -> None:
        segment = self.chance.choice(self.all_segments)
        total, _ = await self.studio.takes(segment)
        await self.studio.select(segment, self.chance.randint(1, total))

    async def chain(self) -> None:
        # Only ever chained again: an unchained segment keeps a frame that no plan can renew, and would stay blocked.
        await self.studio.chain(self.chance.choice(self.all_segments), chained=True)


async def _selected(db: Database) -> dict[int, int]:
    async with db.transaction() as conn:
        return {row["segment_id"]: row["take_id"] for row in await rows(conn, "SELECT * FROM selected_takes")}


async def _stale(studio: Studio, segments: list[int]) -> set[int]:
    return {segment for segment, state in zip(segments, await studio.states(), strict=True) if state is State.STALE}


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 60))])
async def test_planned_segments_become_fresh_and_all_others_are_unchanged(engine_studio: Studio, seed: int) -> None:
    studio = engine_studio
    await studio.upload(Kind.VARIANT, "coat", "clothed_v1.png", made_from=[("portrait", 1)])
    await studio.shoot("A", 3)
    await studio.shoot("B", 3, start="coat")
    await studio.shoot("C", 2, start="portrait")
    history = History(studio, seed)
    for _ in range(ROUNDS):
        for _ in range(CHANGES):
            await history.change()
        await _require_law(studio, history)


async def _require_law(studio: Studio, history: History) -> None:
    segments = history.all_segments
    await _require_counts(studio, history)
    before = await _selected(studio.db)
    stale_before = await _stale(studio, segments)
    plan = await studio.plan()
    steps = await studio.steps(plan)
    left_out = await studio.left_out(plan)
    by_segment = {step.segment_id: step for step in steps if step.segment_id is not None}
    blocked = {segment for segment, step in by_segment.items() if step.kind is StepKind.BLOCKED}
    assert stale_before <= set(by_segment) | set(left_out), history.log
    history.log.append(f"plan {plan.totals}")
    plan = await _run(studio, plan)
    assert plan.state is PlanState.SUCCEEDED, (history.log, plan)
    after = await _selected(studio.db)
    untouched = set(before) - (set(by_segment) - blocked)
    assert {segment: after[segment] for segment in untouched} == {segment: before[segment] for segment in untouched}, (
        history.log
    )
    stale = await _stale(studio, segments)
    announced = plan.downstream_stale + sum(note.segments or 0 for note in plan.notes if note.code == "will_be_stale")
    assert len(stale - blocked) <= announced, history.log


async def _require_counts(studio: Studio, history: History) -> None:
    """Check that the restorable count of the report is the number that a plan of the whole group restores."""
    async with studio.db.snapshot() as conn:
        scenes = sorted(studio.scenes.values())
        situation = await situation_sql.load(conn, studio.project_id, scenes)
        page, judged = await report(conn, studio.project_id, limit=500)
        groups = await with_restorable(conn, studio.project_id, page.groups, judged)
        for group in groups:
            reported = await choose_sql.reported(conn, studio.project_id, [parse_group(group.id)])
            draft = plan(situation, PlanRequest(selected=frozenset(reported.stale), engines=frozenset(engine_names())))
            restored = sum(step.kind is StepKind.RESTORE for step in draft.steps)
            assert (group.id, group.restorable) == (group.id, restored), history.log


async def _run(studio: Studio, plan: Plan) -> Plan:
    if plan.totals.steps and plan.totals.steps == plan.totals.blocked:
        return plan.model_copy(update={"state": PlanState.SUCCEEDED})
    return await studio.run(plan)
