"""Workflows in API format to compare: a real image-to-video graph, a sketch graph, and random ones."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Graph = dict[str, Any]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def image_to_video() -> Graph:
    """Return a graph of ComfyUI's own classes, as its editor exports them."""
    return {
        "1": node("UNETLoader", unet_name="wan_i2v.safetensors", weight_dtype="default"),
        "2": node("LoraLoaderModelOnly", model=["1", 0], lora_name="rain_v1.safetensors", strength_model=0.8),
        "3": node("ModelSamplingSD3", model=["2", 0], shift=8.0),
        "4": node("CLIPLoader", clip_name="umt5.safetensors", type="wan", device="default"),
        "5": node("CLIPTextEncode", clip=["4", 0], text="she walks through the rain"),
        "6": node("CLIPTextEncode", clip=["4", 0], text="blurry"),
        "7": node("VAELoader", vae_name="wan_vae.safetensors"),
        "8": node("LoadImage", image="clothed_v1.png"),
        "9": node(
            "WanImageToVideo",
            positive=["5", 0], negative=["6", 0], vae=["7", 0], start_image=["8", 0],
            width=832, height=480, length=81, batch_size=1,
        ),
        "10": node(
            "KSampler",
            model=["3", 0], positive=["9", 0], negative=["9", 1], latent_image=["9", 2],
            seed=42, steps=20, cfg=5.0, sampler_name="euler", scheduler="simple", denoise=1.0,
        ),
        "11": node("VAEDecode", samples=["10", 0], vae=["7", 0]),
        "12": node("CreateVideo", images=["11", 0], fps=16.0),
        "13": node("SaveVideo", video=["12", 0], filename_prefix="genlock/seg", format="mp4", codec="h264"),
    }  # fmt: skip


def sketch() -> Graph:
    """Return a graph of the built-in engine, for which the same rules hold."""
    return {
        "model": node("SketchLoadModel", model_name="tiny.safetensors"),
        "lora": node("SketchApplyLora", model=["model", 0], lora_name="rain", strength_model=0.8, strength_clip=0.5),
        "image": node("SketchLoadImage", image="clothed_v1.png"),
        "yes": node("SketchPrompt", model=["lora", 0], text="rain"),
        "no": node("SketchPrompt", model=["lora", 0], text=""),
        "sampler": node(
            "SketchSampler",
            model=["lora", 0], start_image=["image", 0], positive=["yes", 0], negative=["no", 0],
            seed="42", steps=8, cfg=5, sampler_name="euler", scheduler="cosine", denoise=1,
            width=192, height=192, length=16, motion=0.5, amount=0.2, blur=1, palette="dusk",
        ),
        "save": node("SketchSaveVideo", frames=["sampler", 0], filename_prefix="seg", fps=8),
    }  # fmt: skip


def renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Return ``graph`` with other ids."""

    def value(given: Any) -> Any:
        match given:
            case [str(source), int(slot)]:
                return [names[source], slot]
            case _:
                return given

    return {
        names[key]: entry | {"inputs": {name: value(given) for name, given in entry["inputs"].items()}}
        for key, entry in graph.items()
    }


@st.composite
def small_graphs(draw: st.DrawFn, max_nodes: int = 5) -> Graph:
    """Return graphs of few classes and inputs, so that many nodes are equal and share their sources."""
    graph: Graph = {}
    for place in range(draw(st.integers(1, max_nodes))):
        inputs: dict[str, Any] = {}
        for name in ("p", "q"):
            choice = draw(st.sampled_from(["nothing", "link", "link", "value"]))
            if choice == "value":
                inputs[name] = draw(st.sampled_from([1, True, "x"]))
            elif choice == "link" and place:
                inputs[name] = [str(draw(st.integers(0, place - 1))), draw(st.integers(0, 1))]
        graph[str(place)] = node(draw(st.sampled_from("AB")), **inputs)
    return graph
