"""Measures ``genlock import``: a folder of small videos as a dry run, then imported, then imported again."""

# PyAV's stubs leave the keyword arguments of add_stream open.
# pyright: reportUnknownMemberType=false

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from benchmarks.clock import Row, rate
from benchmarks.environment import serving

FILES = 500
_SCENES = 5
_FRAMES, _WIDTH, _HEIGHT = 9, 96, 64
_RUNS = (("dry run", 30, ("--dry-run",)), ("new files", 15, ()), ("again, nothing new", 200, ()))


def imports(home: Path) -> Iterator[Row]:
    """Return the files per second of the three runs, each with the start of the command, on an empty server."""
    folder = home / "old-work"
    write_videos(folder, FILES)
    with serving(home, None) as server:
        environment = {**os.environ, "GENLOCK_DATA": str(server.data)}
        for name, limit, options in _RUNS:
            began = time.perf_counter()
            ended = subprocess.run(
                [sys.executable, "-m", "genlock.cli", "import", str(folder), "--json", *options],
                env=environment,
                stdout=subprocess.PIPE,
                check=True,
            )
            row = Row(f"import of {FILES} small videos, {name}", limit, unit="/s", floor="")
            yield rate(row, len(json.loads(ended.stdout)["items"]), time.perf_counter() - began)


def write_videos(folder: Path, count: int) -> None:
    """Write small MP4s as ComfyUI saves them: ``rooftop/<scene>/<segment>_<counter>_.mp4``, with their graph."""
    for number in range(count):
        scene, segment = number % _SCENES, number // _SCENES // 2
        path = folder / "rooftop" / f"scene {scene}" / f"walk{segment:03d}_{number:05d}_.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_video(path, number)


def _write_video(path: Path, seed: int) -> None:
    noise = np.random.RandomState(seed).randint(0, 255, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["prompt"] = json.dumps(_graph(seed))
        stream = container.add_stream("libx264", rate=8)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for shift in range(_FRAMES):
            pixels = np.roll(noise, shift, axis=1)
            container.mux(stream.encode(VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def _graph(seed: int) -> dict[str, Any]:
    def node(class_type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs}

    return {
        "1": node("UNETLoader", unet_name="wan.safetensors", weight_dtype="default"),
        "2": node("LoraLoaderModelOnly", model=["1", 0], lora_name="rain.safetensors", strength_model=0.8),
        "3": node("CLIPLoader", clip_name="umt5.safetensors", type="wan"),
        "4": node("VAELoader", vae_name="wan_vae.safetensors"),
        "5": node("CLIPTextEncode", text="she walks through the rain", clip=["3", 0]),
        "6": node("CLIPTextEncode", text="blurry", clip=["3", 0]),
        "7": node("LoadImage", image=f"start{seed % 20}.png"),
        "8": node(
            "WanImageToVideo",
            positive=["5", 0],
            negative=["6", 0],
            vae=["4", 0],
            start_image=["7", 0],
            width=_WIDTH,
            height=_HEIGHT,
            length=_FRAMES,
            batch_size=1,
        ),
        "9": node(
            "KSampler",
            model=["2", 0],
            positive=["8", 0],
            negative=["8", 1],
            latent_image=["8", 2],
            seed=seed,
            steps=20,
            cfg=4.0,
            sampler_name="euler",
            scheduler="simple",
            denoise=1.0,
        ),
        "10": node("VAEDecode", samples=["9", 0], vae=["4", 0]),
        "11": node("CreateVideo", images=["10", 0], fps=8.0),
        "12": node("SaveVideo", video=["11", 0], filename_prefix="walk", format="mp4", codec="h264"),
    }
