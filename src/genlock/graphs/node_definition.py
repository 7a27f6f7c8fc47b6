"""A class of ComfyUI's nodes: its inputs, widgets and outputs, as a server defines them."""

from typing import Any, NamedTuple

from genlock.graphs.widgets import WIDGET_TYPES

Option = str | int | float | bool


class Choice(NamedTuple):
    """One option of an input that decides which other inputs a node has."""

    key: str
    inputs: "tuple[NodeInput, ...]"


class Growth(NamedTuple):
    """How inputs grow in number: ``prefix`` and a number from 0, or ``names`` one after the other."""

    inputs: "tuple[NodeInput, ...]"
    prefix: str
    names: tuple[str, ...] | None
    least: int
    most: int


class NodeInput(NamedTuple):
    """An input of a class: a socket, a widget, or both."""

    name: str
    type: str
    """``INT``, ``COMBO``, ``MODEL``, several as ``IMAGE,MASK``; of a matching input what it takes."""
    required: bool = True
    options: tuple[Option, ...] | None = None
    """What a list offers; None if it is not a list, or if the list is the server's files and was not kept."""
    default: Any = None
    """JSON. None if there is none; of a list without a default, its first option."""
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | float | None = None
    round_to: int | float | None = None
    display: str | None = None
    """How a number is shown: ``slider``, ``color``."""
    flags: frozenset[str] = frozenset()
    """Which of ComfyUI's switches are on: ``forceInput``, ``socketless``, ``multiline``, ``lazy``, …"""
    control: str | None = None
    """The widget after this one that changes its value after each run, by name; None if there is none."""
    upload: str | None = None
    """``image_upload``, ``video_upload``, …: the list has a button that uploads a file."""
    widget_type: str | None = None
    """The widget's type, where it differs from that of the socket."""
    display_name: str | None = None
    choices: tuple[Choice, ...] = ()
    growth: Growth | None = None
    matches: str | None = None
    """Inputs and outputs of a node with the same name here have one type."""

    @property
    def is_widget(self) -> bool:
        """Whether the page shows a widget for it, whose value is in the node unless something is connected."""
        return "forceInput" not in self.flags and (self.widget_type or self.type) in WIDGET_TYPES


class NodeOutput(NamedTuple):
    """An output of a class."""

    type: str
    name: str
    is_list: bool = False
    matches: str | None = None


class NodeDefinition(NamedTuple):
    """A class of nodes."""

    class_type: str
    display_name: str
    category: str
    module: str
    """The Python module: ``nodes``, ``comfy_extras.nodes_video``, ``custom_nodes.ComfyUI-GGUF``."""
    inputs: tuple[NodeInput, ...]
    """In the order of the page: required ones first."""
    hidden: tuple[str, ...]
    """The names of inputs that the server fills in itself."""
    outputs: tuple[NodeOutput, ...]
    is_output: bool
    is_partner: bool
    """Whether it runs on a partner's service, for credits."""

    def input(self, name: str) -> NodeInput | None:
        """Return the input ``name``; dotted and growing ones (``model.duration``, ``images.image0``) too."""
        return _find(self.inputs, name)


def _find(inputs: tuple[NodeInput, ...], name: str) -> NodeInput | None:
    for entry in inputs:
        if entry.name == name:
            return entry
        if not name.startswith(f"{entry.name}."):
            continue
        rest = name[len(entry.name) + 1 :]
        for choice in entry.choices:
            selected = _find(choice.inputs, rest)
            if selected is not None:
                return selected
        if entry.growth is not None:
            return _grown(entry.growth, rest)
    return None


def _grown(growth: Growth, name: str) -> NodeInput | None:
    if growth.names is not None:
        return growth.inputs[0] if name in growth.names else None
    prefixes = [growth.prefix] if len(growth.inputs) == 1 else [template.name for template in growth.inputs]
    for template, prefix in zip(growth.inputs, prefixes, strict=True):
        number = name.removeprefix(prefix)
        if name.startswith(prefix) and number.isascii() and number.isdigit() and len(number) < 6:
            return template if int(number) < growth.most else None
    return None
