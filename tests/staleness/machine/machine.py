"""Random histories: after every step the SQL and the oracle agree, and a what-if is what the activation then does."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.staleness.machine.compare import compare, compare_impact
from tests.staleness.machine.studio import ACTOR, Studio, digest
from tests.staleness.oracle import report as oracle_report
from tests.staleness.oracle import rules as oracle
from tests.staleness.oracle.rows import World

from genlock.db.connection import Database
from genlock.errors import Conflict
from genlock.staleness import activation, waivers
from genlock.staleness.model import CHAIN, NewWaiver
from genlock.takes import editing
from genlock.takes.claim import Evidence
from genlock.timeline.model import NewPin, NewSegments, SegmentChange

T = TypeVar("T")
reached: Counter[str] = Counter()
"""Which rules, cause kinds and states histories came to, over the whole run."""

names = st.sampled_from(["portrait", "pose", "clothed", "poster", "rain", "walk", "tiny"])
labels = st.sampled_from(["a", "b", "c"])
pick = st.integers(0, 999)


class Histories(RuleBasedStateMachine):
    """One studio, one history. ``database`` returns a fresh database."""

    conninfo: str
    loop: asyncio.AbstractEventLoop
    db: Database
    studio: Studio

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(doing)

    @initialize()
    def begin(self) -> None:
        async def create() -> None:
            self.db = Database(self.conninfo, max_size=2)
            await self.db.open()
            self.studio = Studio(self.db)
            await self.studio.create()

        self.run(create())
        for segment_id in (1, 2, 3, 4, 5, 6, 7, 8):
            self.run(self.studio.record(segment_id, versions=self.newest(), continues=True))
        self.check()

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.run(self.db.close())

    def check(self) -> None:
        async def compared() -> World:
            async with self.db.transaction() as conn:
                return await compare(conn)

        self.world = self.run(compared())
        for project in self.world.projects:
            for segment_id, state in oracle_report.states(self.world, project.id).items():
                reached[f"state {state.value}"] += 1
                for cause in oracle.causes(self.world, segment_id):
                    reached[f"cause {cause.kind}{' waived' if cause.waiver_id else ''}"] += 1

    @invariant()
    def equal(self) -> None:
        if hasattr(self, "db"):
            self.check()

    # choices ---------------------------------------------------------------------------------------

    def active(self) -> dict[str, int]:
        return {row.name: row.active for row in self.world.assets}

    def newest(self) -> dict[str, int]:
        return dict.fromkeys(("walk", "tiny", "rain", "clothed"), 1)

    def version(self, name: str, choice: int) -> int:
        numbers = sorted(row.number for row in self.world.versions if row.asset_id == self.studio.assets[name])
        return numbers[choice % len(numbers)]

    def segment(self, choice: int, *, archived: bool = False) -> int | None:
        live = {row.id for project in self.world.projects for row in self.world.live_segments(project.id)}
        ids = sorted(row.id for row in self.world.segments if (row.archived if archived else row.id in live))
        return ids[choice % len(ids)] if ids else None

    # changes ---------------------------------------------------------------------------------------

    @rule(
        name=names, effective=labels, label=labels, source=names, choice=pick, derived=st.booleans(), on=st.booleans()
    )
    def upload(self, name: str, effective: str, label: str, source: str, choice: int, derived: bool, on: bool) -> None:
        sources = [(source, self.version(source, choice))] if derived else []
        try:
            added = self.run(self.studio.upload(name, effective, label, sources, activate=on))
        except Conflict:
            reached["rule refuse own ancestor"] += 1
            return
        reached[f"rule upload {added.outcome.value}"] += 1

    @rule(name=names, first=names, second=names, choice=pick, on=st.booleans(), label=labels)
    def derive_from_several(self, name: str, first: str, second: str, choice: int, on: bool, label: str) -> None:
        sources = [(first, self.version(first, choice)), (second, self.version(second, choice // 7))]
        try:
            self.run(self.studio.upload(name, label, label, sorted(set(sources)), activate=on))
        except Conflict:
            reached["rule refuse own ancestor"] += 1
            return
        reached["rule derive from several"] += 1

    @rule(name=names, choice=pick, source=names, other=pick)
    def redeclare(self, name: str, choice: int, source: str, other: int) -> None:
        """Upload the same bytes with another origin: no new version, one more derivation."""
        number = self.version(name, choice)
        filename = self.world.version(self.studio.assets[name], number).filename
        label = filename.removeprefix(f"{name}_").removesuffix(".png")
        effective = next((e for e in ("first", "a", "b", "c") if self._is(name, number, e, label)), "first")
        try:
            added = self.run(
                self.studio.upload(name, effective, label, [(source, self.version(source, other))], activate=False)
            )
        except Conflict:
            reached["rule refuse own ancestor"] += 1
            return
        reached[f"rule redeclare {added.outcome.value}"] += 1

    def _is(self, name: str, number: int, effective: str, label: str) -> bool:
        expected = digest(f"{name}/{effective}/{label}")
        return self.world.version(self.studio.assets[name], number).digest == expected

    @rule(name=names, choice=pick)
    def activate(self, name: str, choice: int) -> None:
        asset_id, number = self.studio.assets[name], self.version(name, choice)

        async def what_if() -> Any:
            async with self.db.transaction() as conn:
                return await compare_impact(conn, self.world, asset_id, number)

        predicted = self.run(what_if())
        was = self.active()[name]
        happened = self.run(self.studio.activate(asset_id, number))
        if was == number:
            reached["rule activate the active one"] += 1
            assert predicted.segments == happened.segments
            return
        reached["rule revert" if number < was else "rule activate"] += 1
        assert happened == predicted

    @rule(choice=pick, name=names, version=pick, whole=st.sampled_from(["scene", "project", "both"]))
    def pin(self, choice: int, name: str, version: int, whole: str) -> None:
        """Pin for a scene, for its project, or different versions for both: the scene's own pin must win."""
        scene_id = self.studio.scenes[choice % 3]
        project_id = self.world.scene(scene_id).project_id
        if self.world.project(project_id).archived:
            return
        places = {"scene": [scene_id], "project": [None], "both": [scene_id, None]}[whole]

        async def pinned() -> None:
            async with self.db.transaction() as conn:
                for further, where in enumerate(places):
                    new = NewPin(version=self.version(name, version + further), reason="the client likes it")
                    await activation.pin(conn, project_id, where, self.studio.assets[name], new, ACTOR)

        self.run(pinned())
        reached[f"rule pin {whole}"] += 1

    @precondition(lambda self: self.world.pins)
    @rule(choice=pick)
    def unpin(self, choice: int) -> None:
        row = sorted(self.world.pins, key=lambda pin: (pin.project_id, pin.scene_id or 0, pin.asset_id))[
            choice % len(self.world.pins)
        ]

        async def unpinned() -> None:
            async with self.db.transaction() as conn:
                await activation.unpin(conn, row.project_id, row.scene_id, row.asset_id, ACTOR)

        self.run(unpinned())
        reached["rule unpin"] += 1

    @rule(choice=pick, which=pick, wide=st.booleans())
    def waive(self, choice: int, which: int, wide: bool) -> None:
        stale = [
            (segment.id, cause)
            for project in self.world.projects
            for segment in self.world.live_segments(project.id)
            for cause in oracle.causes(self.world, segment.id)
            if cause.waiver_id is None
        ]
        if not stale:
            return
        segment_id, cause = stale[choice % len(stale)]
        asset: Any = CHAIN if cause.root.kind == "chain" else cause.root.asset_id
        where: dict[str, Any] = {"segment_ids": (segment_id,)}
        if wide:
            where = {"scene_id": self.world.segment(segment_id).scene_id}

        async def waived() -> None:
            async with self.db.transaction() as conn:
                await waivers.waive(conn, NewWaiver(asset_id=asset, reason="good enough", **where), ACTOR)

        self.run(waived())
        reached[f"rule waive {cause.root.kind}"] += 1

    @precondition(lambda self: any(not row.withdrawn for row in self.world.waivers))
    @rule(choice=pick)
    def withdraw(self, choice: int) -> None:
        standing = sorted(row.id for row in self.world.waivers if not row.withdrawn)

        async def withdrawn() -> None:
            async with self.db.transaction() as conn:
                await waivers.withdraw(conn, standing[choice % len(standing)], ACTOR)

        self.run(withdrawn())
        reached["rule withdraw"] += 1

    @rule(choice=pick, numbers=st.tuples(pick, pick, pick, pick), poster=st.booleans(), continues=st.booleans(),
          frame=st.sampled_from([None, None, "same"]), select=st.sampled_from([True, True, False]))  # fmt: skip
    def record(
        self, choice: int, numbers: tuple[int, int, int, int], poster: bool, continues: bool, frame: str | None,
        select: bool,
    ) -> None:  # fmt: skip
        segment_id = self.segment(choice)
        if segment_id is None:
            return
        named = ("walk", "tiny", "rain", "clothed")
        versions = {name: self.version(name, number) for name, number in zip(named, numbers, strict=True)}
        if poster:
            versions["poster"] = self.version("poster", numbers[0])
        self.run(self.studio.record(segment_id, versions=versions, continues=continues, frame=frame, select=select))
        reached["rule record"] += 1

    @rule(choice=pick, how=st.sampled_from(["unmatched", "bare", "incomplete", "declared", "twice"]), label=labels)
    def record_oddly(self, choice: int, how: str, label: str) -> None:
        segment_id = self.segment(choice)
        if segment_id is None:
            return
        self.run(
            self.studio.record(
                segment_id,
                versions=self.newest(),
                continues=True,
                complete=how != "incomplete",
                evidence=Evidence.DECLARED if how == "declared" else None,
                unknown_lora=label if how == "unmatched" else None,
                bare_lora=label if how == "bare" else None,
                lora_twice=how == "twice",
            )
        )
        reached[f"rule record {how}"] += 1

    @rule(choice=pick)
    def redo(self, choice: int) -> None:
        """Render a segment again with the expected versions."""
        segment_id = self.segment(choice)
        if segment_id is None:
            return
        scene_id = self.world.segment(segment_id).scene_id
        versions = {
            name: oracle.expected(self.world, scene_id, self.studio.assets[name]).number
            for name in ("walk", "tiny", "rain", "clothed")
        }
        self.run(self.studio.record(segment_id, versions=versions, continues=True))
        reached["rule redo"] += 1

    @rule(choice=pick, take=pick)
    def select(self, choice: int, take: int) -> None:
        segment_id = self.segment(choice)
        numbers = sorted(row.number for row in self.world.takes if row.segment_id == segment_id)
        if segment_id is None or not numbers:
            return

        async def selected() -> None:
            async with self.db.transaction() as conn:
                await editing.select_take(conn, segment_id, numbers[take % len(numbers)], ACTOR)

        self.run(selected())
        reached["rule select"] += 1

    @rule(choice=pick, chained=st.booleans(), position=st.sampled_from([None, 1, 2, 3]))
    def change(self, choice: int, chained: bool, position: int | None) -> None:
        segment_id = self.segment(choice)
        if segment_id is None:
            return
        scene_id = self.world.segment(segment_id).scene_id
        total = sum(row.scene_id == scene_id and not row.archived for row in self.world.segments)
        change = SegmentChange(chained=chained, position=position and min(position, total))

        async def changed() -> None:
            async with self.db.transaction() as conn:
                await editing.change_segment(conn, segment_id, change, ACTOR)

        self.run(changed())
        reached["rule move" if position else "rule chain"] += 1

    @rule(choice=pick, position=st.integers(1, 3))
    def insert(self, choice: int, position: int) -> None:
        scene_id = self.studio.scenes[choice % 3]
        scene = self.world.scene(scene_id)
        count = sum(row.scene_id == scene_id and not row.archived for row in self.world.segments)
        if count > 5 or scene.archived or self.world.project(scene.project_id).archived:
            return

        async def inserted() -> None:
            async with self.db.transaction() as conn:
                new = NewSegments(count=1, position=min(position, count + 1))
                await editing.insert_segments(conn, scene_id, new, ACTOR)

        self.run(inserted())
        reached["rule insert"] += 1

    @rule(choice=pick, what=st.sampled_from(["segment", "segment", "scene", "project"]))
    def archive(self, choice: int, what: str) -> None:
        segment_id = self.segment(choice)
        if segment_id is None:
            return
        segment = self.world.segment(segment_id)

        async def archived() -> None:
            async with self.db.transaction() as conn:
                if what == "segment":
                    await editing.archive_segment(conn, segment_id, ACTOR)
                elif what == "scene":
                    await editing.archive_scene(conn, segment.scene_id, ACTOR)
                else:
                    await editing.archive_project(conn, segment.project_id, ACTOR)

        self.run(archived())
        reached[f"rule archive {what}"] += 1

    @rule(choice=pick)
    def restore(self, choice: int) -> None:
        archived = [("project", row.id) for row in self.world.projects if row.archived]
        archived += [("scene", row.id) for row in self.world.scenes if row.archived]
        archived += [("segment", row.id) for row in self.world.segments if row.archived]
        if not archived:
            return
        what, which = archived[choice % len(archived)]

        async def restored() -> None:
            async with self.db.transaction() as conn:
                if what == "segment":
                    await editing.restore_segment(conn, which, ACTOR)
                elif what == "scene":
                    await editing.restore_scene(conn, which, ACTOR)
                else:
                    await editing.restore_project(conn, which, ACTOR)

        self.run(restored())
        reached[f"rule restore {what}"] += 1


EXPECTED = (
    *(f"state {state.value}" for state in oracle.State),
    *(f"cause {kind}" for kind in ("superseded", "chain", "derived", "unmatched")),
    "cause superseded waived", "cause derived waived", "cause chain waived",
    "rule upload created", "rule upload equivalent", "rule upload exists", "rule derive from several",
    "rule redeclare exists", "rule refuse own ancestor", "rule activate", "rule revert", "rule pin project",
    "rule pin scene", "rule pin both", "rule unpin", "rule waive asset", "rule waive chain", "rule withdraw",
    "rule record", "rule record unmatched", "rule record bare", "rule record incomplete", "rule record declared",
    "rule record twice",
    "rule redo", "rule select", "rule chain", "rule move", "rule insert", "rule archive segment", "rule archive scene",
    "rule archive project", "rule restore segment", "rule restore scene", "rule restore project",
)  # fmt: skip
"""What a run at length must have come to, or it proves less than it says."""
