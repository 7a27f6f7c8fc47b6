"""Files that a real ComfyUI saved, in each of its containers, become explained takes."""

import copy
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.capture.corpus.cases import Graph, image_to_video, ksampler, node
from tests.capture.files import frames
from tests.comfyui.server import ComfyServer
from tests.conftest import LiveServer

from genlock.client import Genlock
from genlock.digest import digest_of
from genlock.sdk.old_work import DEFAULT_PATTERN

pytestmark = pytest.mark.long

FILES = {
    "model": "diffusion_models/tiny_wan_i2v.safetensors",
    "lora": "loras/mara_v1.safetensors",
    "text_encoder": "text_encoders/tiny_clip_l.safetensors",
    "vae": "vae/tiny_wan_vae.safetensors",
}
SAVERS = {
    "mp4": node("SaveVideo", video=["12", 0], filename_prefix="rooftop/night/mp4", format="mp4", codec="h264"),
    "webm": node("SaveWEBM", images=["11", 0], filename_prefix="rooftop/night/webm", codec="vp9", fps=8.0, crf=32.0),
    "webp": node(
        "SaveAnimatedWEBP",
        **{"images": ["11", 0], "filename_prefix": "rooftop/night/webp", "fps": 8.0, "lossless": True},
        **{"quality": 80, "method": "default"},
    ),
    "apng": node(
        "SaveAnimatedPNG",
        **{"images": ["11", 0], "filename_prefix": "rooftop/night/apng", "fps": 8.0, "compress_level": 4},
    ),
    "png": node("SaveImage", images=["14", 0], filename_prefix="rooftop/night/png"),
}


def _graph(seed: int) -> Graph:
    """Return the corpus's plain graph for the tiny models, saved in every container and once as an image."""
    savers = {f"n{number}": saver for number, saver in enumerate(SAVERS.values(), 20)}
    return copy.deepcopy(
        image_to_video(
            n1=node("UNETLoader", unet_name="tiny_wan_i2v.safetensors", weight_dtype="default"),
            n2=node("LoraLoaderModelOnly", model=["1", 0], lora_name="mara_v1.safetensors", strength_model=0.8),
            n4=node("CLIPLoader", clip_name="tiny_clip_l.safetensors", type="sd3", device="default"),
            n7=node("VAELoader", vae_name="tiny_wan_vae.safetensors"),
            n8=node("LoadImage", image="import_start.png"),
            n10=ksampler(model=("2", 0), seed=seed),
            n13=None,
            n14=node("ImageFromBatch", image=["11", 0], batch_index=8, length=1),
            **savers,
        )
    )


def _run(server: ComfyServer, graph: Graph) -> None:
    """Run a graph as the editor submits it, and wait until it is done."""
    editor: dict[str, Any] = {"nodes": [], "links": [], "version": 0.4}
    body = {"prompt": graph, "extra_data": {"extra_pnginfo": {"workflow": editor}}}
    answered = httpx.post(f"{server.url}/prompt", json=body, timeout=60)
    assert answered.status_code == 200 and not answered.json()["node_errors"], answered.text
    run = answered.json()["prompt_id"]
    while run not in (history := httpx.get(f"{server.url}/history/{run}", timeout=60).json()):
        time.sleep(0.2)
    assert history[run]["status"]["status_str"] == "success", history[run]["status"]


def test_what_a_real_comfyui_saved_is_explained(
    comfyui_server: ComfyServer, live_server: LiveServer, tmp_path: Path
) -> None:
    """Each container holds the same: seed and prompts from the graph, weights by name, the image by its digest."""
    start = comfyui_server.base / "input" / "import_start.png"
    Image.fromarray(frames(60, 1)[0]).save(start, "PNG")
    for seed in (1, 2**53 + 1):
        _run(comfyui_server, _graph(seed))
    output = comfyui_server.base / "output"
    assert sorted(path.name for path in (output / "rooftop" / "night").iterdir()) == sorted(
        f"{container}_{number:05}_.{container.removeprefix('a')}" for container in SAVERS for number in (1, 2)
    )
    with Genlock(live_server.url, live_server.token) as gl:
        for kind, name in FILES.items():
            path = comfyui_server.base / "models" / name
            gl.add_version(gl.create_asset(kind, path.stem), path)
        gl.add_version(gl.create_asset("source_image", "start"), start)
        workflow = tmp_path / "night.json"
        workflow.write_text(json.dumps(_graph(7)))
        gl.add_version(gl.create_asset("workflow", "night"), workflow)

        work = gl.find_old_work(output, DEFAULT_PATTERN)
        assert len(work.takes) == 10
        dry = [take.imported for take in gl.import_work(work, dry_run=True)]
        assert all(take is not None and take.take_id is None for take in dry)
        recorded = [item.imported for item in gl.import_work(work)]
        shown: dict[tuple[str, int], str] = {}
        for number, take in enumerate(recorded):
            assert take is not None
            assert (take.outcome, take.source, take.evidence) == ("recorded", "graph", "matched_by_name"), take
            assert (take.explained, take.missing, take.notes) == (True, ("engine.version",), ()), take
            assert {(it.role.value, it.name, it.version) for it in take.inputs} == {
                ("workflow", "night", 1),
                ("text_encoder", "tiny_clip_l", 1),
                ("source_image", "start", 1),
                ("vae", "tiny_wan_vae", 1),
                ("model", "tiny_wan_i2v", 1),
                ("lora", "mara_v1", 1),
            }
            assert take.receipt_id is not None and (take.segment, take.take) == (
                sorted(SAVERS)[number // 2],
                number % 2 + 1,
            )
            document = gl.receipt(take.receipt_id).document
            shown[take.segment, number % 2] = document["outputs"]["frames"]["digest"]
            parameters = document["parameters"]
            assert parameters["seed"] == ("1", str(2**53 + 1))[number % 2]
            assert (parameters["prompt"], parameters["negative_prompt"], parameters["cfg"]) == (
                "she walks",
                "blurry",
                4,
            )
            image = next(it for it in document["inputs"] if it["role"] == "source_image")
            assert image["digest"] == digest_of(start.read_bytes())
        for number in (0, 1):
            assert shown["apng", number] == shown["webp", number], "both without loss, so of the same frames"
        again = [item.imported for item in gl.import_work(work)]
        assert [take and (take.outcome, take.receipt_id) for take in again] == [
            ("exists", take and take.receipt_id) for take in recorded
        ]
