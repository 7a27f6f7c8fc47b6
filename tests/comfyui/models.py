"""Models small enough for a CPU that a real ComfyUI recognises and runs: random weights, the same every time.

    diffusion_models/tiny_wan_i2v   3.5 MB   Wan 2.2 image to video: one block, as narrow as its heads allow
    vae/tiny_wan_vae                3.7 MB   Wan's VAE with few channels
    text_encoders/tiny_clip_l       81 MB    CLIP-L cannot be made smaller, but zero layers are holes in the file
    loras/mara_v1, mara_v2          17 KB    two LoRAs for that one block
    checkpoints/tiny_all            7 MB     the diffusion model and the VAE in one file

The names of the tensors and their shapes decide what ComfyUI recognises, in its `model_detection`.
"""

import argparse
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32] | NDArray[np.float16]
DIM = 128
TEXT_DIM = 4096
LATENT = 16
_NAMES = {np.dtype(np.float32): "F32", np.dtype(np.float16): "F16"}


@dataclass(frozen=True)
class Hole:
    """A tensor of zeros (half precision) that takes no room on disk."""

    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[np.float16]:
        """Half precision."""
        return np.dtype(np.float16)


Tensors = Mapping[str, Array | Hole]


def write(path: Path, tensors: Tensors) -> Path:
    """Write a safetensors file through a temporary one that is renamed; holes are seeked over."""
    header: dict[str, object] = {}
    end = 0
    for name, tensor in tensors.items():
        size = int(np.prod(tensor.shape)) * tensor.dtype.itemsize
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [end, end + size]}
        end += size
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(struct.pack("<Q", len(written)) + written)
        start = file.tell()
        for tensor in tensors.values():
            if isinstance(tensor, Hole):
                start += int(np.prod(tensor.shape)) * tensor.dtype.itemsize
            else:
                file.seek(start)
                start += file.write(np.ascontiguousarray(tensor).tobytes())
        file.truncate(start)
    temporary.replace(path)
    return path


class Drawing:
    """Draw tensors one after another from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.tensors: dict[str, Array | Hole] = {}

    def weight(self, name: str, *shape: int, scale: float | None = None) -> None:
        """Draw normal values, scaled by default so that values keep their size through the layer."""
        inputs = int(np.prod(shape[1:])) or 1
        drawn = self._random.standard_normal(shape) * (scale or inputs**-0.5)
        self.tensors[name] = drawn.astype(np.float32)

    def layer(self, name: str, *shape: int, scale: float | None = None) -> None:
        """Draw a weight with its bias."""
        self.weight(f"{name}.weight", *shape, scale=scale)
        self.tensors[f"{name}.bias"] = (self._random.standard_normal(shape[0]) * 0.02).astype(np.float32)

    def ones(self, name: str, *shape: int) -> None:
        """Add the scale of a norm that changes nothing."""
        self.tensors[name] = np.ones(shape, np.float32)

    def half(self, name: str, *shape: int, scale: float = 0.03) -> None:
        """Draw a weight in half precision."""
        self.tensors[name] = (self._random.standard_normal(shape) * scale).astype(np.float16)


def diffusion_model(seed: int) -> Tensors:
    """Return Wan image to video: 16 channels of latent and 20 of the start image and its mask, no vision encoder."""
    drawing = Drawing(seed)
    drawing.layer("patch_embedding", DIM, 2 * LATENT + 4, 1, 2, 2)
    drawing.layer("text_embedding.0", DIM, TEXT_DIM, scale=0.05)
    drawing.layer("text_embedding.2", DIM, DIM)
    drawing.layer("time_embedding.0", DIM, 256)
    drawing.layer("time_embedding.2", DIM, DIM)
    drawing.layer("time_projection.1", 6 * DIM, DIM)
    drawing.weight("blocks.0.modulation", 1, 6, DIM, scale=0.3)
    for attention in ("blocks.0.self_attn", "blocks.0.cross_attn"):
        for part in ("q", "k", "v", "o"):
            drawing.layer(f"{attention}.{part}", DIM, DIM)
        drawing.ones(f"{attention}.norm_q.weight", DIM)
        drawing.ones(f"{attention}.norm_k.weight", DIM)
    drawing.ones("blocks.0.norm3.weight", DIM)
    drawing.tensors["blocks.0.norm3.bias"] = np.zeros(DIM, np.float32)
    drawing.layer("blocks.0.ffn.0", 64, DIM)
    drawing.layer("blocks.0.ffn.2", DIM, 64)
    drawing.weight("head.modulation", 1, 2, DIM, scale=0.3)
    drawing.layer("head.head", 4 * LATENT, DIM)
    return drawing.tensors


def vae(seed: int, channels: int = 8) -> Tensors:
    """Return Wan's VAE: four stages down and four up; three change the size and two of those also the time."""
    drawing = Drawing(seed)
    widths = [channels, channels, 2 * channels, 4 * channels, 4 * channels]
    top = widths[-1]
    drawing.layer("encoder.conv1", channels, 3, 3, 3, 3)
    place = 0
    for stage in range(4):
        width = widths[stage + 1]
        for given in (widths[stage], width):
            _residual(drawing, f"encoder.downsamples.{place}", given, width)
            place += 1
        if stage < 3:
            drawing.layer(f"encoder.downsamples.{place}.resample.1", width, width, 3, 3)
            if stage > 0:
                drawing.layer(f"encoder.downsamples.{place}.time_conv", width, width, 3, 1, 1)
            place += 1
    _middle(drawing, "encoder.middle", top)
    drawing.ones("encoder.head.0.gamma", top, 1, 1, 1)
    drawing.layer("encoder.head.2", 2 * LATENT, top, 3, 3, 3)
    drawing.layer("conv1", 2 * LATENT, 2 * LATENT, 1, 1, 1)
    drawing.layer("conv2", LATENT, LATENT, 1, 1, 1)
    drawing.layer("decoder.conv1", top, LATENT, 3, 3, 3)
    _middle(drawing, "decoder.middle", top)
    place = 0
    given_to = [4 * channels, 2 * channels, 2 * channels, channels]
    for stage, width in enumerate([4 * channels, 4 * channels, 2 * channels, channels]):
        for given in (given_to[stage], width, width):
            _residual(drawing, f"decoder.upsamples.{place}", given, width)
            place += 1
        if stage < 3:
            drawing.layer(f"decoder.upsamples.{place}.resample.1", width // 2, width, 3, 3)
            if stage < 2:
                drawing.layer(f"decoder.upsamples.{place}.time_conv", 2 * width, width, 3, 1, 1)
            place += 1
    drawing.ones("decoder.head.0.gamma", channels, 1, 1, 1)
    drawing.layer("decoder.head.2", 3, channels, 3, 3, 3, scale=0.03)
    return drawing.tensors


def _residual(drawing: Drawing, name: str, given: int, width: int) -> None:
    drawing.ones(f"{name}.residual.0.gamma", given, 1, 1, 1)
    drawing.layer(f"{name}.residual.2", width, given, 3, 3, 3)
    drawing.ones(f"{name}.residual.3.gamma", width, 1, 1, 1)
    drawing.layer(f"{name}.residual.6", width, width, 3, 3, 3)
    if given != width:
        drawing.layer(f"{name}.shortcut", width, given, 1, 1, 1)


def _middle(drawing: Drawing, name: str, width: int) -> None:
    _residual(drawing, f"{name}.0", width, width)
    drawing.ones(f"{name}.1.norm.gamma", width, 1, 1)
    drawing.layer(f"{name}.1.to_qkv", 3 * width, width, 1, 1)
    drawing.layer(f"{name}.1.proj", width, width, 1, 1)
    _residual(drawing, f"{name}.2", width, width)


def text_encoder(seed: int, width: int = 768, tokens: int = 49408, layers: int = 12) -> Tensors:
    """Return CLIP-L: the first layer is drawn, the others are holes; every token has a distinct row."""
    drawing = Drawing(seed)
    drawing.half("few", 257, width, scale=1.0)
    few = drawing.tensors.pop("few")
    assert not isinstance(few, Hole)
    rows = np.tile(few, (tokens // 257 + 1, 1))[:tokens].astype(np.float16)
    rows[:, 0] = np.arange(tokens) % 211 / 117 - 1
    rows[:, 1] = np.arange(tokens) // 211 / 117 - 1
    drawing.tensors["text_model.embeddings.token_embedding.weight"] = rows
    drawing.half("text_model.embeddings.position_embedding.weight", 77, width, scale=0.3)
    for number in range(layers):
        layer = f"text_model.encoder.layers.{number}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            if number == 0:
                drawing.half(f"{layer}.self_attn.{part}.weight", width, width)
            else:
                drawing.tensors[f"{layer}.self_attn.{part}.weight"] = Hole((width, width))
            drawing.tensors[f"{layer}.self_attn.{part}.bias"] = Hole((width,))
        for norm in ("layer_norm1", "layer_norm2"):
            drawing.tensors[f"{layer}.{norm}.weight"] = np.full(width, number == 0, np.float16)
            drawing.tensors[f"{layer}.{norm}.bias"] = Hole((width,))
        for part, shape in (("fc1", (4 * width, width)), ("fc2", (width, 4 * width))):
            drawing.tensors[f"{layer}.mlp.{part}.weight"] = Hole(shape)
            drawing.tensors[f"{layer}.mlp.{part}.bias"] = Hole(shape[:1])
    drawing.tensors["text_model.final_layer_norm.weight"] = np.ones(width, np.float16)
    drawing.tensors["text_model.final_layer_norm.bias"] = Hole((width,))
    return drawing.tensors


def lora(seed: int, rank: int = 4) -> Tensors:
    """Return a LoRA for the block of the diffusion model, strong enough that it changes every frame."""
    drawing = Drawing(seed)
    for layer in ("self_attn.v", "self_attn.o", "cross_attn.v", "cross_attn.o"):
        name = f"diffusion_model.blocks.0.{layer}"
        drawing.weight(f"{name}.lora_A.weight", rank, DIM)
        drawing.weight(f"{name}.lora_B.weight", DIM, rank, scale=2.0 / rank)
    return drawing.tensors


def checkpoint(seed: int) -> Tensors:
    """Return a diffusion model and a VAE in one file, as CheckpointLoaderSimple reads them; no text encoder."""
    return {
        **{f"model.diffusion_model.{name}": tensor for name, tensor in diffusion_model(seed).items()},
        **{f"vae.{name}": tensor for name, tensor in vae(seed + 1).items()},
    }


def write_models(models: Path) -> tuple[Path, ...]:
    """Write all models into the folders of ``models``; takes about a second."""
    return tuple(_written(models))


def _written(models: Path) -> Iterator[Path]:
    yield write(models / "diffusion_models" / "tiny_wan_i2v.safetensors", diffusion_model(1))
    yield write(models / "vae" / "tiny_wan_vae.safetensors", vae(2))
    yield write(models / "text_encoders" / "tiny_clip_l.safetensors", text_encoder(3))
    yield write(models / "checkpoints" / "tiny_all.safetensors", checkpoint(4))
    for number in (1, 2):
        yield write(models / "loras" / f"mara_v{number}.safetensors", lora(10 + number))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write tiny models that ComfyUI runs on a CPU.")
    parser.add_argument("models", type=Path)
    for written in write_models(parser.parse_args().models):
        print(written)
