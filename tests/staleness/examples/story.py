"""The start of every worked example, and the few actions that change it.

Scenes A and B have four chained segments each. ``portrait`` (P) is a source image, ``clothed`` (C) a variant made from
P1, ``rain`` (R) a LoRA; there are also a workflow and a model. Everything is at v1, and fresh.
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
    """A project on a stage; assets by name, segments by scene."""

    stage: Stage
    project: int = 0
    assets: dict[str, int] = field(default_factory=dict[str, int])
    scenes: dict[str, int] = field(default_factory=dict[str, int])
    segments: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    renders: "count[int]" = field(default_factory=count)

    async def begin(self) -> "Story":
        """Create the start: two scenes, everything fresh."""
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
        """Create a scene of four fresh segments in this project, made of the same assets."""
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
        """Upload a file to a named asset; ``C2`` is uploaded as ``clothed_v2.png``."""
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
        """Generate a version of a named asset with an engine."""
        kind, extension = KINDS[name]
        filename = f"{name}_v{content[1:]}{extension}"
        generated = await self.stage.generate(kind, name, content, filename=filename, made_from=self.sources(made_from))
        self.assets[name] = generated.asset
        return generated

    def sources(self, named: Iterable[tuple[str, int]]) -> list[Source]:
        return [(self.assets[name], number) for name, number in named]

    async def activate(self, name: str, version: int) -> None:
        await self.stage.activate(self.assets[name], version)

    async def scene(self, name: str, *, chained: Sequence[bool] = (True, True, True, True)) -> None:
        """Create a scene of the project with one segment per entry, none with a take."""
        self.scenes[name] = await self.stage.scene(self.project, name)
        self.segments[name] = [await self.stage.segment(self.scenes[name], chained=each) for each in chained]

    def segment(self, name: str) -> int:
        """Return the id of a segment; ``A/2`` is the second segment that scene A started with."""
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
        """Record a take of a segment: the first of a chain from the variant, others from the previous segment's frame.

        ``rain`` is the number of a version, or the content of a file that may be none; ``bare`` names only its digest.
        ``frames_of`` adds the frames of other takes.
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
        """Return the workflow and the model at v1, and if given a version of the LoRA."""
        lora = [Use(Kind.LORA, self.assets["rain"], version=rain, strength=0.8)] if rain is not None else []
        return [*lora, Use(Kind.WORKFLOW, self.assets["walk"], 1), Use(Kind.MODEL, self.assets["tiny"], 1)]

    def bare(self, kind: Kind, content: str) -> Use:
        """Return an input that is named only by its digest."""
        return Use(kind, None, content=content)

    async def redo(self, *scenes: str, clothed: int = 1, rain: int = 1) -> list[int]:
        """Record new takes for whole scenes, each segment after the previous one, and select them."""
        return [
            await self.render(f"{scene}/{place}", clothed=clothed, rain=rain)
            for scene in scenes
            for place in range(1, len(self.segments[scene]) + 1)
        ]

    async def restore(self, *scenes: str) -> None:
        """Select the first take of every segment again."""
        for segment in self.named(scenes):
            first, *_ = await self.stage.takes(segment)
            await self.stage.select(segment, first)

    def named(self, names: Iterable[str]) -> list[int]:
        """Return segments by name; a scene's name means all of its segments."""
        return [segment for name in names for segment in ([self.segment(name)] if "/" in name else self.segments[name])]

    async def states(self, *names: str) -> list[str]:
        return [await self.stage.state(segment) for segment in self.named(names)]

    def root(self, name: str, used: int, expected: int) -> Root:
        """Return the root that the examples call (C,1,2)."""
        return ("asset", self.assets[name], used, expected)

    def unmatched(self, name: str) -> Root:
        return ("unmatched", self.assets[name], None, None)

    async def causes(self, name: str) -> set[tuple[str, Root]]:
        """Return the unwaived causes of a segment: (kind, root)."""
        return {(cause.kind, cause.root) for cause in await self.stage.causes(self.segment(name)) if not cause.waived}

    async def report(self) -> SeenReport:
        return await self.stage.report(self.project)

    async def groups(self) -> dict[Root, tuple[int, int, int, int]]:
        """Return the report's groups: (segments, scenes, direct, derived) by root."""
        return {
            group.root: (group.segments, group.scenes, group.direct, group.derived)
            for group in (await self.report()).groups
        }

    async def sentences(self) -> set[str]:
        return {group.sentence for group in (await self.report()).groups}

    async def nothing_is_stale(self) -> bool:
        """Return whether the report is empty and every segment fresh."""
        report = await self.report()
        return not report.groups and report.segments == 0 and set(await self.states(*self.segments)) == {"fresh"}
