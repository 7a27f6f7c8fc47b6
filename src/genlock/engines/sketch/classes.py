"""The node classes of a sketch workflow: their inputs, allowed links and values.

SketchLoadModel ─ model ─ SketchLoraStack / SketchApplyLora ─ model ─┬─ SketchPrompt ─ conditioning ─┐
                                                                     └───────────────────────────── SketchSampler
SketchLoadImage ─ image ───────────────────────────────────────────────────────────────────────────┘      │
                                                                      SketchSaveVideo or SketchSaveImage ─┘
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from genlock.engines.sketch.prompt import MAX_PROMPT, PALETTES
from genlock.engines.sketch.sampler import SAMPLERS, SCHEDULERS
from genlock.engines.sketch.weights import MAX_STRENGTH, PATCH
from genlock.model import MAX_SEED, check_seed

LOAD_MODEL = "SketchLoadModel"
APPLY_LORA = "SketchApplyLora"
LORA_STACK = "SketchLoraStack"
LOAD_IMAGE = "SketchLoadImage"
PROMPT = "SketchPrompt"
SAMPLER = "SketchSampler"
SAVE_VIDEO = "SketchSaveVideo"
SAVE_IMAGE = "SketchSaveImage"

PREFIX = "genlock"
"""The prefix of output files in the graph that ran; the caller decides where they are written."""

MIN_SIDE, MAX_SIDE, MAX_FRAMES, MAX_STEPS, MAX_CFG, MAX_FPS, MAX_BLUR = 16, 1024, 480, 64, 30.0, 120.0, 16


class Wire(StrEnum):
    """The type of a link."""

    MODEL = "model"
    IMAGE = "image"
    CONDITIONING = "conditioning"
    FRAMES = "frames"


Check = Callable[[Any], Any]
"""Returns the value as the engine uses it; raises ``ValueError`` with what is allowed."""


@dataclass(frozen=True)
class Value:
    """An input stated in the graph itself."""

    check: Check
    default: Any = None


@dataclass(frozen=True)
class Link:
    """An input linked to another node."""

    wire: Wire
    required: bool = True


@dataclass(frozen=True)
class NodeClass:
    """A ``class_type``: its inputs by name, and its output type (none for nodes that save)."""

    inputs: Mapping[str, Value | Link]
    gives: Wire | None


def _text(largest: int) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or len(value) > largest:
            raise ValueError(f"a text of at most {largest} characters")
        return value

    return check


def _one_of(*words: str) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return value

    return check


def _number(least: float, most: float) -> Check:
    def check(value: Any) -> Any:
        # bool is an int in Python, but JSON's true is not a number.
        if isinstance(value, bool) or not isinstance(value, int | float) or not (least <= value <= most):
            raise ValueError(f"a number from {least:g} to {most:g}")
        return cast(float, value)

    return check


def _whole(least: int, most: int, multiple_of: int = 1) -> Check:
    def check(value: Any) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not (least <= value <= most) or value % multiple_of:
            multiple = f", a multiple of {multiple_of}" if multiple_of > 1 else ""
            raise ValueError(f"a whole number from {least} to {most}{multiple}")
        return int(value)

    return check


def _seed(value: Any) -> Any:
    """Return a seed as a string; in graphs of editors it may be a number."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    try:
        return check_seed(text if isinstance(text, str) else "")
    except (ValueError, IndexError) as error:
        raise ValueError(f'a string of decimal digits from "0" to "{MAX_SEED}"') from error


strength = _number(-MAX_STRENGTH, MAX_STRENGTH)
prompt = _text(MAX_PROMPT)
_name = _text(1000)

CLASSES: Mapping[str, NodeClass] = {
    LOAD_MODEL: NodeClass({"model_name": Value(_name, "")}, Wire.MODEL),
    APPLY_LORA: NodeClass(
        {
            "model": Link(Wire.MODEL),
            "lora_name": Value(_name, ""),
            "strength_model": Value(strength, 1.0),
            "strength_clip": Value(strength),
        },
        Wire.MODEL,
    ),
    LORA_STACK: NodeClass({"model": Link(Wire.MODEL)}, Wire.MODEL),
    LOAD_IMAGE: NodeClass({"image": Value(_name, "")}, Wire.IMAGE),
    PROMPT: NodeClass({"model": Link(Wire.MODEL), "text": Value(prompt, "")}, Wire.CONDITIONING),
    SAMPLER: NodeClass(
        {
            "model": Link(Wire.MODEL),
            "positive": Link(Wire.CONDITIONING),
            "negative": Link(Wire.CONDITIONING, required=False),
            "start_image": Link(Wire.IMAGE, required=False),
            "seed": Value(_seed, "0"),
            "steps": Value(_whole(1, MAX_STEPS), 4),
            "cfg": Value(_number(0.0, MAX_CFG), 4.0),
            "sampler_name": Value(_one_of(*SAMPLERS), SAMPLERS[0]),
            "scheduler": Value(_one_of(*SCHEDULERS), SCHEDULERS[0]),
            "denoise": Value(_number(0.0, 1.0), 1.0),
            "width": Value(_whole(MIN_SIDE, MAX_SIDE, PATCH), 192),
            "height": Value(_whole(MIN_SIDE, MAX_SIDE, PATCH), 192),
            "length": Value(_whole(1, MAX_FRAMES), 16),
            "motion": Value(_number(0.0, 4.0), 1.0),
            "amount": Value(_number(0.0, 1.0), 0.2),
            "blur": Value(_whole(0, MAX_BLUR), 1),
            "palette": Value(_one_of(*PALETTES), PALETTES[0]),
        },
        Wire.FRAMES,
    ),
    SAVE_VIDEO: NodeClass(
        {
            "frames": Link(Wire.FRAMES),
            "fps": Value(_number(1.0, MAX_FPS), 8),
            "filename_prefix": Value(_name, PREFIX),
        },
        None,
    ),
    SAVE_IMAGE: NodeClass({"frames": Link(Wire.FRAMES), "filename_prefix": Value(_name, PREFIX)}, None),
}
