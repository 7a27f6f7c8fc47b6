"""Run records as the extension sends them, and a small real video."""

import hashlib
import json
import tempfile
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from genlock.digest import digest_of
from genlock.engines.media import encode_video

WEIGHTS = {
    "unet_name": ("1", "diffusion_models", "wan.safetensors"),
    "lora_name": ("2", "loras", "rain.safetensors"),
    "image": ("4", "input", "portrait.png"),
}


def graph(seed: int = 42, prefix: str = "genlock/rooftop/night/1") -> dict[str, Any]:
    """Return a graph that turns an image into a video: one model, one LoRA, one prompt."""
    return {
        "1": {"class_type": "UNETLoader", "inputs": {"unet_name": "wan.safetensors", "weight_dtype": "default"}},
        "2": {
            "class_type": "LoraLoaderModelOnly",
            "inputs": {"model": ["1", 0], "lora_name": "rain.safetensors", "strength_model": 0.8},
        },
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": ["7", 0], "clip": ["1", 1]}},
        "4": {"class_type": "LoadImage", "inputs": {"image": "portrait.png"}},
        "5": {
            "class_type": "WanImageToVideo",
            "inputs": {
                **{"positive": ["3", 0], "negative": ["3", 0], "start_image": ["4", 0]},
                **{"width": 64, "height": 48, "length": 3},
            },
        },
        "6": {
            "class_type": "KSampler",
            "inputs": {
                **{"model": ["2", 0], "positive": ["5", 0], "negative": ["5", 1], "latent_image": ["5", 2]},
                **{"seed": seed, "steps": 3, "cfg": 4.0, "sampler_name": "euler", "scheduler": "simple"},
            },
        },
        "7": {"class_type": "SomePromptMaker", "inputs": {"mood": "wet"}},
        "8": {"class_type": "SaveVideo", "inputs": {"video": ["6", 0], "filename_prefix": prefix}},
    }


def video(shade: int = 90) -> bytes:
    """Return a video of three frames of 64×48."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        encode_video(path, [np.full((48, 64, 3), shade + number, np.uint8) for number in range(3)], 8)
        return path.read_bytes()


def digest(text: str) -> str:
    """Return a digest that represents some bytes."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def run_record(content: bytes | None = None, **changes: Any) -> dict[str, Any]:
    """Return the record of a run that saved ``content`` as ``genlock/rooftop/night/1_00001_.mp4``."""
    outputs: list[dict[str, Any]] = []
    if content is not None:
        outputs.append(
            {
                **{"node": "8", "filename": "1_00001_.mp4", "subfolder": "genlock/rooftop/night", "type": "output"},
                **{"media_type": "video/mp4", "digest": digest_of(content), "size_bytes": len(content)},
            }
        )
    record: dict[str, Any] = {
        "schema": "genlock.run/1",
        "run": str(uuid.uuid4()),
        "prompt_id": str(uuid.uuid4()),
        "status": "success",
        "error": None,
        "graph": graph(),
        "resolved": {"3": {"text": "she walks through the rain"}},
        "files": files(),
        "outputs": outputs,
        "per_node_s": {"6": 1.25},
        "cached_nodes": [],
        "started_at": "2026-03-02T10:14:12Z",
        "finished_at": "2026-03-02T10:14:14Z",
        "duration_s": 2.0,
        "environment": {"comfyui": "0.3.75", "torch": "2.13.0"},
        "place": None,
        "capture": {"version": "1", "sees": {"loads": True}, "overhead_s": 0.001},
    }
    return {**record, **changes}


def files(**named: str | None) -> list[dict[str, Any]]:
    """Return the loaded files; ``lora_name="v2"`` changes the content of that file, None makes it unknown."""
    loaded: list[dict[str, Any]] = []
    for field, (node, category, name) in WEIGHTS.items():
        content = named.get(field, "v1")
        is_readable = content is not None
        loaded.append(
            {
                **{"node": node, "input": field, "category": category, "name": name},
                **{
                    "digest": digest(f"{name} {content}") if is_readable else None,
                    "size_bytes": 100 if is_readable else None,
                },
                **{"missing": None if is_readable else "it was written to after it was loaded", "cached": False},
            }
        )
    return loaded


async def send(client: httpx.AsyncClient, record: dict[str, Any], *contents: bytes) -> httpx.Response:
    """Send a run to Genlock, with the bytes of its first outputs."""
    sent: dict[str, Any] = {"record": (None, json.dumps(record))}
    sent |= {f"output_{number}": (f"output_{number}", content) for number, content in enumerate(contents)}
    return await client.post("/api/v1/captures", files=sent)
