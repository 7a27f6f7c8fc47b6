"""Prove receipts in another process: a server with an empty base folder and only the files that the receipt names.

    receipt ─▶ its graph, to the letter ─▶ another ComfyUI, --cache-none ─▶ frames
             └▶ its inputs, by digest ───▶ under the names that the graph has

The engine is not involved: the server renders only from these files and this graph.
"""

import json
import time
from pathlib import Path
from typing import Any, cast

import httpx
from tests.comfyui.server import ComfyServer

from genlock.client import Genlock
from genlock.engines.media import frames_digest
from genlock.takes.model import Receipt

PLACES = {
    ("UNETLoader", "unet_name"): "models/diffusion_models",
    ("LoraLoaderModelOnly", "lora_name"): "models/loras",
    ("CLIPLoader", "clip_name"): "models/text_encoders",
    ("VAELoader", "vae_name"): "models/vae",
    ("LoadImage", "image"): "input",
}
PATIENCE_S = 300


def rendered_frames(gl: Genlock, receipt: Receipt, server: ComfyServer, folder: Path) -> str:
    """Return the digest of the frames that ``server`` renders from a receipt: its graph and the files it names."""
    graph = cast("dict[str, Any]", json.loads(gl.download(receipt.document["graph"], folder / "graph").read_bytes()))
    digests = [str(line["digest"]) for line in receipt.document["inputs"]]
    for node in graph.values():
        for name, value in node["inputs"].items():
            place = PLACES.get((node["class_type"], name))
            if place is not None:
                _put(gl, server.base / place / value, digests)
    with httpx.Client(base_url=server.url, timeout=60) as http:
        answer = http.post("/prompt", json={"prompt": graph})
        assert answer.is_success, answer.text
        output = _awaited(http, answer.json()["prompt_id"])
        query = {key: output[key] for key in ("filename", "subfolder", "type")}
        video = folder / output["filename"]
        video.write_bytes(http.get("/view", params=query).raise_for_status().content)
    return frames_digest(video)


def _put(gl: Genlock, path: Path, digests: list[str]) -> None:
    """Put the input whose digest is in the name into its place."""
    (digest,) = {candidate for candidate in digests if candidate.removeprefix("sha256:")[:32] in str(path)}
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        gl.download(digest, path)


def _awaited(http: httpx.Client, prompt_id: str) -> dict[str, Any]:
    """Return the one file that a prompt saved."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        ended = http.get(f"/history/{prompt_id}").json().get(prompt_id)
        if ended is not None:
            assert ended["status"]["status_str"] == "success", ended["status"]
            ((output,),) = (node["images"] for node in ended["outputs"].values())
            return output
        time.sleep(0.1)
    raise AssertionError(f"{prompt_id} has not ended after {PATIENCE_S} s")
