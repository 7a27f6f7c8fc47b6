"""Scenes of a known shape, filled over HTTP: each segment has a selected take."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from json import dumps

import httpx

from benchmarks.claims import claim

_BATCH = 500


@dataclass(frozen=True)
class Shape:
    """How many segments a scene has, and whether they are one chain."""

    segments: int
    chained: bool = False


@dataclass(frozen=True)
class FilledScene:
    """A scene with the ids of its segments, in order."""

    id: int
    segments: tuple[int, ...]


def new_project(http: httpx.Client, purpose: str) -> int:
    """Return the id of a new project."""
    name = f"{purpose}-{time.time_ns()}"
    project = http.post("/projects", json={"slug": name, "name": name}).raise_for_status().json()
    return project["id"]


def new_asset(http: httpx.Client, kind: str, name: str) -> int:
    """Return the id of a new asset with one version."""
    asset_id = http.post("/assets", json={"kind": kind, "name": name}).raise_for_status().json()["id"]
    add_version(http, asset_id, kind)
    return asset_id


def add_version(http: httpx.Client, asset_id: int, kind: str = "lora") -> None:
    """Add a version with new content, which becomes the active one."""
    filename, content = "asset.bin", f"content of {asset_id} at {time.time_ns()}"
    if kind == "workflow":
        filename, content = "asset.json", dumps({"1": {"class_type": "SaveVideo", "inputs": {"note": content}}})
    http.post(f"/assets/{asset_id}/versions", files={"file": (filename, content.encode())}).raise_for_status()


def add_scene(
    http: httpx.Client,
    project_id: int,
    shape: Shape,
    assets: Callable[[int], Mapping[str, int]],
    outputs: Sequence[Mapping[str, str]],
) -> FilledScene:
    """Add a scene whose segments have takes; ``assets`` gives those of the segment at an index, from 0.

    ``outputs`` are those of the segments: as many as there are where they are one chain, else they go round.
    """
    name = f"scene {time.time_ns()}"
    scene = http.post(f"/projects/{project_id}/scenes", json={"name": name}).raise_for_status().json()
    segment_ids: list[int] = []
    while len(segment_ids) < shape.segments:
        count = min(_BATCH, shape.segments - len(segment_ids))
        body = {"count": count, "chained": shape.chained}
        added = http.post(f"/scenes/{scene['id']}/segments", json=body).raise_for_status()
        segment_ids += [segment["id"] for segment in added.json()["items"]]
    filled = FilledScene(scene["id"], tuple(segment_ids))
    record_scene(http, filled, shape, assets, outputs)
    return filled


def record_scene(
    http: httpx.Client,
    scene: FilledScene,
    shape: Shape,
    assets: Callable[[int], Mapping[str, int]],
    outputs: Sequence[Mapping[str, str]],
    *,
    lora_version: int = 1,
    generation: int = 0,
) -> None:
    """Record a take of each segment and select it; prompts and seeds are the same for the same ``generation``."""
    takes = [
        {
            "segment_id": segment_id,
            "claim": claim(
                assets(index),
                segment_id * 10 + generation,
                outputs[index % len(outputs)],
                lora_version=lora_version,
                continues=outputs[index - 1]["last_frame"] if shape.chained and index else None,
            ),
        }
        for index, segment_id in enumerate(scene.segments)
    ]
    for start in range(0, len(takes), _BATCH):
        http.post("/takes:batch", json={"takes": takes[start : start + _BATCH]}).raise_for_status()
