"""The start of every worked example, and the few things that are done to it.

Scenes A and B have four chained segments each. ``portrait`` (P) is a source image, ``clothed`` (C) a variant made from
P1, ``rain`` (R) a LoRA; a workflow and a model are there too. Everything is at v1, and fresh.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from tests.staleness.worlds import SeenReport, Source, Stage, Uploaded, Use

from genlock.model import Kind

KINDS = {
    "portrait": (Kind.SOURCE_IMAGE, ".png"),
    "pose": (Kind.SOURCE_IMAGE, ".png"),
    "clothed": (Kind.VARIANT, ".png"),
    "poster": (Kind.VARIANT, ".png"),
    "rain": (Kind.LORA, ".safetensors"),
    "walk": (Kind.WORKFLOW, ".json"),
    "tiny": (Kind.MODEL, ".safetensors"),
}

CHAIN = ("chain", None, None, None)
Root = tuple[str, int | None, int | None, int | None]


@dataclass
class Story:
    """One project on a stage; assets by name, segments by scene."""

    stage: Stage
    project: int = 0
    assets: dict[str, int] = field(default_factory=dict[str, int])
    scenes: dict[str, int] = field(default_factory=dict[str, int])
    segments: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    renders: "count[int]" = field(default_factory=count)

    async def begin(self) -> "Story":
        """The start: two scenes, everything fresh."""
        self.project = await self.stage.project("rooftop")
        await self.upload("portrait", "P1")
        await self.upload("clothed", "C1", derived_from=[("portrait", 1)])
        for name, content in (("rain", "R1"), ("walk", "W1"), ("tiny", "M1")):
            await self.upload(name, content)
        for name in ("A", "B"):
            await self.scene(name)
            await self.redo(name)
        assert await self.states("A", "B") == ["fresh"] * 8
        return self

    async def elsewhere(self, scene: str) -> "Story":
        """A scene of four fresh segments in this project too, made of the same assets."""
        await self.scene(scene)
        await self.redo(scene)
        return self

    async def upload(
        self,
        name: str,
        content: str,
        *,
        derived_from: Iterable[tuple[str, int]] = (),
        activate: bool = True,
        wrapping: str = "",
    ) -> Uploaded:
        """A file for one of the named assets; ``C2`` comes as ``clothed_v2.png``."""
        kind, extension = KINDS[name]
        uploaded = await self.stage.upload(
            kind,
            name,
            content,
            filename=f"{name}_v{content[1:]}{extension}",
            wrapping=wrapping,
            derived_from=self.sources(derived_from),
            activate=activate,
        )
        self.assets[name] = uploaded.asset
        return uploaded

    async def generate(self, name: str, content: str, made_from: Iterable[tuple[str, int]]) -> Uploaded:
        """An engine makes a version of one of the named assets."""
        kind, extension = KINDS[name]
        filename = f"{name}_v{content[1:]}{extension}"
        made = await self.stage.generate(kind, name, content, filename=filename, made_from=self.sources(made_from))
        self.assets[name] = made.asset
        return made

    def sources(self, named: Iterable[tuple[str, int]]) -> list[Source]:
        return [(self.assets[name], number) for name, number in named]

    async def activate(self, name: str, version: int) -> None:
        await self.stage.activate(self.assets[name], version)

    async def scene(self, name: str, *, chained: Sequence[bool] = (True, True, True, True)) -> None:
        """A scene of the project with one segment per entry, none with a take."""
        self.scenes[name] = await self.stage.scene(self.project, name)
        self.segments[name] = [await self.stage.segment(self.scenes[name], chained=each) for each in chained]

    def segment(self, name: str) -> int:
        """``A/2``: the second segment scene A began with."""
        scene, place = name.split("/")
        return self.segments[scene][int(place) - 1]

    async def render(
        self,
        name: str,
        *,
        starts: bool | None = None,
        variant: str | None = "clothed",
        clothed: int = 1,
        rain: int | str = 1,
        bare: bool = False,
        last_frame: str | None = None,
        frames_of: Sequence[int] = (),
        seed: str | None = "1",
        evidence: str = "recorded",
        select: bool = True,
    ) -> int:
        """A take for a segment: the first of a chain from the variant, others from the frame of the one before.

        ``rain`` is a version's number, or the content of a file that may be none; ``bare`` names it by digest alone.
        Frames of other takes go in behind.
        """
        scene, place = name.split("/")
        first = place == "1" if starts is None else starts
        lora = (
            Use(Kind.LORA, self.assets["rain"], version=rain, strength=0.8)
            if isinstance(rain, int)
            else Use(Kind.LORA, None if bare else self.assets["rain"], content=rain, strength=0.8)
        )
        uses = [lora, *self.uses()]
        if first and variant is not None:
            uses.append(Use(Kind.VARIANT, self.assets[variant], clothed))
        before = None if first else await self.stage.selected(self.segment(f"{scene}/{int(place) - 1}"))
        return await self.stage.record(
            self.segment(name),
            uses,
            last_frame=last_frame or f"render {next(self.renders)}",
            continues=before,
            frames_of=frames_of,
            seed=seed,
            evidence=evidence,
            select=select,
        )

    def uses(self, rain: int | None = None) -> list[Use]:
        """The workflow and the model at v1, and if given a version of the LoRA."""
        lora = [Use(Kind.LORA, self.assets["rain"], version=rain, strength=0.8)] if rain is not None else []
        return [*lora, Use(Kind.WORKFLOW, self.assets["walk"], 1), Use(Kind.MODEL, self.assets["tiny"], 1)]

    def bare(self, kind: Kind, content: str) -> Use:
        """A file that is named by its digest alone."""
        return Use(kind, None, content=content)

    async def redo(self, *scenes: str, clothed: int = 1, rain: int = 1) -> list[int]:
        """New takes for whole scenes, each segment after the one before; selected."""
        return [
            await self.render(f"{scene}/{place}", clothed=clothed, rain=rain)
            for scene in scenes
            for place in range(1, len(self.segments[scene]) + 1)
        ]

    async def restore(self, *scenes: str) -> None:
        """The first take of every segment is in the cut again."""
        for segment in self.named(scenes):
            first, *_ = await self.stage.takes(segment)
            await self.stage.select(segment, first)

    def named(self, names: Iterable[str]) -> list[int]:
        """Segments by name; a scene's name stands for all of its segments."""
        return [segment for name in names for segment in ([self.segment(name)] if "/" in name else self.segments[name])]

    async def states(self, *names: str) -> list[str]:
        return [await self.stage.state(segment) for segment in self.named(names)]

    def root(self, name: str, used: int, expected: int) -> Root:
        """(C,1,2) of the examples."""
        return ("asset", self.assets[name], used, expected)

    def unmatched(self, name: str) -> Root:
        return ("unmatched", self.assets[name], None, None)

    async def causes(self, name: str) -> set[tuple[str, Root]]:
        """The unwaived causes of a segment: (kind, root)."""
        return {(cause.kind, cause.root) for cause in await self.stage.causes(self.segment(name)) if not cause.waived}

    async def report(self) -> SeenReport:
        return await self.stage.report(self.project)

    async def groups(self) -> dict[Root, tuple[int, int, int, int]]:
        """The report's groups: (segments, scenes, direct, derived) by root."""
        return {
            group.root: (group.segments, group.scenes, group.direct, group.derived)
            for group in (await self.report()).groups
        }

    async def sentences(self) -> set[str]:
        return {group.sentence for group in (await self.report()).groups}

    async def nothing_is_stale(self) -> bool:
        """Whether the report is empty and every segment fresh."""
        report = await self.report()
        return not report.groups and report.segments == 0 and set(await self.states(*self.segments)) == {"fresh"}
