"""Examples for the API's description, each a valid instance of its class (a test validates them)."""

from typing import Any

from pydantic import BaseModel

from genlock.access.model import NewToken
from genlock.capture.import_model import NewImport
from genlock.capture.inbox import Assignment
from genlock.capture.run_record import RunRecord
from genlock.library.model import NewAsset
from genlock.regeneration.model import NewPlan, NewRender
from genlock.regeneration.reproduction.model import NewReproduction
from genlock.staleness.bodies import ActivationRequest
from genlock.staleness.model import Cause, Group, NewWaiver, Report
from genlock.takes.claim import Claim
from genlock.takes.model import NewTakes
from genlock.timeline.model import NewName, NewPin, NewProject, NewScene, NewSegments, SegmentChange
from genlock.watching.model import NewScan
from genlock.web.problems import Problem

_V1 = "sha256:" + "1a" * 32
_V2 = "sha256:" + "2b" * 32
_VIDEO = "sha256:" + "3c" * 32

_CLAIM: dict[str, Any] = {
    "inputs": [
        {"role": "workflow", "asset": "workflow:walk", "version": 1},
        {"role": "model", "asset": "model:wan", "digest": _V1},
        {"role": "lora", "asset": "lora:rain", "version": 2, "strength_model": 0.8, "strength_clip": 1.0},
        {"role": "variant", "asset": "variant:clothed", "version": 1},
    ],
    "parameters": {
        "prompt": "she walks through the rain",
        "negative_prompt": "",
        "cfg": 5.0,
        "seed": "18446744073709551615",
        "steps": 20,
        "sampler": "euler",
        "width": 832,
        "height": 480,
        "frames": 81,
    },
    "engine": {"name": "comfyui", "version": "0.3.60"},
    "observed": {"duration_s": 41.7},
    "recorder": {"name": "my-pipeline", "version": "2"},
}
_GROUP: dict[str, Any] = {
    "id": "asset-7-1-2",
    "kind": "asset",
    "asset": {"id": 7, "kind": "variant", "name": "clothed"},
    "used": 1,
    "expected": 2,
    "sentence": "12 segments across 3 scenes used clothed_v1.png — you are on v2",
    "segments": 12,
    "scenes": 3,
    "direct": 3,
    "derived": 9,
    "estimate": {"gpu_seconds": 500.4, "samples": 60},
    "restorable": 0,
}

_RUN: dict[str, Any] = {
    "schema": "genlock.run/1",
    "run": "6f1d0c9e-2f0b-4a57-9f3e-1f0f8f0f7a11",
    "prompt_id": "b1946ac9-2492-4d23-8c48-9a9f4d0c1d22",
    "status": "success",
    "graph": {
        "1": {"class_type": "UNETLoader", "inputs": {"unet_name": "wan.safetensors"}},
        "2": {"class_type": "SaveVideo", "inputs": {"model": ["1", 0], "filename_prefix": "genlock/rooftop/night/3"}},
    },
    "files": [
        {"node": "1", "input": "unet_name", "category": "diffusion_models", "name": "wan.safetensors", "digest": _V1},
    ],
    "outputs": [
        {"node": "2", "filename": "3_00001_.mp4", "subfolder": "genlock/rooftop/night", "media_type": "video/mp4"},
    ],
    "started_at": "2026-03-02T10:14:12Z",
    "place": {"project": "rooftop", "scene": "night", "segment": "3"},
    "capture": {"version": "1", "sees": {"loads": True}, "overhead_s": 0.001},
}

EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    Claim: _CLAIM,
    Group: _GROUP,
    Report: {
        "project_id": 1,
        "as_of": "2026-03-02T10:15:00Z",
        "totals": {
            "segments": 12, "scenes": 3, "superseded": 3, "chain": 0, "derived": 9, "unmatched": 0, "waived": 0,
        },
        "groups": [_GROUP],
        "next": None,
        "total": 1,
    },
    Cause: {
        "kind": "derived",
        "role": "seed_frame",
        "ordinal": 0,
        "asset_id": 7,
        "from": {"version": 1, "digest": _V1},
        "to": {"version": 2, "digest": _V2},
        "decided_by": "digest",
        "root": {"kind": "asset", "asset_id": 7, "used": 1, "expected": 2},
        "path": [
            {"type": "version", "id": 7, "number": 1, "name": "clothed"},
            {"type": "segment", "id": 31, "number": 1, "name": "1"},
            {"type": "segment", "id": 32, "number": 2, "name": "2"},
        ],
        "path_total": 3,
        "path_rest": None,
        "since": "2026-03-02T10:14:12Z",
        "moved_by": "ada",
        "waiver_id": None,
    },
    Problem: {
        "type": "urn:genlock:problem:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no asset 12.",
        "code": "not_found",
        "hint": "`genlock asset list` shows all assets.",
        "errors": [],
    },
    NewImport: {
        "project": "rooftop",
        "scene": "night",
        "segment": "walk",
        "name": "rooftop/night/walk_00003_.mp4",
        "dry_run": True,
    },
    NewProject: {"slug": "rooftop", "name": "Rooftop"},
    NewScene: {"name": "night"},
    NewSegments: {"count": 4, "chained": True},
    SegmentChange: {"position": 2},
    NewName: {"name": "Rooftop, second cut"},
    NewAsset: {"kind": "lora", "name": "rain", "project_id": None},
    NewPin: {"version": 1, "reason": "the client approved this one"},
    NewToken: {"name": "render farm", "role": "creator"},
    NewTakes: {"takes": [{"segment_id": 31, "claim": {**_CLAIM, "outputs": {"video": _VIDEO}}}], "select": True},
    NewWaiver: {"scene_id": 4, "asset_id": 7, "reason": "too dark to see the coat"},
    NewPlan: {"project_id": 1, "selection": {"groups": ["asset-7-1-2"]}},
    NewRender: {
        "engine": "sketch",
        "inputs": [
            {"role": "workflow", "asset_id": 1},
            {"role": "lora", "asset_id": 3, "strength_model": 0.8},
        ],
        "parameters": {"prompt": "she walks through the rain", "seed": "42"},
    },
    NewReproduction: {"runs": 2},
    NewScan: {"folders": ["/srv/comfyui/models"], "keep": True},
    ActivationRequest: {"version": 2, "note": "the new coat"},
    Assignment: {"segment_id": 31, "select": True},
    RunRecord: _RUN,
}  # fmt: skip
