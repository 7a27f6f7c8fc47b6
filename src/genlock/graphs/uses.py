"""What reading a graph gives: each thing that it uses, with the node and the input that say so.

Every entry names its place, so that the same place can be written again: a node's id (any text, ``21:2`` in a
subgraph), the name of an input and, where one value holds several things, the way ``inside`` it.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Inside = tuple[str | int, ...]
Side = Literal["positive", "negative"]


class Setting(NamedTuple):
    """A value that stands in the graph."""

    node: str
    input: str
    value: Any
    inside: Inside = ()


class FileUse(NamedTuple):
    """A file that a node names.

    ``category`` is ComfyUI's name of the folder (``loras``, ``input``, ``output``), or None where nothing says which.
    ``role`` is a receipt's word: ``model``, ``lora``, ``vae``, ``text_encoder``, ``controlnet``, ``source_image``,
    ``video``, ``audio`` or ``other``. ``ordinal`` counts within the role; LoRAs are in the order they are applied.
    """

    node: str
    input: str
    category: str | None
    role: str
    name: str
    ordinal: int
    strength_model: Setting | None = None
    strength_clip: Setting | None = None
    inside: Inside = ()


class TextUse(NamedTuple):
    """A prompt. ``text`` is None where it is not known, and ``reason`` says why.

    With ``literal``, ``node`` and ``input`` are where the text stands; else they are the input that takes it.
    """

    side: Side
    node: str
    input: str
    text: str | None
    reason: str | None = None
    literal: bool = True


class SamplerUse(NamedTuple):
    """One sampling, with what it is told by its own inputs and by the nodes of noise, guidance and schedule before it.

    The words are a receipt's: ``seed``, ``cfg``, ``steps``, ``sampler``, ``scheduler``, ``denoise``. ``implied`` has
    those that follow from a node's class and stand nowhere as a value.
    """

    node: str
    class_type: str
    settings: Mapping[str, Setting]
    implied: Mapping[str, Any]


class ImageUse(NamedTuple):
    """A picture that the graph loads. ``purposes`` are the inputs that it ends in, such as ``start_image``."""

    node: str
    input: str
    name: str
    category: str | None
    purposes: tuple[str, ...]


class OutputUse(NamedTuple):
    """A node that saves or shows what was made; ``prefix`` is how its files' names begin."""

    node: str
    class_type: str
    prefix: Setting | None


class Unresolved(NamedTuple):
    """Something that a receipt should say and the graph does not; ``word`` is the receipt's word for it."""

    node: str
    input: str
    word: str
    reason: str


class Reading(NamedTuple):
    """All that a graph uses to make its outputs, in the order in which it acts.

    ``sizes`` maps ``width``, ``height``, ``frames`` and ``fps`` to the values set for each. ``nodes`` are the ids of
    all nodes that act, ``embeddings`` the names of textual inversions that prompts call by ``embedding:name``, and
    ``seeds`` are of nodes that draw by themselves and do not sample: noise over a picture, words out of a list.
    """

    files: tuple[FileUse, ...]
    texts: tuple[TextUse, ...]
    samplers: tuple[SamplerUse, ...]
    sizes: Mapping[str, tuple[Setting, ...]]
    images: tuple[ImageUse, ...]
    outputs: tuple[OutputUse, ...]
    unresolved: tuple[Unresolved, ...]
    nodes: frozenset[str]
    embeddings: tuple[str, ...] = ()
    seeds: tuple[Setting, ...] = ()

    def of_role(self, role: str) -> tuple[FileUse, ...]:
        """The files in one role, in order."""
        return tuple(one for one in self.files if one.role == role)

    def texts_of(self, side: Side) -> tuple[TextUse, ...]:
        """The prompts of one side, in order."""
        return tuple(one for one in self.texts if one.side == side)
