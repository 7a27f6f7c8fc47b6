"""Weights of a sketch model from a ``.safetensors`` file, with LoRAs merged into them.

Tensors of a model (``F32`` or ``F16``, every one required, nothing else allowed)::

    encoder.weight          16 × 3 × 4 × 4    the start image, one latent pixel per 4 × 4 pixels
    encoder.bias            16
    text.embedding.weight   256 × 16          one row per token bucket
    text.projection.weight  32 × 16           from a prompt to the biases of ``in`` (first 16) and ``mid``
    time.weight             16 × 3            frame position, its square, and the noise level
    in.weight, in.bias      16 × 8 × 3 × 3    from the latent picture
    mid.weight, mid.bias    16 × 16 × 3 × 3   added to its own input
    out.weight, out.bias    8 × 16 × 3 × 3    back to the latent picture
    decoder.weight, .bias   5 × 8 × 1 × 1     colour (red, green, blue) and flow (x, y)

A LoRA has, for any of the layers above, ``LAYER.lora_A.weight`` (rank × inputs), ``LAYER.lora_B.weight``
(outputs × rank) and optionally ``LAYER.alpha`` (one number; the rank if absent). It adds
``strength · alpha / rank · (B · A)`` to the layer's weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from genlock.engines.sketch.fixed import Floats
from genlock.errors import Invalid

HIDDEN, LATENT, TEXT, BUCKETS, PATCH, MAPS = 16, 8, 16, 256, 4, 5

SHAPES: Mapping[str, tuple[int, ...]] = {
    "encoder.weight": (HIDDEN, 3, PATCH, PATCH),
    "encoder.bias": (HIDDEN,),
    "text.embedding.weight": (BUCKETS, TEXT),
    "text.projection.weight": (2 * HIDDEN, TEXT),
    "time.weight": (HIDDEN, 3),
    "in.weight": (HIDDEN, LATENT, 3, 3),
    "in.bias": (HIDDEN,),
    "mid.weight": (HIDDEN, HIDDEN, 3, 3),
    "mid.bias": (HIDDEN,),
    "out.weight": (LATENT, HIDDEN, 3, 3),
    "out.bias": (LATENT,),
    "decoder.weight": (MAPS, LATENT, 1, 1),
    "decoder.bias": (MAPS,),
}
LAYERS = tuple(name.removesuffix(".weight") for name in SHAPES if name.endswith(".weight"))

MAX_WEIGHT = 8.0
MAX_RANK = 64
MAX_STRENGTH = 100.0


@dataclass(frozen=True)
class LayerDelta:
    """The change of a layer by a LoRA at strength 1, in the shape of the layer's weight."""

    layer: str
    change: Floats


@dataclass(frozen=True)
class Weights:
    """The tensors of a model by name; every value is within ±8."""

    tensors: Mapping[str, Floats]

    def with_lora(self, lora: Sequence[LayerDelta], strength_model: float, strength_clip: float) -> "Weights":
        """Return these weights with a LoRA added, clipped to ±8.

        ``strength_clip`` applies to the ``text.`` layers, ``strength_model`` to all others.
        """
        merged = dict(self.tensors)
        for delta in lora:
            strength = strength_clip if delta.layer.startswith("text.") else strength_model
            name = f"{delta.layer}.weight"
            merged[name] = np.clip(merged[name] + strength * delta.change, -MAX_WEIGHT, MAX_WEIGHT)
        return Weights(merged)


def read_model(content: bytes, label: str) -> Weights:
    """Parse a model file. Raise ``Invalid``, with the tensor's name, if it is not a sketch model."""
    tensors = _read_tensors(content, label)
    for name in tensors.keys() - SHAPES.keys():
        raise Invalid(
            f"{label} is not a sketch model: it has a tensor {name!r} that the network does not.",
            hint="A sketch model has exactly the tensors that docs/reference/sketch.md lists.",
            code="not_a_sketch_model",
        )
    for name, shape in SHAPES.items():
        if name not in tensors:
            raise Invalid(
                f"{label} is not a sketch model: the tensor {name!r} is missing.",
                hint="A sketch model has exactly the tensors that docs/reference/sketch.md lists.",
                code="not_a_sketch_model",
            )
        _require_shape(tensors[name], shape, name, label)
        if float(np.abs(tensors[name]).max()) > MAX_WEIGHT:
            raise Invalid(
                f"The tensor {name!r} of {label} holds values beyond ±{MAX_WEIGHT:g}.",
                hint="The engine counts in fixed point; scale the weights down.",
                code="weight_too_large",
            )
    return Weights(tensors)


def read_lora(content: bytes, label: str) -> tuple[LayerDelta, ...]:
    """Return a LoRA file's changes by layer. Raise ``Invalid``, with the tensor's name, if it fits no layer."""
    tensors = _read_tensors(content, label)
    layers = [layer for layer in LAYERS if any(name.startswith(f"{layer}.") for name in tensors)]
    expected = {f"{layer}.{part}" for layer in layers for part in ("lora_A.weight", "lora_B.weight", "alpha")}
    for name in tensors.keys() - expected:
        raise Invalid(
            f"{label} is not a LoRA for a sketch model: its tensor {name!r} belongs to no layer.",
            hint=f"Layers are {', '.join(LAYERS)}; each takes LAYER.lora_A.weight and LAYER.lora_B.weight.",
            code="not_a_sketch_lora",
        )
    if not layers:
        raise Invalid(f"{label} holds no tensor.", hint="A LoRA changes at least one layer.", code="not_a_sketch_lora")
    return tuple(LayerDelta(layer, _change(tensors, layer, label)) for layer in layers)


def _change(tensors: Mapping[str, Floats], layer: str, label: str) -> Floats:
    """Return ``alpha / rank · (B · A)`` in the shape of the layer's weight."""
    for part in ("lora_A.weight", "lora_B.weight"):
        if f"{layer}.{part}" not in tensors:
            raise Invalid(
                f"The tensor '{layer}.{part}' of {label} is missing.",
                hint="Each layer that a LoRA changes needs both lora_A.weight and lora_B.weight.",
                code="not_a_sketch_lora",
            )
    shape = SHAPES[f"{layer}.weight"]
    inputs = int(np.prod(shape[1:]))
    down, up = tensors[f"{layer}.lora_A.weight"], tensors[f"{layer}.lora_B.weight"]
    rank = down.shape[0] if down.ndim == 2 else 0
    if not 1 <= rank <= MAX_RANK:
        raise Invalid(
            f"The tensor '{layer}.lora_A.weight' of {label} has the shape {list(down.shape)}.",
            hint=f"It must be rank × {inputs}, with a rank from 1 to {MAX_RANK}.",
            code="wrong_shape",
        )
    _require_shape(down, (rank, inputs), f"{layer}.lora_A.weight", label)
    _require_shape(up, (shape[0], rank), f"{layer}.lora_B.weight", label)
    alpha = tensors.get(f"{layer}.alpha", np.asarray(float(rank)))
    if alpha.size != 1:
        raise Invalid(
            f"The tensor '{layer}.alpha' of {label} has the shape {list(alpha.shape)}.",
            hint="alpha is one number.",
            code="wrong_shape",
        )
    # Rank by rank instead of a matrix product: the order of these sums must not depend on BLAS.
    product = np.zeros((shape[0], inputs))
    for index in range(rank):
        product = product + up[:, index, None] * down[None, index]
    change = (float(alpha.reshape(-1)[0]) / rank) * product
    if not np.isfinite(change).all() or float(np.abs(change).max()) > 1e6:
        raise Invalid(
            f"The tensors '{layer}.lora_A.weight' and '{layer}.lora_B.weight' of {label} multiply to more than 10^6.",
            hint="Scale them down; weights of a sketch model lie within ±8.",
            code="weight_too_large",
        )
    return change.reshape(shape)


def _require_shape(tensor: Floats, shape: tuple[int, ...], name: str, label: str) -> None:
    if tensor.shape != shape:
        raise Invalid(
            f"The tensor {name!r} of {label} has the shape {list(tensor.shape)}, not {list(shape)}.",
            hint="Use weights that were made for the sketch engine; docs/reference/sketch.md lists every shape.",
            code="wrong_shape",
        )


def _read_tensors(content: bytes, label: str) -> dict[str, Floats]:
    """Return all tensors of a safetensors file as float64. Raise ``Invalid`` unless each is finite."""
    try:
        # The result is plain arrays; the library does not annotate their element type.
        loaded = cast(Mapping[str, NDArray[Any]], load(content))
    except (SafetensorError, KeyError, ValueError) as error:
        raise Invalid(
            f"{label} cannot be read as safetensors: {error}.",
            hint="Export it again as safetensors with F32 or F16 tensors.",
            code="not_safetensors",
        ) from error
    tensors: dict[str, Floats] = {}
    for name in sorted(loaded):
        tensor = loaded[name]
        if tensor.dtype not in (np.dtype(np.float32), np.dtype(np.float16)):
            raise Invalid(
                f"The tensor {name!r} of {label} holds {tensor.dtype} values.",
                hint="The sketch engine reads F32 and F16.",
                code="wrong_type",
            )
        if not np.isfinite(tensor).all():
            raise Invalid(
                f"The tensor {name!r} of {label} holds NaN or infinity.",
                hint="The file is damaged or its training diverged; use another version.",
                code="not_finite",
            )
        tensors[name] = tensor.astype(np.float64)
    return tensors
