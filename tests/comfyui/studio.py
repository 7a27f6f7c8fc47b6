"""Runs of the ComfyUI engine on the tiny models: what its tests need, in one line each."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tests.comfyui import models, workflows
from tests.comfyui.server import ComfyServer
from tests.comfyui.workflows import Graph
from tests.engines.studio import SMALL, Job, ignore

from genlock.engines.comfyui.engine import ComfyUIEngine
from genlock.engines.comfyui.follow import Patience
from genlock.engines.comfyui.offer import SERVICES
from genlock.engines.comfyui.staging import Staging
from genlock.engines.model import Engine, EngineInput, Produces, Rendered
from genlock.engines.model import RenderSpec as Spec
from genlock.engines.pictures import png_of

LIMIT = 10**10
ROLES = {
    "model": "tiny_v1.safetensors",
    "lora": "rain_v1.safetensors",
    "text_encoder": "tiny_clip_l.safetensors",
    "vae": "tiny_wan_vae.safetensors",
}


@dataclass
class ComfyStudio:
    """Jobs for one server, with separate copies of its files, so that the server's may be overwritten."""

    server: ComfyServer
    folder: Path
    staging: Staging | None = None
    patience: Patience = field(default_factory=lambda: Patience(poll_s=0.2, away_s=4.0, reconnect_s=0.1))
    runs: int = 0
    video_type: str = "image/webp"
    without: frozenset[str] = frozenset(SERVICES)
    seed_bits: int = 32
    graph: Graph = field(default_factory=workflows.image_to_video)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.engine: Engine = ComfyUIEngine(
            self.server.url, self.staging or Staging(self.server.base, LIMIT), self.patience
        )
        self.files = {
            "model": models.write(self.folder / "model.safetensors", models.diffusion_model(1)),
            "vae": models.write(self.folder / "vae.safetensors", models.vae(2)),
            "text_encoder": models.write(self.folder / "text_encoder.safetensors", models.text_encoder(3)),
            "lora": self.lora(11),
            "start": self.picture(1),
        }

    def lora(self, seed: int) -> Path:
        """Write a LoRA that differs for each seed."""
        return models.write(self.folder / f"lora {seed}.safetensors", models.lora(seed))

    def picture(self, seed: int) -> Path:
        """Write an image that differs for each seed."""
        path = self.folder / f"start {seed}.png"
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        path.write_bytes(png_of(np.kron(coarse, np.ones((8, 8, 1), dtype=np.uint8)).astype(np.uint8)))
        return path

    def job(self, run: str, produces: Produces = "video", **changes: Any) -> Job:
        """Return a small job of ``graph``; ``changes`` are parameters."""
        parameters = {**SMALL, **changes}
        graph = self.graph if produces == "video" else workflows.image_to_image()
        if produces == "image":
            del parameters["frames"]
        workflow = self.folder / f"{run} {produces}.json"
        workflow.write_bytes(workflows.as_file(graph))
        inputs = (
            EngineInput(key="workflow", role="workflow", filename="walk.json"),
            *(
                EngineInput(key=role, role=role, filename=name, strength_model=0.8 if role == "lora" else None)
                for role, name in ROLES.items()
            ),
            EngineInput(key="start", role="variant", filename="clothed_v1.png"),
        )
        spec = Spec(
            run=run, workdir=self.folder / "outputs" / run, produces=produces, inputs=inputs, parameters=parameters
        )
        return Job(spec, {"workflow": workflow, **self.files})

    async def render(self, files: dict[str, Path] | None = None, **changes: Any) -> Rendered:
        """Render a job, with some files instead of the usual ones."""
        self.runs += 1
        job = self.job(f"run {self.runs}", **changes)
        return await self.engine.render(job.spec, {**job.files, **(files or {})}, ignore)
