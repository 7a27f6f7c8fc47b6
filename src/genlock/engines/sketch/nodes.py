"""Runs a bound graph: one function per node class, from the values of its links to its output."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from genlock.engines.media import JPEG, MP4, PNG, encode_video, frames_digest, picture_digest
from genlock.engines.model import IMAGE, LAST_FRAME, THUMBNAIL, VIDEO, OutputFile
from genlock.engines.pictures import Pixels, fit, png_of, poster_of, read_picture
from genlock.engines.sketch import classes
from genlock.engines.sketch.fixed import Floats
from genlock.engines.sketch.graph import Graph, Node
from genlock.engines.sketch.network import Network
from genlock.engines.sketch.picture import Motion
from genlock.engines.sketch.prompt import embed, palette_tokens, tokens_of
from genlock.engines.sketch.sampler import Sampling, frames_of
from genlock.engines.sketch.weights import Weights, read_lora, read_model

GREY = 128
"""The grey level of the start image if none is given."""


@dataclass(frozen=True)
class Content:
    """The bytes of an input, and its name in messages."""

    content: bytes
    label: str


@dataclass
class Stage:
    """The inputs of a run, and its results so far."""

    workdir: Path
    contents: Mapping[str, Content]
    still: bool
    """Whether the run makes a single picture, which need not stay close to the start image."""
    checkpoint: Callable[[], None]
    """Called before every step; raises to stop the run."""
    drawn: Callable[[int, int], None]
    """Called with the number of frames drawn and their total."""
    outputs: dict[str, OutputFile] = field(default_factory=dict[str, OutputFile])
    frames_digest: str = ""
    per_node_s: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Strip:
    """Frames that are drawn lazily, one by one."""

    frames: Iterator[Pixels]
    count: int


def run(graph: Graph, stage: Stage) -> None:
    """Run every node in order; the outputs of the saving node are in ``stage`` afterwards."""
    given: dict[str, Any] = {}
    for node in graph.nodes.values():
        stage.checkpoint()
        started = perf_counter()
        earlier = sum(stage.per_node_s.values())
        given[node.id] = _RUN[node.class_type](
            node, {name: given[source] for name, source in node.links.items()}, stage
        )
        # The saving node consumes the sampler's frames; the sampler measures that time itself.
        elsewhere = sum(stage.per_node_s.values()) - earlier
        stage.per_node_s[node.id] = stage.per_node_s.get(node.id, 0.0) + max(perf_counter() - started - elsewhere, 0.0)


def _load_model(node: Node, links: Mapping[str, Any], stage: Stage) -> Weights:
    content = stage.contents[node.id]
    return read_model(content.content, content.label)


def _apply_lora(node: Node, links: Mapping[str, Any], stage: Stage) -> Weights:
    content = stage.contents[node.id]
    weights: Weights = links["model"]
    lora = read_lora(content.content, content.label)
    return weights.with_lora(lora, float(node.values["strength_model"]), float(node.values["strength_clip"]))


def _load_image(node: Node, links: Mapping[str, Any], stage: Stage) -> Pixels:
    content = stage.contents[node.id]
    return read_picture(content.content, content.label)


def _prompt(node: Node, links: Mapping[str, Any], stage: Stage) -> Floats:
    return embed(links["model"], tokens_of(node.values["text"]))


def _sample(node: Node, links: Mapping[str, Any], stage: Stage) -> Strip:
    values = node.values
    weights: Weights = links["model"]
    width, height, count = int(values["width"]), int(values["height"]), int(values["length"])
    start: Pixels = np.full((height, width, 3), GREY, dtype=np.uint8)
    if "start_image" in links:
        start = fit(links["start_image"], width, height)
    palette = embed(weights, palette_tokens(values["palette"]))
    nothing = embed(weights, ())
    sampling = Sampling(
        seed=int(values["seed"]),
        steps=int(values["steps"]),
        cfg=float(values["cfg"]),
        sampler=values["sampler_name"],
        scheduler=values["scheduler"],
        denoise=float(values["denoise"]),
        frames=count,
        still=stage.still,
        motion=Motion(float(values["motion"]), float(values["amount"]), int(values["blur"])),
    )
    positive, negative = links["positive"] + palette, links.get("negative", nothing) + palette
    frames = frames_of(Network(weights), start, positive, negative, sampling, stage.checkpoint)
    return Strip(_counted(node, frames, count, stage), count)


def _counted(node: Node, frames: Iterator[Pixels], count: int, stage: Stage) -> Iterator[Pixels]:
    """Yield the frames, measure their time for the sampler, and report each as it is drawn."""
    for number in range(1, count + 1):
        started = perf_counter()
        frame = next(frames)
        stage.per_node_s[node.id] = stage.per_node_s.get(node.id, 0.0) + perf_counter() - started
        stage.drawn(number, count)
        yield frame


def _save_video(node: Node, links: Mapping[str, Any], stage: Stage) -> None:
    strip: Strip = links["frames"]
    stills: dict[str, Pixels] = {}

    def passing() -> Iterator[Pixels]:
        # Frames are encoded one by one; only the two that become pictures are kept.
        for number, frame in enumerate(strip.frames):
            if number == strip.count // 2:
                stills[THUMBNAIL] = frame
            stills[LAST_FRAME] = frame
            yield frame

    video = stage.workdir / "video.mp4"
    encode_video(video, passing(), float(node.values["fps"]))
    stage.outputs[VIDEO] = OutputFile(path=video, media_type=MP4)
    _write(stage, LAST_FRAME, "last_frame.png", png_of(stills[LAST_FRAME]), PNG)
    _write(stage, THUMBNAIL, "thumbnail.jpg", poster_of(stills[THUMBNAIL]), JPEG)
    stage.frames_digest = frames_digest(video)


def _save_image(node: Node, links: Mapping[str, Any], stage: Stage) -> None:
    strip: Strip = links["frames"]
    picture = next(strip.frames)
    _write(stage, IMAGE, "image.png", png_of(picture), PNG)
    _write(stage, THUMBNAIL, "thumbnail.jpg", poster_of(picture), JPEG)
    stage.frames_digest = picture_digest(picture)


def _write(stage: Stage, part: str, filename: str, content: bytes, media_type: str) -> None:
    path = stage.workdir / filename
    path.write_bytes(content)
    stage.outputs[part] = OutputFile(path=path, media_type=media_type)


_RUN: Mapping[str, Callable[[Node, Mapping[str, Any], Stage], Any]] = {
    classes.LOAD_MODEL: _load_model,
    classes.APPLY_LORA: _apply_lora,
    classes.LOAD_IMAGE: _load_image,
    classes.PROMPT: _prompt,
    classes.SAMPLER: _sample,
    classes.SAVE_VIDEO: _save_video,
    classes.SAVE_IMAGE: _save_image,
}
"""Without the LoRA stack, which binding expands to nodes that apply one LoRA each."""
