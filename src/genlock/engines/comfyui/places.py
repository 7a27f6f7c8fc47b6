"""The places of a workflow's graph that a render fills: files, prompts, settings, and the output.

{"version": 1, "output": "13", "start_image": {"node": "8", "input": "image"},
 "loras": [{"node": "2", "name": "lora_name", "strength_model": "strength_model"}],
 "seed": [{"node": "10", "input": "seed"}], …}
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import Field

from genlock.engines.comfyui.offer import OFFER
from genlock.model import Model


class Place(Model):
    """An input of a node; ``inside`` is the path into a value that holds several things."""

    node: str
    input: str
    inside: tuple[str | int, ...] = ()


class LoraPlace(Model):
    """The place of a LoRA: ``name`` is the input that chooses it; strengths are inputs of the same node, or places."""

    node: str
    name: str
    strength_model: str | Place | None = None
    strength_clip: str | Place | None = None
    category: str = "loras"
    inside: tuple[str | int, ...] = ()

    @property
    def file(self) -> "FilePlace":
        """The place of the LoRA's file."""
        return FilePlace(node=self.node, input=self.name, role="lora", category=self.category, inside=self.inside)

    def strength(self, word: Literal["strength_model", "strength_clip"]) -> Place | None:
        """Return the place of a strength."""
        place = self.strength_model if word == "strength_model" else self.strength_clip
        return Place(node=self.node, input=place) if isinstance(place, str) else place


Purpose = Literal["end", "key", "reference", "control", "mask"]
"""What a picture is for, other than the first frame."""


class FilePlace(Place):
    """The place of a file: its role in a receipt, and the folder of ComfyUI that it is loaded from.

    ``also`` are further places of the same file: it is one input, and fills all of them.
    """

    role: str
    category: str
    purpose: Purpose | None = None
    also: tuple[Place, ...] = ()


class Bindings(Model):
    """Every place of a graph that a render fills. Several places of a word are in the order in which they act."""

    version: Literal[1] = 1
    output: str
    start_image: Place | None = None
    files: tuple[FilePlace, ...] = ()
    """Models, VAEs, text encoders and further files; the n-th of a role takes the n-th input in that role."""
    loras: tuple[LoraPlace, ...] = ()
    prompt: tuple[Place, ...] = ()
    negative_prompt: tuple[Place, ...] = ()
    seed: tuple[Place, ...] = ()
    steps: tuple[Place, ...] = ()
    cfg: tuple[Place, ...] = ()
    sampler: tuple[Place, ...] = ()
    scheduler: tuple[Place, ...] = ()
    denoise: tuple[Place, ...] = ()
    width: tuple[Place, ...] = ()
    height: tuple[Place, ...] = ()
    frames: tuple[Place, ...] = ()
    fps: tuple[Place, ...] = ()
    duration: tuple[Place, ...] = ()
    resolution: tuple[Place, ...] = ()
    aspect_ratio: tuple[Place, ...] = ()
    output_prefix: Place | None = None

    def places(self, word: str) -> tuple[Place, ...]:
        """Return the places of a parameter of the engine."""
        return cast("tuple[Place, ...]", getattr(self, word))

    def every_place(self) -> tuple[Place, ...]:
        """Return all places, of files and of values."""
        single = tuple(place for place in (self.start_image, self.output_prefix) if place is not None)
        strengths = (
            strength
            for lora in self.loras
            for strength in (lora.strength("strength_model"), lora.strength("strength_clip"))
            if strength is not None
        )
        values = (place for word in OFFER.parameters for place in self.places(word))
        repeated = (place for file in self.files for place in file.also)
        return (*single, *self.files, *repeated, *(lora.file for lora in self.loras), *strengths, *values)


class ComputedPlace(Place):
    """A value that no place holds: nodes compute it, or it is known only when the graph runs (``reason``).

    ``node`` and ``input`` take it, ``sources`` are the values that it comes from.
    """

    word: str
    value: Any = None
    sources: tuple[Place, ...] = ()
    reason: str | None = None


class ExtraOutput(Model):
    """A node that saves something besides the result, which a render leaves out."""

    node: str
    class_type: str


class ResolvedBindings(Model):
    """The bindings of a graph, and why others are unknown, by the receipt's word for them."""

    bindings: Bindings
    computed: tuple[ComputedPlace, ...] = ()
    extra_outputs: tuple[ExtraOutput, ...] = ()
    unknown: dict[str, str] = Field(default_factory=dict[str, str])
    implied: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Parameters in effect that no single value holds, such as the text of joined prompts."""


def value_at(graph: Mapping[str, Any], place: Place) -> Any:
    """Return the value in a place of a graph."""
    value = graph[place.node]["inputs"][place.input]
    for step in place.inside:
        value = value[step]
    return value
