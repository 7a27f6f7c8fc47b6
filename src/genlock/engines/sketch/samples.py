"""Writes sample files for the sketch engine: a model, LoRAs, workflows and pictures.

The weights are random and untrained. They are scaled so that every input of a run is visible in its frames.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from genlock.engines.pictures import png_of
from genlock.engines.sketch.drawings import DRAWINGS
from genlock.engines.sketch.weights import SHAPES

_SCALES: Mapping[str, float] = {
    "encoder.weight": 0.25,
    "text.embedding.weight": 1.0,
    "text.projection.weight": 0.35,
    "time.weight": 0.6,
    "in.weight": 0.12,
    "mid.weight": 0.12,
    "out.weight": 0.22,
    "decoder.weight": 0.8,
}
_BIAS_SCALE = 0.12

_LORA_RANK = 4
_LORA_SCALES: Mapping[str, float] = {
    "text.projection": 0.3,
    "in": 0.25,
    "mid": 0.25,
    "out": 0.3,
    "decoder": 0.5,
}

MODELS = ("tiny",)
LORAS = ("rain", "glow", "grain")


def write_samples(folder: Path, seed: int = 0) -> tuple[Path, ...]:
    """Write all samples to ``folder`` and return their paths; the same ``seed`` gives the same weights.

    Each model and LoRA has a ``_v2`` with other weights; each LoRA also a ``_v1_relabelled`` with the weights of
    ``_v1`` and another header. Existing files are overwritten.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {**_weights(seed), **_workflows(), **_pictures()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return tuple(folder / name for name in sorted(contents))


def _weights(seed: int) -> dict[str, bytes]:
    written: dict[str, bytes] = {}
    for name in MODELS:
        for version in ("v1", "v2"):
            tensors = {key: _draw(seed, f"{name} {version} {key}", key, shape) for key, shape in SHAPES.items()}
            written[f"{name}_{version}.safetensors"] = save(tensors, {"title": name})
    for name in LORAS:
        for version in ("v1", "v2"):
            written[f"{name}_{version}.safetensors"] = save(_lora(seed, f"{name} {version}"), {"title": name})
        relabelled = {"title": f"{name}, with a new description"}
        written[f"{name}_v1_relabelled.safetensors"] = save(_lora(seed, f"{name} v1"), relabelled)
    return written


def _draw(seed: int, label: str, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return _random(seed, label, shape, _SCALES.get(name, _BIAS_SCALE))


def _lora(seed: int, label: str) -> dict[str, NDArray[np.float32]]:
    tensors: dict[str, NDArray[np.float32]] = {}
    for layer, scale in _LORA_SCALES.items():
        shape = SHAPES[f"{layer}.weight"]
        inputs = int(np.prod(shape[1:]))
        tensors[f"{layer}.lora_A.weight"] = _random(seed, f"{label} {layer} A", (_LORA_RANK, inputs), scale)
        tensors[f"{layer}.lora_B.weight"] = _random(seed, f"{label} {layer} B", (shape[0], _LORA_RANK), 1.0)
    return tensors


def _random(seed: int, label: str, shape: tuple[int, ...], scale: float) -> NDArray[np.float32]:
    """Draw uniformly between ±√3 · ``scale``, so that the deviation is ``scale``; every label has its own sequence."""
    count = int(np.prod(shape))
    key = int.from_bytes(hashlib.sha256(f"{seed} {label}".encode()).digest()[:16])
    words = np.random.Philox(key=key).random_raw(count) >> np.uint64(40)
    unit = words.astype(np.float64) / 2.0**23 - 1.0
    return (unit * (scale * 3.0**0.5)).astype(np.float32).reshape(shape)


def _workflows() -> dict[str, bytes]:
    walk = _video_workflow({"motion": 0.8, "amount": 0.12, "blur": 1, "palette": "natural"})
    return {
        "walk_v1.json": _json(walk),
        "walk_v2.json": _json(_video_workflow({"motion": 1.4, "amount": 0.16, "blur": 2, "palette": "dusk"})),
        "walk_v1_moved.json": _json(_rearranged(walk)),
        "dress_v1.json": _json(_image_workflow({"amount": 0.22, "palette": "natural"})),
        "dress_v2.json": _json(_image_workflow({"amount": 0.22, "palette": "neon"})),
    }


def _video_workflow(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the workflow of a segment: start image and prompts through model and LoRAs to a video."""
    sampling = {"seed": 1, "steps": 4, "cfg": 4.0, "width": 192, "height": 192, "length": 16, **settings}
    return {
        **_front(sampling),
        "7": {"class_type": "SketchSaveVideo", "inputs": {"frames": ["6", 0], "fps": 8, "filename_prefix": "walk"}},
    }


def _image_workflow(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the workflow of a variant: one picture made from another."""
    sampling = {"seed": 1, "steps": 6, "cfg": 4.0, "width": 256, "height": 256, **settings}
    return {
        **_front(sampling),
        "7": {"class_type": "SketchSaveImage", "inputs": {"frames": ["6", 0], "filename_prefix": "dress"}},
    }


def _front(sampling: Mapping[str, Any]) -> dict[str, Any]:
    links = {"model": ["2", 0], "positive": ["4", 0], "negative": ["5", 0], "start_image": ["3", 0]}
    return {
        "1": {"class_type": "SketchLoadModel", "inputs": {"model_name": "tiny_v1.safetensors"}},
        "2": {"class_type": "SketchLoraStack", "inputs": {"model": ["1", 0]}},
        "3": {"class_type": "SketchLoadImage", "inputs": {"image": "portrait_v1.png"}},
        "4": {"class_type": "SketchPrompt", "inputs": {"model": ["2", 0], "text": "a quiet walk"}},
        "5": {"class_type": "SketchPrompt", "inputs": {"model": ["2", 0], "text": ""}},
        "6": {"class_type": "SketchSampler", "inputs": {**links, **sampling}},
    }


def _rearranged(graph: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same graph as an editor writes it after nodes were moved: other ids, order and titles."""

    def renamed(value: Any) -> Any:
        return [f"1{cast(list[Any], value)[0]}", 0] if isinstance(value, list) else value

    rearranged: dict[str, Any] = {}
    for key in reversed(list(graph)):
        class_type, inputs = graph[key]["class_type"], cast(dict[str, Any], graph[key]["inputs"])
        rearranged[f"1{key}"] = {
            "inputs": {name: renamed(value) for name, value in inputs.items()},
            "class_type": class_type,
            "_meta": {"title": f"{class_type}, moved"},
        }
    return rearranged


def _json(graph: Mapping[str, Any]) -> bytes:
    return (json.dumps(graph, indent=2) + "\n").encode()


def _pictures() -> dict[str, bytes]:
    return {name: png_of(draw()) for name, draw in DRAWINGS.items()}
