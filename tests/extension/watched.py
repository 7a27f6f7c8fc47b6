"""A real ComfyUI with the extension, and the Genlock that its runs are sent to."""

import hashlib
import shutil
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
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
    """Return the digest of a file as receipts write it."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def until(holds: Callable[[], Any]) -> Any:
    """Return the result of ``holds`` once it is truthy."""
    end = time.monotonic() + PATIENCE_S
    while not (result := holds()):
        assert time.monotonic() < end, f"it did not come true in {PATIENCE_S} s"
        time.sleep(0.05)
    return result


def prepare(base: Path, *packs: str) -> None:
    """Prepare ComfyUI's folder: models, inputs, Genlock's extension, and some node packs of the tests."""
    require_comfyui()
    models.write_models(base / "models")
    (base / "input").mkdir(parents=True, exist_ok=True)
    (base / "input" / "start.png").write_bytes(png_of(np.full((64, 64, 3), (200, 30, 30), np.uint8)))
    for source in (EXTENSION, *(PACKS / name for name in packs)):
        name = "genlock" if source == EXTENSION else source.name
        shutil.copytree(source, base / "custom_nodes" / name, ignore=shutil.ignore_patterns("__pycache__"))


@contextmanager
def serving_extension(
    base: Path, *packs: str, flags: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Generator[ComfyServer]:
    """Start a ComfyUI with the extension, not connected to any Genlock yet."""
    prepare(base, *packs)
    with serving(base, *flags, models=False, environment=environment) as started:
        yield started


def video(prefix: str = "walk", lora: str = "mara_v1.safetensors", **sampling: Any) -> Graph:
    """Return a graph that renders five frames; ``sampling`` are inputs of its sampler."""
    graph = workflows.image_to_video()
    graph["9"]["inputs"]["length"] = 5
    graph["2"]["inputs"]["lora_name"] = lora
    graph["10"]["inputs"] |= sampling
    graph["13"]["inputs"]["filename_prefix"] = prefix
    return graph


@dataclass
class Watched:
    """A ComfyUI whose runs are sent to Genlock."""

    comfy: ComfyServer
    genlock: LiveServer

    def command(self, *words: str) -> CommandResult:
        """Run a command of the CLI, against this Genlock."""
        return in_process({}, (*words, "--url", self.genlock.url, "--token", self.genlock.token))

    def connect(self) -> CommandResult:
        """Install the extension again, with this Genlock's address and a new token."""
        ran = self.command("comfyui", "install", str(self.comfy.base))
        assert ran.code == 0, ran.err
        return ran

    def film(self) -> None:
        """Create project `rooftop`, scene `night`, three segments."""
        for words in (("project", "add", "rooftop"), ("scene", "add", "rooftop", "night", "--segments", "3")):
            assert self.command(*words).code == 0

    def lora(self, name: str, seed: int) -> str:
        """Write a LoRA through a rename over an existing file of that name; return its digest."""
        return digest_of_file(models.write(self.comfy.base / "models" / "loras" / name, models.lora(seed)))

    # ComfyUI ---------------------------------------------------------------------------------------

    def submit(self, graph: Graph) -> str:
        """Return the id of the prompt that a user starts with this graph."""
        prompt_id = str(uuid.uuid4())
        answer = httpx.post(f"{self.comfy.url}/prompt", json={"prompt": graph, "prompt_id": prompt_id})
        assert answer.is_success, answer.text
        return prompt_id

    def ended(self, prompt_id: str) -> dict[str, Any]:
        """Return ComfyUI's history entry of a prompt, once it has ended."""
        return until(lambda: httpx.get(f"{self.comfy.url}/history/{prompt_id}").json())[prompt_id]

    def call(self, path: str, body: Any = None, secret: str | None = None) -> httpx.Response:
        """Call ``/genlock/…`` inside ComfyUI."""
        headers = {} if secret is None else {"X-Genlock-Secret": secret}
        method = "GET" if body is None else "POST"
        return httpx.request(method, f"{self.comfy.url}/genlock/{path}", json=body, headers=headers)

    # Genlock ---------------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        """Return an answer of Genlock's API."""
        with self.genlock.client() as client:
            answer = client.get(f"/api/v1/{path}")
            assert answer.is_success, answer.text
            return answer.json()

    def captures(self) -> list[dict[str, Any]]:
        """Return all captured runs, newest first."""
        return self.get("captures?state=all")["items"]

    def captured(self, prompt_id: str) -> dict[str, Any]:
        """Return the run with this prompt and its record, once it was captured."""
        (capture,) = until(lambda: [capture for capture in self.captures() if capture["prompt_id"] == prompt_id])
        return self.get(f"captures/{capture['id']}")

    def run(self, graph: Graph) -> dict[str, Any]:
        """Run this graph and return the captured run."""
        prompt_id = self.submit(graph)
        self.ended(prompt_id)
        return self.captured(prompt_id)

    def take(self, segment: int) -> dict[str, Any]:
        """Return the provenance of a segment: its state, its take, its receipt."""
        return self.get(f"segments/{segment}/provenance")


def used(capture: dict[str, Any]) -> dict[str, Any]:
    """Return the digests of a record by file name; a reason where there is none."""
    return {line["name"]: line["digest"] or line["missing"] for line in capture["record"]["files"]}
