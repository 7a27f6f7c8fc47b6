"""Run an engine on small sample files: what the engine tests need, in one line each."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from genlock.engines.model import Engine, EngineInput, Produces, Rendered, RenderSpec
from genlock.engines.registry import engine_named
from genlock.settings import Settings

SMALL: dict[str, Any] = {"width": 64, "height": 64, "frames": 5, "steps": 2, "seed": "1", "prompt": "a walk"}


def ignore(progress: float, message: str) -> None:
    """Ignore a progress report."""


@dataclass(frozen=True)
class Job:
    """A spec with its files."""

    spec: RenderSpec
    files: dict[str, Path]


class Studio(Protocol):
    """A factory of jobs that one engine can run: the conformance suite needs one for every engine."""

    engine: Engine
    video_type: str
    seed_bits: int
    without: frozenset[str]
    """Parameters of the engine that the graph of these jobs has no place for."""

    def job(self, run: str, produces: Produces = "video", **changes: Any) -> Job:
        """Return a small job; ``changes`` are parameters."""
        ...


@dataclass
class SketchStudio:
    """Jobs for the sketch engine, from its own samples."""

    samples: Path
    outputs: Path
    engine: Engine = field(default_factory=lambda: engine_named("sketch", Settings()))
    runs: int = 0
    video_type: str = "video/mp4"
    seed_bits: int = 64
    without: frozenset[str] = frozenset()

    def job(self, run: str, produces: Produces = "video", **changes: Any) -> Job:
        parameters = {**SMALL, **changes}
        if produces == "image":
            del parameters["frames"]
        workflow = "walk_v1.json" if produces == "video" else "dress_v1.json"
        inputs = (
            EngineInput(key="workflow", role="workflow"),
            EngineInput(key="model", role="model", filename="tiny_v1.safetensors"),
            EngineInput(key="lora", role="lora", strength_model=0.8, filename="rain_v1.safetensors"),
            EngineInput(key="start", role="variant", filename="clothed_v1.png"),
        )
        files = {
            "workflow": self.samples / workflow,
            "model": self.samples / "tiny_v1.safetensors",
            "lora": self.samples / "rain_v1.safetensors",
            "start": self.samples / "clothed_v1.png",
        }
        spec = RenderSpec(run=run, workdir=self.outputs / run, produces=produces, inputs=inputs, parameters=parameters)
        return Job(spec, files)

    async def render(
        self,
        graph: bytes | None = None,
        produces: Produces = "video",
        model: Path | None = None,
        loras: tuple[tuple[Path, float], ...] = (),
        starts: dict[str, Path] | None = None,
        **changes: Any,
    ) -> Rendered:
        """Run the sample workflow, or ``graph``, from a portrait by default."""
        self.runs += 1
        job = self.job(f"run {self.runs}", produces, **changes)
        if starts is None:
            starts = {"variant": self.samples / "portrait_v1.png"}
        files = {"workflow": job.files["workflow"], "model": model or job.files["model"]}
        inputs = [EngineInput(key="workflow", role="workflow"), EngineInput(key="model", role="model")]
        for role, path in starts.items():
            files[role] = path
            inputs.append(EngineInput(key=role, role=role))
        for ordinal, (path, strength) in enumerate(loras):
            files[f"lora {ordinal}"] = path
            inputs.append(EngineInput(key=f"lora {ordinal}", role="lora", ordinal=ordinal, strength_model=strength))
        spec = job.spec.model_copy(update={"inputs": tuple(inputs), "graph": graph})
        return await self.engine.render(spec, files, ignore)
