"""A case of the corpus: a graph, the claim that it must become, and the reason for every expected field."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from genlock.capture.run_record import LoadedFile

Graph = dict[str, dict[str, Any]]


class Because(NamedTuple):
    """An expected value and the reason for it."""

    value: Any
    why: str


class Input(NamedTuple):
    """An expected input of the claim and the reason for it."""

    role: str
    name: str
    why: str
    strength_model: float | None = None
    strength_clip: float | None = None
    digest: str | None = None


class Case(NamedTuple):
    """A graph and its claim. A claim with more than the expected fields fails too."""

    name: str
    graph: Graph
    inputs: tuple[Input, ...]
    parameters: Mapping[str, Because]
    unresolved: Mapping[tuple[str, str], str] = {}
    """The reason why the graph does not contain a value, by node and word."""
    output: str | None = None
    folders: Mapping[str, Iterable[str]] = {}
    resolved: Mapping[str, Mapping[str, Any]] = {}
    loaded_files: tuple[LoadedFile, ...] = ()


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """Return a node in API format."""
    return {"class_type": class_type, "inputs": inputs}


def named(class_type: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node whose input names are not Python identifiers."""
    return {"class_type": class_type, "inputs": dict(inputs)}


def ksampler(model: Any = ("1", 0), latent: Any = ("9", 2), **other: Any) -> dict[str, Any]:
    """Return a KSampler behind the image-to-video node 9 by default."""
    inputs: dict[str, Any] = {
        "model": list(model),
        "positive": ["9", 0],
        "negative": ["9", 1],
        "latent_image": list(latent),
        "seed": 42,
        "steps": 3,
        "cfg": 4.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "denoise": 1.0,
    }
    return {"class_type": "KSampler", "inputs": inputs | other}


SAMPLED: dict[str, Because] = {
    "seed": Because("42", "KSampler.seed; a receipt writes seeds as text"),
    "steps": Because(3, "KSampler.steps"),
    "cfg": Because(4.0, "KSampler.cfg"),
    "sampler": Because("euler", "KSampler.sampler_name"),
    "scheduler": Because("simple", "KSampler.scheduler"),
    "denoise": Because(1.0, "KSampler.denoise"),
}
PROMPTED: dict[str, Because] = {
    "prompt": Because("she walks", "CLIPTextEncode 5, behind the sampler's positive"),
    "negative_prompt": Because("blurry", "CLIPTextEncode 6, behind the sampler's negative"),
}
SIZED: dict[str, Because] = {
    "width": Because(64, "WanImageToVideo.width"),
    "height": Because(48, "WanImageToVideo.height"),
    "frames": Because(9, "WanImageToVideo.length counts frames"),
    "fps": Because(8.0, "CreateVideo.fps"),
}
WHOLE = PROMPTED | SIZED | SAMPLED

ENCODER = Input("text_encoder", "umt5.safetensors", "CLIPLoader encodes both prompts")
START = Input("source_image", "start.png", "LoadImage feeds start_image")
VAE = Input("vae", "wan_vae.safetensors", "VAELoader encodes the image and decodes the frames")
MODEL = Input("model", "wan.safetensors", "UNETLoader is behind the sampler's model")
BASE = (ENCODER, START, VAE, MODEL)


def image_to_video(**changed: Any) -> Graph:
    """Return the plain graph: files, prompts, WanImageToVideo, KSampler, a video. ``n5=node(…)`` replaces node 5."""
    graph: Graph = {
        "1": node("UNETLoader", unet_name="wan.safetensors", weight_dtype="default"),
        "4": node("CLIPLoader", clip_name="umt5.safetensors", type="wan", device="default"),
        "5": node("CLIPTextEncode", clip=["4", 0], text="she walks"),
        "6": node("CLIPTextEncode", clip=["4", 0], text="blurry"),
        "7": node("VAELoader", vae_name="wan_vae.safetensors"),
        "8": node("LoadImage", image="start.png"),
        "9": node(
            "WanImageToVideo",
            positive=["5", 0],
            negative=["6", 0],
            vae=["7", 0],
            start_image=["8", 0],
            width=64,
            height=48,
            length=9,
            batch_size=1,
        ),
        "10": ksampler(),
        "11": node("VAEDecode", samples=["10", 0], vae=["7", 0]),
        "12": node("CreateVideo", images=["11", 0], fps=8.0),
        "13": node("SaveVideo", video=["12", 0], filename_prefix="walk", format="mp4", codec="h264"),
    }
    for key, other in changed.items():
        if other is None:
            del graph[key[1:]]
        else:
            graph[key[1:]] = other
    return graph
