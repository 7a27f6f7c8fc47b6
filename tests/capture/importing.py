"""Send imports over HTTP as a client does, and register a library to match against."""

import copy
import io
import json
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from tests.capture.corpus.cases import Graph, image_to_video, ksampler, node
from tests.capture.files import frames
from tests.library.identity.files import safetensors, tensor

from genlock.digest import digest_of


async def send(client: httpx.AsyncClient, *paths: Path, status: int | None = None, **more: Any) -> Any:
    """Import files as one take of rooftop/night/walk by default."""
    take = {"project": "rooftop", "scene": "night", "segment": "walk", "name": f"rooftop/{paths[0].name}", **more}
    files: list[Any] = [("take", (None, json.dumps(take)))]
    files += [(path.suffix[1:], (path.name, path.read_bytes())) for path in paths]
    answer = await client.post("/api/v1/imports", files=files)
    if status is not None:
        assert answer.status_code == status, answer.text
    return answer.json()


async def register(client: httpx.AsyncClient, kind: str, name: str, filename: str, content: bytes) -> Any:
    """Add a version to a shared asset, which is created if it does not exist."""
    matches = (await client.get("/api/v1/assets", params={"kind": kind, "q": name})).json()["items"]
    asset = matches[0] if matches else (await client.post("/api/v1/assets", json={"kind": kind, "name": name})).json()
    files = {"file": (filename, content)}
    added = await client.post(f"/api/v1/assets/{asset['id']}/versions", files=files)
    assert added.status_code == 201, added.text
    return added.json()["version"]


async def register_all(client: httpx.AsyncClient, start: bytes) -> None:
    """Register everything that the corpus's plain graph with one LoRA names."""
    for number, (kind, name, filename) in enumerate(
        (
            ("model", "wan", "wan.safetensors"),
            ("text_encoder", "umt5", "umt5.safetensors"),
            ("vae", "wan_vae", "wan_vae.safetensors"),
            ("lora", "rain", "rain.safetensors"),
        )
    ):
        await register(client, kind, name, filename, safetensors({"w": tensor(0, 4)}, bytes([number] * 4)))
    await register(client, "source_image", "start", "start.png", start)


def start_image(shade: int = 50) -> bytes:
    """Return an image as PNG, a different one for each shade."""
    written = io.BytesIO()
    Image.fromarray(frames(shade, 1)[0]).save(written, "PNG")
    return written.getvalue()


def graph_of(start: bytes | None = None) -> Graph:
    """Return the plain graph with one LoRA; with ``start``, as ComfyUI embeds it after reading that image."""
    graph = copy.deepcopy(
        image_to_video(
            n2=node("LoraLoaderModelOnly", model=["1", 0], lora_name="rain.safetensors", strength_model=0.8),
            n10=ksampler(model=("2", 0)),
        )
    )
    if start is not None:
        graph["8"]["is_changed"] = [digest_of(start).removeprefix("sha256:")]
    return graph


async def counts(client: httpx.AsyncClient) -> tuple[int, ...]:
    """Return the numbers of projects, receipts and assets."""
    counted: list[int] = []
    for path in ("projects", "receipts", "assets"):
        counted.append(len((await client.get(f"/api/v1/{path}", params={"limit": 500})).json()["items"]))
    return tuple(counted)
