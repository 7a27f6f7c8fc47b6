"""Random changes to a production: numbers are taken modulo the available choices."""

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
    """One change, with the numbers that select its targets."""

    name: str
    first: int
    second: int
    third: int


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
    Act, name=st.sampled_from(NAMES), first=st.integers(0, 11), second=st.integers(0, 11), third=st.integers(0, 11)
)


@dataclass
class Play:
    """A production that random changes are applied to."""

    stage: Stage
    projects: list[int] = field(default_factory=list[int])
    scenes: list[int] = field(default_factory=list[int])
    segments: list[int] = field(default_factory=list[int])

    @classmethod
    async def begin(cls, stage: Stage) -> "Play":
        """Create two projects, three scenes, and LoRAs in two versions."""
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
        """Apply a change; one that is refused because its target is archived or out of range has no effect."""
        try:
            async with self.stage.conn.transaction():
                await getattr(self, act.name)(act)
        except (Conflict, Invalid, NotFound):
            pass

    async def record(self, act: Act) -> None:
        """Record a take whose images and LoRAs depend on the numbers; some LoRAs are not registered."""
        segment = self.segments[act.first % len(self.segments)]
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
            for name, content in loras[act.third % len(loras)]
        ]
        claimed = claim(
            *lines,
            *await self._pictures(segment, act.second),
            {"role": "workflow", "asset": "workflow:walk", "version": 1},
            parameters={"width": 832 if act.third < 9 else 640, "seed": None if act.second == 11 else str(act.second)},
        )
        outputs = {"video": f"{segment} {act}", "last_frame": f"{segment} {act.third % 3}"}
        await self.stage.record(segment, claimed, outputs, select=act.third != 5)

    async def _pictures(self, segment: int, choice: int) -> list[Mapping[str, Any]]:
        kind = choice % 5
        if kind < 2:
            return [{"role": "variant", "asset": "variant:clothed", "version": kind + 1}]
        if kind == 2:
            return [{"role": "seed_frame", "digest": digest_for(f"{self.segments[choice % 4]} {choice % 3}")}]
        takes = await rows(
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
        if not takes:
            return []
        frame = {"role": "seed_frame", "take": takes[0 if kind == 3 else choice % len(takes)]["id"]}
        return [frame] if choice != 9 else [frame, {"role": "variant", "asset": "variant:clothed", "version": 2}]

    async def select(self, act: Act) -> None:
        """Select another take."""
        await editing.select_take(
            self.stage.conn, self.segments[act.first % len(self.segments)], 1 + act.second % 3, ADA
        )

    async def move(self, act: Act) -> None:
        """Move a segment to another position."""
        change = SegmentChange(position=1 + act.second % 5)
        await editing.change_segment(self.stage.conn, self.segments[act.first % len(self.segments)], change, ADA)

    async def chain(self, act: Act) -> None:
        """Make a segment continue the previous one, or not."""
        change = SegmentChange(chained=act.second % 2 == 0)
        await editing.change_segment(self.stage.conn, self.segments[act.first % len(self.segments)], change, ADA)

    async def insert(self, act: Act) -> None:
        """Insert segments."""
        scene = self.scenes[act.first % len(self.scenes)]
        new = NewSegments(count=1 + act.third % 2, position=1 + act.second % 4, chained=act.third < 8)
        created = await editing.insert_segments(self.stage.conn, scene, new, ADA)
        self.segments += [segment.id for segment in created]

    async def archive_segment(self, act: Act) -> None:
        """Archive a segment."""
        await editing.archive_segment(self.stage.conn, self.segments[act.first % len(self.segments)], ADA)

    async def restore_segment(self, act: Act) -> None:
        """Restore a segment."""
        await editing.restore_segment(self.stage.conn, self.segments[act.first % len(self.segments)], ADA)

    async def archive_scene(self, act: Act) -> None:
        """Archive a scene."""
        await editing.archive_scene(self.stage.conn, self.scenes[act.first % len(self.scenes)], ADA)

    async def restore_scene(self, act: Act) -> None:
        """Restore a scene."""
        await editing.restore_scene(self.stage.conn, self.scenes[act.first % len(self.scenes)], ADA)

    async def archive_project(self, act: Act) -> None:
        """Archive a project."""
        await editing.archive_project(self.stage.conn, self.projects[act.first % 2], ADA)

    async def restore_project(self, act: Act) -> None:
        """Restore a project."""
        await editing.restore_project(self.stage.conn, self.projects[act.first % 2], ADA)

    async def register(self, act: Act) -> None:
        """Register a version with a digest that takes already name."""
        await self.stage.version("fog", "fog of another day")

    async def fold(self, act: Act) -> None:
        """Fold some of the appended usage."""
        await fold(self.stage.conn, limit=1 + act.first)
