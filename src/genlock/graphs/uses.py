"""The result of reading a graph: each thing that it uses, with the node and the input that name it.

Every entry has its place, so that the same place can be written to: a node's id (any text, ``21:2`` in a subgraph), the
name of an input and, if a value holds several things, the path ``inside`` it.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from genlock.graphs.known.roles import PictureRole

Inside = tuple[str | int, ...]
Side = Literal["positive", "negative"]


class Setting(NamedTuple):
    """A value in the graph, or one that its nodes compute from others.

    A computed value has the values that it comes from as ``sources``, and ``node`` and ``input`` take it: it cannot be
    written there.
    """

    node: str
    input: str
    value: Any
    inside: Inside = ()
    sources: tuple[tuple[str, str], ...] | None = None

    @property
    def is_computed(self) -> bool:
        """Whether nodes compute the value."""
        return self.sources is not None


class FileUse(NamedTuple):
    """A file that a node names.

    ``category`` is ComfyUI's name of the folder (``loras``, ``input``, ``output``), or None if it is unknown.
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
    """A prompt. ``text`` is None if it is unknown, and ``reason`` says why.

    With ``literal``, ``node`` and ``input`` hold the text; else they are the input that takes it.
    """

    side: Side
    node: str
    input: str
    text: str | None
    reason: str | None = None
    literal: bool = True


class SamplerUse(NamedTuple):
    """A sampling, with the settings of its inputs and of the nodes of noise, guidance and schedule before it.

    The words are a receipt's: ``seed``, ``cfg``, ``steps``, ``sampler``, ``scheduler``, ``denoise``. ``implied`` has
    those that follow from a node's class and are not values in the graph.
    """

    node: str
    class_type: str
    settings: Mapping[str, Setting]
    implied: Mapping[str, Setting]


class ImageUse(NamedTuple):
    """A picture that the graph loads.

    ``purposes`` are the inputs that use it, such as ``start_image``, and ``role`` is what they make of it: ``start``,
    ``end``, ``key``, ``reference``, ``control`` or ``mask``. Without a role, ``question`` says what has to be asked.
    """

    node: str
    input: str
    name: str
    category: str | None
    purposes: tuple[str, ...]
    role: PictureRole | None = None
    question: str | None = None


class OutputUse(NamedTuple):
    """A node that saves or shows outputs; ``prefix`` is the beginning of its file names."""

    node: str
    class_type: str
    prefix: Setting | None


class PartnerUse(NamedTuple):
    """A node that a service runs. ``settings`` by the word of a receipt; those of the graph, or computed."""

    node: str
    class_type: str
    service: str
    settings: Mapping[str, tuple[Setting, ...]]
    unknown: tuple[tuple[str, str, str], ...]
    """The inputs whose values are not known: the name, the word, and the reason."""
    makes_video: bool


class Unresolved(NamedTuple):
    """A value that a receipt should record and the graph does not reveal; ``word`` is the receipt's word for it."""

    node: str
    input: str
    word: str
    reason: str


class Reading(NamedTuple):
    """Everything that a graph uses to make its outputs, in the order in which it acts.

    ``sizes`` maps ``width``, ``height``, ``frames`` and ``fps`` to the values set for each. ``nodes`` are the ids of
    all nodes that act, ``embeddings`` the names of textual inversions that prompts call by ``embedding:name``, and
    ``seeds`` are of nodes that draw by themselves and do not sample: noise over a picture, words out of a list.
    ``prompt_only`` are the ids of nodes that only serve to write a prompt; the weights that they load have the role
    ``other``.
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
    prompt_only: frozenset[str] = frozenset()
    partners: tuple[PartnerUse, ...] = ()

    def of_role(self, role: str) -> tuple[FileUse, ...]:
        """Return the files in a role, in order."""
        return tuple(file for file in self.files if file.role == role)

    def texts_of(self, side: Side) -> tuple[TextUse, ...]:
        """Return the prompts of a side, in order."""
        return tuple(text for text in self.texts if text.side == side)
