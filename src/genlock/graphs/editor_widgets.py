"""The widgets of a node as ComfyUI's page builds them, with the values that a saved node gives them.

    definition ──▶ [seed, control_after_generate, steps, …]        saved: [42, "fixed", 20, …]

The page saves values by position, so what it needs is which widgets a node has, in order: those of its definition,
those that the page adds (what a value becomes after each run, buttons for uploads), and those that a choice brings.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from genlock.errors import Invalid
from genlock.graphs.editor_file import EditorNode, EditorSlot
from genlock.graphs.effort import Effort
from genlock.graphs.node_definition import NodeDefinition, NodeInput
from genlock.graphs.node_definitions import CHOICE

CUSTOM_COMBO = "CustomCombo"
"""The class whose list of options is in its own widgets."""

_UNREADABLE = frozenset(
    ["AUDIO_RECORD", "CHART", "COMPOSITOR", "GALLERIA", "LOAD_3D", "LOAD_3D_ADVANCED", "PAINTER", "WEBCAM"]
)
"""Types of widgets whose value the page makes when it runs: it records, draws or uploads something."""

_PLAYERS = frozenset(["LoadAudio", "PreviewAudio", "SaveAudio", "SaveAudioAdvanced", "SaveAudioMP3", "SaveAudioOpus"])
_VIDEO_BUTTONS = frozenset(["choose folder to upload", "choose video to upload", "videopreview"])
_SEEDS = ("seed", "noise_seed")
_BOX = ("x", "y", "width", "height")
_EMPTY: Mapping[str, Any] = {
    "BOOLEAN": False,
    "BOUNDING_BOX": {"x": 0, "y": 0, "width": 512, "height": 512},
    "BOUNDING_BOXES": [],
    "COLOR": "#000000",
    "COLORS": [],
    "CURVE": {"points": [[0, 0], [1, 1]], "interpolation": "monotone_cubic"},
    "FLOAT": 0,
    "IMAGECOMPARE": ["", ""],
    "INT": 0,
    "RANGE": {"min": 0, "max": 1},
}
"""What the page puts into a widget whose definition has no default; into others an empty text."""

_DEFAULTS_OF_VIDEO_EDIT: Mapping[str, Any] = {
    "trim": {"start_time": 0, "duration": 0},
    "crop": {"x": 0, "y": 0, "width": 0, "height": 0},
}


@dataclass(slots=True)
class Widget:
    """A widget and its value. ``saved``: its value is in the file; ``runs``: it is in the graph that runs."""

    name: str
    value: Any
    entry: NodeInput | None = None
    saved: bool = True
    runs: bool = True


@dataclass(slots=True)
class Slot:
    """An input of a node with the link it takes from."""

    name: str
    type: str
    link: str | None = None
    widget: str | None = None


class PlacedNode:
    """A node with its inputs and widgets as the page has them after loading."""

    def __init__(
        self, node: EditorNode, slots: Iterable[Slot], outputs: tuple[str, ...], widgets: Iterable[Widget] = ()
    ) -> None:
        self.node, self.outputs, self.widgets = node, outputs, list(widgets)
        self.set_slots(slots)
        self._widgets = {widget.name: widget for widget in reversed(self.widgets)}

    def set_slots(self, slots: Iterable[Slot]) -> None:
        """Replace the inputs."""
        self.slots = list(slots)
        self._by_link = {slot.link: slot for slot in reversed(self.slots) if slot.link is not None}

    def connect(self, name: str, link: str) -> None:
        """Let the input ``name`` take ``link``."""
        slot = next(slot for slot in self.slots if slot.name == name)
        slot.link = link
        self._by_link[link] = slot

    def widget(self, name: str | None) -> Widget | None:
        """Return the widget ``name``."""
        return self._widgets.get(name) if name is not None else None

    def slot_of(self, link: str) -> Slot | None:
        """Return the input that takes ``link``."""
        return self._by_link.get(link)


def place(node: EditorNode, definition: NodeDefinition | None, effort: Effort) -> PlacedNode:
    """Return a node with its widgets and inputs; without a definition, with the inputs that were saved.

    Raises ``Invalid``, naming the node, for widgets whose value only the page can make.
    """
    effort.spend(len(node.inputs))
    if definition is None:
        slots = [Slot(slot.name, slot.type, slot.link, slot.widget) for slot in node.inputs]
        return PlacedNode(node, slots, node.outputs)
    widgets = _widgets_of(definition)
    _restore(widgets, node, definition, effort)
    effort.spend(len(widgets) + len(definition.inputs) * (1 + len(node.inputs) // 20))
    if definition.class_type == CUSTOM_COMBO:
        _complete_combo(widgets)
    for widget in widgets:
        if node.acts and widget.entry is not None and _widget_type(widget.entry) in _UNREADABLE:
            raise unconvertible(node, f"what its {widget.name} gives is made by the page when it runs")
        if widget.value is None and widget.entry is not None and widget.entry.options:
            widget.value = widget.entry.options[0]
    return PlacedNode(node, _slots_of(node, definition, widgets), _outputs_of(node, definition), widgets)


def unconvertible(node: EditorNode, reason: str) -> Invalid:
    """Return the refusal of a file because of one node."""
    return Invalid(
        f"This workflow cannot be converted: {node}: {reason}.",
        hint="In ComfyUI choose File › Export (API) and register that file, or change this node and save again.",
        code="unconvertible_workflow",
    )


def _widgets_of(definition: NodeDefinition) -> list[Widget]:
    """Return the widgets of a new node of a class, with what the page adds to some."""
    widgets = _of_inputs(definition.inputs, "")
    names = {entry.name: entry for entry in definition.inputs if entry.required}
    if any(entry.upload in ("image_upload", "video_upload", "animated_image_upload") for entry in names.values()):
        widgets.append(Widget("upload", "image", runs=False))
    if definition.class_type in _PLAYERS:
        widgets.append(Widget("audioUI", "", saved=False, runs=False))
    audio = names.get("audio")
    if audio is not None and audio.upload == "audio_upload":
        widgets.append(Widget("upload", "", runs=False))
    if definition.class_type == CUSTOM_COMBO:
        widgets += [Widget("index", -1), Widget("option1", "")]
    return widgets


def _of_inputs(inputs: Iterable[NodeInput], prefix: str) -> list[Widget]:
    return [widget for entry in inputs if entry.is_widget for widget in _of_input(entry, prefix + entry.name)]


def _of_input(entry: NodeInput, name: str) -> list[Widget]:
    """Return the widgets of one input, the first of them its own."""
    kind = _widget_type(entry)
    if kind in ("AUDIO_UI", "AUDIOUPLOAD", "IMAGEUPLOAD"):
        return [Widget(name, "", entry, saved=kind != "AUDIO_UI", runs=False)]
    widgets = [Widget(name, _default(entry, kind), entry, saved=kind != "IMAGECOMPARE")]
    control = entry.control
    if kind == "INT" and control is None and entry.name in _SEEDS:
        control = "control_after_generate"
    if kind == "COMBO" and "refresh_button" in entry.flags:
        widgets += [Widget("refresh", "", runs=False), Widget("refresh_after_generate", False, runs=False)]
    if control and kind in ("INT", "FLOAT", "COMBO"):
        widgets.append(Widget(control, "fixed" if kind == "FLOAT" else "randomize", runs=False))
        if kind == "COMBO":
            widgets.append(Widget("control_filter_list", "", runs=False))
    if kind == "BOUNDING_BOX":
        widgets += [Widget(part, widgets[0].value.get(part), runs=False) for part in _BOX]
    if kind == CHOICE:
        widgets += _of_choice(entry, name, widgets[0].value)
    return widgets


def _of_choice(entry: NodeInput, name: str, key: Any) -> list[Widget]:
    for choice in entry.choices:
        if choice.key == key:
            return _of_inputs(choice.inputs, f"{name}.")
    return []


def _default(entry: NodeInput, kind: str) -> Any:
    if entry.default is not None:
        return entry.default
    if kind == "COMBO" and not entry.options:
        return None
    return _DEFAULTS_OF_VIDEO_EDIT if kind == "VIDEO_EDIT" else _EMPTY.get(kind, "")


def _widget_type(entry: NodeInput) -> str:
    return entry.widget_type or entry.type


def _restore(widgets: list[Widget], node: EditorNode, definition: NodeDefinition, effort: Effort) -> None:
    """Put the saved values into the widgets; a choice changes which widgets come after it."""
    given = node.widgets
    if isinstance(given, dict):
        for index, widget in _growing(widgets):
            if widget.saved and widget.name in given:
                _put(widgets, index, given[widget.name], effort)
        if "VideoHelperSuite" in definition.module:
            names = {widget.name for widget in widgets} | _VIDEO_BUTTONS
            # Widgets of the chosen format, which only that pack's page knows.
            widgets += [
                Widget(name, value)
                for name, value in given.items()
                if name not in names and isinstance(value, str | int | float)
            ]
        return
    values = _without_sockets(given or [], widgets, definition)
    position = 0
    for index, widget in _growing(widgets):
        if not widget.saved:
            continue
        if position >= len(values):
            return
        _put(widgets, index, values[position], effort)
        position += 1


def _growing(widgets: list[Widget]) -> Iterable[tuple[int, Widget]]:
    """Yield widgets with their positions, those included that are put in meanwhile."""
    index = 0
    while index < len(widgets):
        yield index, widgets[index]
        index += 1


def _put(widgets: list[Widget], index: int, value: Any, effort: Effort) -> None:
    widget = widgets[index]
    widget.value = value
    if widget.entry is not None and widget.entry.type == CHOICE:
        effort.spend(len(widgets))
        widgets[:] = [other for other in widgets if not other.name.startswith(f"{widget.name}.")]
        widgets[index + 1 : index + 1] = _of_choice(widget.entry, widget.name, value)
    elif widget is widgets[-1] and widget.entry is None and value and re.fullmatch(r"option\d+", widget.name):
        widgets.append(Widget(f"option{len(widgets) - 1}", ""))


def _without_sockets(values: list[Any], widgets: list[Widget], definition: NodeDefinition) -> list[Any]:
    """Return saved values without those of inputs that have only a socket now: older pages saved them too."""
    names = {widget.name for widget in widgets}
    sockets: list[bool] = []
    for entry in definition.inputs:
        forced = "forceInput" in entry.flags
        if forced or entry.name in names:
            sockets += [forced, False] if entry.control else [forced]
    sockets += [False] * ("upload" in names)
    if len(sockets) != len(values):
        return values
    return [value for value, socket in zip(values, sockets, strict=True) if not socket]


def _complete_combo(widgets: list[Widget]) -> None:
    """Set the index of a list whose options are widgets: the place of its choice among them."""
    options = [widget.value for widget in widgets[2:]]
    widgets[1].value = options.index(widgets[0].value) if widgets[0].value in options else -1


def _slots_of(node: EditorNode, definition: NodeDefinition, widgets: list[Widget]) -> list[Slot]:
    """Return a node's inputs in the page's order: sockets, widgets, then others that were saved."""
    saved = {slot.name: slot for slot in node.inputs}
    slots: dict[str, Slot] = {}
    values = {widget.name: widget.value for widget in widgets}
    sockets = [entry for entry in definition.inputs if not entry.is_widget]
    for entry in (*sockets, *(entry for entry in definition.inputs if entry.is_widget)):
        _add_slots(slots, entry, entry.name, saved, values)
    groups = tuple(f"{entry.name}." for entry in definition.inputs if entry.type == CHOICE)
    for slot in node.inputs:
        gone = slot.name.startswith(groups) if groups else False
        if slot.name not in slots and not gone and (slot.widget is None or slot.widget in values):
            slots[slot.name] = Slot(slot.name, slot.type, slot.link, slot.widget)
    return list(slots.values())


def _add_slots(
    slots: dict[str, Slot], entry: NodeInput, name: str, saved: Mapping[str, EditorSlot], values: Mapping[str, Any]
) -> None:
    if entry.growth is not None:
        for other in saved.values():
            if other.name.startswith(f"{name}."):
                slots[other.name] = Slot(other.name, entry.growth.inputs[0].type, other.link)
        return
    if "socketless" not in entry.flags or not entry.is_widget:
        link = saved[name].link if name in saved else None
        slots[name] = Slot(name, entry.type, link, name if entry.is_widget else None)
    for choice in entry.choices:
        if choice.key == values.get(name):
            for inner in choice.inputs:
                _add_slots(slots, inner, f"{name}.{inner.name}", saved, values)


def _outputs_of(node: EditorNode, definition: NodeDefinition) -> tuple[str, ...]:
    """Return the types of a node's outputs: the server's, or the saved one where it depends on what is connected."""
    types = [output.type for output in definition.outputs]
    for index, kind in enumerate(node.outputs):
        if index >= len(types):
            types.append(kind)
        elif definition.outputs[index].matches is not None:
            types[index] = kind
    return tuple(types)


def as_values(node: PlacedNode) -> dict[str, Any]:
    """Return the values of a node's widgets as a graph that runs holds them; lists are marked, as links are lists."""
    return {widget.name: wrapped(widget.value) for widget in node.widgets if widget.runs and widget.name}


def wrapped(value: Any) -> Any:
    """Return a value with a list marked as a value."""
    return {"__value__": cast(list[Any], value)} if isinstance(value, list) else value
