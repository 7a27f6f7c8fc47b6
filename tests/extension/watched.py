"""A real ComfyUI with the extension in it, and the Genlock that it tells."""

import hashlib
import shutil
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from tests.cli.conftest import CommandResult, in_process
from tests.comfyui import models, workflows
from tests.comfyui.server import ComfyServer, require_comfyui, serving
from tests.comfyui.workflows import Graph
from tests.conftest import LiveServer

from genlock.engines.pictures import png_of

PACKS = Path(__file__).parent / "packs"
EXTENSION = Path(__file__).parents[2] / "comfyui"
PATIENCE_S = 120


def digest_of_file(path: Path) -> str:
    """What a receipt calls the bytes of a file."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def until(holds: Callable[[], Any]) -> Any:
    """What ``holds`` gives once it is something."""
    end = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < end, f"it did not come true in {PATIENCE_S} s"
        time.sleep(0.05)
    return found


def prepare(base: Path, *packs: str) -> None:
    """Put models, inputs and node packs where ComfyUI starts: Genlock's extension, and some of the tests' own."""
    require_comfyui()
    models.write_models(base / "models")
    (base / "input").mkdir(parents=True, exist_ok=True)
    (base / "input" / "start.png").write_bytes(png_of(np.full((64, 64, 3), (200, 30, 30), np.uint8)))
    for source in (EXTENSION, *(PACKS / name for name in packs)):
        name = "genlock" if source == EXTENSION else source.name
        shutil.copytree(source, base / "custom_nodes" / name, ignore=shutil.ignore_patterns("__pycache__"))


@contextmanager
def serving_extension(base: Path, *packs: str, flags: Sequence[str] = ()) -> Generator[ComfyServer]:
    """A running ComfyUI with the extension, not connected to any Genlock yet."""
    prepare(base, *packs)
    with serving(base, *flags, models=False) as started:
        yield started


def video(prefix: str = "walk", lora: str = "mara_v1.safetensors", **sampling: Any) -> Graph:
    """A graph that makes five frames; ``sampling`` are inputs of its sampler."""
    graph = workflows.image_to_video()
    graph["9"]["inputs"]["length"] = 5
    graph["2"]["inputs"]["lora_name"] = lora
    graph["10"]["inputs"] |= sampling
    graph["13"]["inputs"]["filename_prefix"] = prefix
    return graph


@dataclass
class Watched:
    """ComfyUI, whose runs arrive at Genlock."""

    comfy: ComfyServer
    genlock: LiveServer

    def command(self, *words: str) -> CommandResult:
        """A command of the CLI, against this Genlock."""
        return in_process({}, (*words, "--url", self.genlock.url, "--token", self.genlock.token))

    def connect(self) -> CommandResult:
        """Put the extension there again: with this Genlock's address and a token of its own."""
        ran = self.command("comfyui", "install", str(self.comfy.base))
        assert ran.code == 0, ran.err
        return ran

    def film(self) -> None:
        """Project `rooftop`, scene `night`, three segments."""
        for words in (("project", "add", "rooftop"), ("scene", "add", "rooftop", "night", "--segments", "3")):
            assert self.command(*words).code == 0

    def lora(self, name: str, seed: int) -> str:
        """A LoRA of that name, renamed over whatever has it; its digest."""
        return digest_of_file(models.write(self.comfy.base / "models" / "loras" / name, models.lora(seed)))

    # ComfyUI ---------------------------------------------------------------------------------------

    def submit(self, graph: Graph) -> str:
        """The id of the prompt that a person starts with this graph."""
        prompt_id = str(uuid.uuid4())
        answer = httpx.post(f"{self.comfy.url}/prompt", json={"prompt": graph, "prompt_id": prompt_id})
        assert answer.is_success, answer.text
        return prompt_id

    def ended(self, prompt_id: str) -> dict[str, Any]:
        """What ComfyUI says of a prompt, when it has ended."""
        return until(lambda: httpx.get(f"{self.comfy.url}/history/{prompt_id}").json())[prompt_id]

    def call(self, path: str, body: Any = None, secret: str | None = None) -> httpx.Response:
        """A call to ``/genlock/…`` inside ComfyUI."""
        headers = {} if secret is None else {"X-Genlock-Secret": secret}
        method = "GET" if body is None else "POST"
        return httpx.request(method, f"{self.comfy.url}/genlock/{path}", json=body, headers=headers)

    # Genlock ---------------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        """An answer of Genlock's API."""
        with self.genlock.client() as client:
            answer = client.get(f"/api/v1/{path}")
            assert answer.is_success, answer.text
            return answer.json()

    def captures(self) -> list[dict[str, Any]]:
        """All runs that arrived, newest first."""
        return self.get("captures?state=all")["items"]

    def told(self, prompt_id: str) -> dict[str, Any]:
        """The one run with this prompt, with its record, when it has arrived."""
        (found,) = until(lambda: [one for one in self.captures() if one["prompt_id"] == prompt_id])
        return self.get(f"captures/{found['id']}")

    def run(self, graph: Graph) -> dict[str, Any]:
        """What Genlock was told of a run of this graph."""
        prompt_id = self.submit(graph)
        self.ended(prompt_id)
        return self.told(prompt_id)

    def take(self, segment: int) -> dict[str, Any]:
        """The provenance of a segment: its state, its take, its receipt."""
        return self.get(f"segments/{segment}/provenance")


def used(capture: dict[str, Any]) -> dict[str, Any]:
    """The digests by file name that a record tells of; a reason where there is none."""
    return {line["name"]: line["digest"] or line["missing"] for line in capture["record"]["files"]}
