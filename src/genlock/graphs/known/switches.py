"""Nodes that pass on one of several inputs, bundle some of them, or repeat a part of the graph."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Choose = Callable[[Any], Sequence[str]]


@dataclass(frozen=True)
class Switch:
    """A class that passes one input on: ``choose`` names it, the first that is there, by the value of ``selector``."""

    selector: str | None
    choose: Choose
    reason: str


def _by_truth(when_true: str, when_false: str) -> Choose:
    return lambda value: (when_true if value else when_false,)


def _by_number(prefix: str, first: int = 0) -> Choose:
    return lambda value: (f"{prefix}{int(value) + first}",)


SWITCHES: Mapping[str, Switch] = {
    "Any Switch (rgthree)": Switch(
        None, lambda _: tuple(f"any_{number:02}" for number in range(1, 51)), "passes the first that is connected"
    ),
    "ComfySoftSwitchNode": Switch("switch", _by_truth("on_true", "on_false"), "passes one of two on"),
    "ComfySwitchNode": Switch("switch", _by_truth("on_true", "on_false"), "passes one of two on; the other never runs"),
    "ImpactConditionalBranch": Switch("cond", _by_truth("tt_value", "ff_value"), "Impact: passes one of two on"),
    "ImpactSwitch": Switch("select", _by_number("input"), "Impact: passes on the input of a number"),
    "LazySwitchKJ": Switch("switch", _by_truth("on_true", "on_false"), "KJ: passes one of two on"),
    "Reroute": Switch(None, lambda _: ("", "value", "input", "any"), "passes its input on"),
    "Switch any [Crystools]": Switch("boolean", _by_truth("on_true", "on_false"), "Crystools: passes one of two on"),
    "easy anythingIndexSwitch": Switch("index", _by_number("value"), "Easy-Use: passes on the input of a number"),
    "easy ifElse": Switch("boolean", _by_truth("on_true", "on_false"), "Easy-Use: passes one of two on"),
    "easy imageSwitch": Switch("boolean", _by_truth("image_a", "image_b"), "Easy-Use: passes one of two pictures on"),
    "easy textSwitch": Switch("input", lambda value: (f"text{value}",), "Easy-Use: passes on the text of a number"),
}
"""Classes whose output is one of their inputs unchanged. Only what is chosen acts."""


@dataclass(frozen=True)
class Pipe:
    """A class that bundles values: the input that takes another bundle, and what each output gives, by its number."""

    takes: str | None
    outputs: Mapping[int, str]
    reason: str
    bundles: frozenset[int] = frozenset({0})
    """The outputs that are bundles themselves."""


_CONTEXT = ["base_ctx", "model", "clip", "vae", "positive", "negative", "latent", "images", "seed"]
_BIG = (
    *_CONTEXT,
    *["steps", "step_refiner", "cfg", "ckpt_name", "sampler", "scheduler", "clip_width", "clip_height", "text_pos_g"],
)
_BASIC = ["model", "clip", "vae", "positive", "negative"]


def _numbered(names: Sequence[str]) -> Mapping[int, str]:
    return dict(enumerate(names))


PIPES: Mapping[str, Pipe] = {
    "BasicPipeToDetailerPipe": Pipe("basic_pipe", {}, "Impact: adds a detector to a bundle"),
    "Context (rgthree)": Pipe("base_ctx", _numbered(_CONTEXT), "rgthree: bundles what samplers need"),
    "Context Big (rgthree)": Pipe("base_ctx", _numbered(_BIG), "rgthree: bundles what samplers need, and settings"),
    "EditBasicPipe": Pipe("basic_pipe", {}, "Impact: changes parts of a bundle"),
    "FromBasicPipe": Pipe("basic_pipe", _numbered(_BASIC), "Impact: takes a bundle apart", frozenset()),
    "FromBasicPipe_v2": Pipe(
        "basic_pipe", _numbered(["basic_pipe", *_BASIC]), "Impact: takes a bundle apart and passes it on"
    ),
    "ToBasicPipe": Pipe(None, {}, "Impact: bundles what samplers need"),
    "easy pipeIn": Pipe("pipe", {}, "Easy-Use: bundles what samplers need"),
    "easy pipeOut": Pipe(
        "pipe",
        _numbered(["pipe", "model", "pos", "neg", "latent", "vae", "clip", "image", "seed"]),
        "Easy-Use: takes a bundle apart",
    ),
}
"""Classes of bundles. What an output gives is the input of that name, else that of the bundle which is taken."""

LOOP_STARTS = re.compile(r"^StartLoop$|(For|While) ?Loop ?(Open|Start)|^easy (for|while)LoopStart$", re.IGNORECASE)
LOOP_ENDS = re.compile(r"^EndLoop$|(For|While) ?Loop ?(Close|End)|^easy (for|while)LoopEnd$", re.IGNORECASE)
"""Classes that begin and end a part of the graph that runs several times, each time with other values."""
