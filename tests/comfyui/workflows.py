"""Workflows for the tiny models, in API format: a video from an image, the same from one file, and a picture."""

import json
from typing import Any

Graph = dict[str, dict[str, Any]]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """Return a node; a tuple is a link to an output of another node."""
    linked = {name: list(value) if isinstance(value, tuple) else value for name, value in inputs.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return {"class_type": class_type, "inputs": linked}


def image_to_video() -> Graph:
    """Return Wan image to video with one LoRA, saved losslessly: H.264 can encode the same frames in two ways."""
    return {
        "1": node("UNETLoader", unet_name="tiny_wan_i2v.safetensors", weight_dtype="default"),
        "2": node("LoraLoaderModelOnly", model=("1", 0), lora_name="mara_v1.safetensors", strength_model=0.8),
        "3": node("ModelSamplingSD3", model=("2", 0), shift=8.0),
        "4": node("CLIPLoader", clip_name="tiny_clip_l.safetensors", type="sd3", device="default"),
        "5": node("CLIPTextEncode", clip=("4", 0), text="mara walks through the rain"),
        "6": node("CLIPTextEncode", clip=("4", 0), text="blurry"),
        "7": node("VAELoader", vae_name="tiny_wan_vae.safetensors"),
        "8": node("LoadImage", image="start.png"),
        **_sampled(model="3", vae=("7", 0)),
        "13": node(
            "SaveAnimatedWEBP",
            images=("11", 0),
            filename_prefix="walk",
            fps=8.0,
            lossless=True,
            quality=80,
            method="default",
        ),
    }


def checkpoint_to_video() -> Graph:
    """Return the same with the diffusion model and the VAE from one checkpoint."""
    graph = image_to_video()
    del graph["7"]
    graph["1"] = node("CheckpointLoaderSimple", ckpt_name="tiny_all.safetensors")
    graph["9"]["inputs"]["vae"] = graph["11"]["inputs"]["vae"] = ["1", 2]
    return graph


def image_to_image() -> Graph:
    """Return a graph that saves one image as PNG."""
    graph = image_to_video()
    del graph["13"]
    graph["9"]["inputs"]["length"] = 1
    graph["13"] = node("SaveImage", images=("11", 0), filename_prefix="dress")
    return graph


def _sampled(model: str, vae: tuple[str, int]) -> Graph:
    return {
        "9": node(
            "WanImageToVideo",
            positive=("5", 0),
            negative=("6", 0),
            vae=vae,
            start_image=("8", 0),
            width=64,
            height=64,
            length=9,
            batch_size=1,
        ),
        "10": node(
            "KSampler",
            model=(model, 0),
            positive=("9", 0),
            negative=("9", 1),
            latent_image=("9", 2),
            seed=42,
            steps=3,
            cfg=4.0,
            sampler_name="euler",
            scheduler="simple",
            denoise=1.0,
        ),
        "11": node("VAEDecode", samples=("10", 0), vae=vae),
    }


def as_file(graph: Graph) -> bytes:
    """Return a graph as a user exports it."""
    return json.dumps(graph, indent=2).encode()
