"""Things that may happen to a production, drawn at random: numbers are taken modulo what there is to choose from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from tests.takes.stage import ADA, Stage, claim, digest_for

from genlock.db.connection import rows
from genlock.errors import Conflict, Invalid, NotFound
from genlock.takes import editing
from genlock.takes.usage_sql import fold
from genlock.timeline.model import NewSegments, SegmentChange


@dataclass(frozen=True)
class Act:
    """One thing that happens, with the numbers that say to what."""

    name: str
    one: int
    two: int
    three: int


NAMES = (
    *("record",) * 8,
    *("select",) * 3,
    *("move",) * 2,
    "insert",
    "chain",
    "archive_segment",
    "restore_segment",
    "archive_scene",
    "restore_scene",
    "archive_project",
    "restore_project",
    "restore_project",
    "register",
    "fold",
)
acts = st.builds(
    Act, name=st.sampled_from(NAMES), one=st.integers(0, 11), two=st.integers(0, 11), three=st.integers(0, 11)
)


@dataclass
class Play:
    """A production to which things happen."""

    stage: Stage
    projects: list[int] = field(default_factory=list[int])
    scenes: list[int] = field(default_factory=list[int])
    segments: list[int] = field(default_factory=list[int])

    @classmethod
    async def begin(cls, stage: Stage) -> "Play":
        """Two projects, three scenes, and LoRAs in two versions."""
        other = await stage.another_project("other")
        scenes = [await stage.another_scene("day", 3), await stage.another_scene("elsewhere", 2, other)]
        await stage.version("rain", "rain 2")
        await stage.version("clothed", "clothed 2", made_from=[("clothed", 1)])
        return cls(
            stage,
            [stage.project, other],
            [stage.scene, *(scene for scene, _ in scenes)],
            [*stage.segments, *(segment for _, segments in scenes for segment in segments)],
        )

    async def perform(self, act: Act) -> None:
        """Do it; what is refused because of what is archived or out of range changes nothing."""
        try:
            async with self.stage.conn.transaction():
                await getattr(self, act.name)(act)
        except (Conflict, Invalid, NotFound):
            pass

    async def record(self, act: Act) -> None:
        """A take, from a picture and with LoRAs that the numbers choose; now and then of a form nobody registered."""
        segment = self.segments[act.one % len(self.segments)]
        loras: tuple[list[tuple[str, str]], ...] = (
            [],
            [("rain", "rain 1")],
            [("rain", "rain 1"), ("rain", "rain 2")],
            [("rain", "rain 2"), ("rain", "rain 2"), ("fog", "fog 1")],
            [("fog", "fog of another day")],
            [("rain", "rain 1"), ("fog", "fog 1")],
        )
        lines: list[Mapping[str, Any]] = [
            {"role": "lora", "asset": f"lora:{name}", "digest": digest_for(content), "strength_model": 0.5}
            for name, content in loras[act.three % len(loras)]
        ]
        claimed = claim(
            *lines,
            *await self._pictures(segment, act.two),
            {"role": "workflow", "asset": "workflow:walk", "version": 1},
            parameters={"width": 832 if act.three < 9 else 640, "seed": None if act.two == 11 else str(act.two)},
        )
        outputs = {"video": f"{segment} {act}", "last_frame": f"{segment} {act.three % 3}"}
        await self.stage.record(segment, claimed, outputs, select=act.three != 5)

    async def _pictures(self, segment: int, choice: int) -> list[Mapping[str, Any]]:
        kind = choice % 5
        if kind < 2:
            return [{"role": "variant", "asset": "variant:clothed", "version": kind + 1}]
        if kind == 2:
            return [{"role": "seed_frame", "digest": digest_for(f"{self.segments[choice % 4]} {choice % 3}")}]
        found = await rows(
            self.stage.conn,
            """
            SELECT k.id FROM takes k
              JOIN segments mine ON mine.id = %(segment)s
              JOIN segments g ON g.id = k.segment_id
             WHERE k.project_id = mine.project_id
             ORDER BY g.scene_id = mine.scene_id AND g.position = mine.position - 1 DESC, k.id
            """,
            segment=segment,
        )
        if not found:
            return []
        frame = {"role": "seed_frame", "take": found[0 if kind == 3 else choice % len(found)]["id"]}
        return [frame] if choice != 9 else [frame, {"role": "variant", "asset": "variant:clothed", "version": 2}]

    async def select(self, act: Act) -> None:
        """Another take in the cut."""
        await editing.select_take(self.stage.conn, self.segments[act.one % len(self.segments)], 1 + act.two % 3, ADA)

    async def move(self, act: Act) -> None:
        """A segment at another position."""
        change = SegmentChange(position=1 + act.two % 5)
        await editing.change_segment(self.stage.conn, self.segments[act.one % len(self.segments)], change, ADA)

    async def chain(self, act: Act) -> None:
        """A segment that continues the one before it, or does not."""
        change = SegmentChange(chained=act.two % 2 == 0)
        await editing.change_segment(self.stage.conn, self.segments[act.one % len(self.segments)], change, ADA)

    async def insert(self, act: Act) -> None:
        """New segments."""
        scene = self.scenes[act.one % len(self.scenes)]
        new = NewSegments(count=1 + act.three % 2, position=1 + act.two % 4, chained=act.three < 8)
        made = await editing.insert_segments(self.stage.conn, scene, new, ADA)
        self.segments += [segment.id for segment in made]

    async def archive_segment(self, act: Act) -> None:
        """A segment is hidden."""
        await editing.archive_segment(self.stage.conn, self.segments[act.one % len(self.segments)], ADA)

    async def restore_segment(self, act: Act) -> None:
        """A segment is brought back."""
        await editing.restore_segment(self.stage.conn, self.segments[act.one % len(self.segments)], ADA)

    async def archive_scene(self, act: Act) -> None:
        """A scene is hidden."""
        await editing.archive_scene(self.stage.conn, self.scenes[act.one % len(self.scenes)], ADA)

    async def restore_scene(self, act: Act) -> None:
        """A scene is brought back."""
        await editing.restore_scene(self.stage.conn, self.scenes[act.one % len(self.scenes)], ADA)

    async def archive_project(self, act: Act) -> None:
        """A project is hidden."""
        await editing.archive_project(self.stage.conn, self.projects[act.one % 2], ADA)

    async def restore_project(self, act: Act) -> None:
        """A project is brought back."""
        await editing.restore_project(self.stage.conn, self.projects[act.one % 2], ADA)

    async def register(self, act: Act) -> None:
        """A digest that was named before becomes a version."""
        await self.stage.version("fog", "fog of another day")

    async def fold(self, act: Act) -> None:
        """Some of what was appended is folded."""
        await fold(self.stage.conn, limit=1 + act.one)
