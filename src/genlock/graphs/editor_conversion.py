"""The graph that ComfyUI's page would run, made of a workflow as the page saves it.

    nodes, subgraphs, reroutes, bypasses ──▶ {"12:5": {"class_type": …, "inputs": {"seed": 42, "model": ["1", 0]}}}

It follows the page (frontend 1.49): a node inside of subgraphs has the ids of all of them; a muted node gives nothing,
a bypassed one passes on the first input of its type; reroutes, notes and primitives do not run. What cannot be
converted with certainty is refused, naming the node: no graph is better than a wrong one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from genlock.errors import Invalid
from genlock.graphs.dynamic_prompts import without_comments_and_choices
from genlock.graphs.editor_file import BYPASSED, INPUT_NODE, MUTED, EditorFile, EditorLink, read_editor_file
from genlock.graphs.editor_widgets import PlacedNode, Slot, as_values, unconvertible, wrapped
from genlock.graphs.effort import Effort
from genlock.graphs.graph import MAX_NODES
from genlock.graphs.node_definition import NodeDefinition
from genlock.graphs.subgraphs import PRIMITIVE, Scope, Scopes

REROUTE = "Reroute"
_SETTERS, _GETTERS = frozenset(["SetNode", "easy setNode"]), frozenset(["GetNode", "easy getNode"])
_NOTES = frozenset(["Note", "MarkdownNote", "Label (rgthree)", "Bookmark (rgthree)"])
_SWITCHES = frozenset(
    f"{name} (rgthree)"
    for name in ("Fast Bypasser", "Fast Groups Bypasser", "Fast Groups Muter", "Fast Muter", "Mute / Bypass Relay")
)
"""Nodes that only set which others act, which the others' modes say."""
VIRTUAL = frozenset([REROUTE, PRIMITIVE]) | _SETTERS | _GETTERS | _NOTES | _SWITCHES
"""Nodes that only the page knows."""

_SAVERS = re.compile(r"^(Save\w+|(CLIP|VAE|Model|Lora)Save)$")
_REPLACED = re.compile(r"%([^%]+)%")
_UNSAFE = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


class _Place(NamedTuple):
    """A node in the subgraphs around it. ``outer`` is the place of the subgraph's node."""

    path: tuple[str, ...]
    scope: Scope
    node: PlacedNode
    outer: "_Place | None"

    @property
    def id(self) -> str:
        return ":".join(self.path)


class Holder(NamedTuple):
    """Where a file holds a value: a node of a graph (empty for the outermost) by position, its saved values, which."""

    graph: str
    position: int
    name: str
    place: int
    values: list[Any]
    """The values of all widgets that are saved, for a file that saved fewer."""


def convert_editor_file(value: Any, definitions: Mapping[str, NodeDefinition], name: str) -> dict[str, Any]:
    """Return the graph in API format of a workflow that the page saved; ``name`` is the file's, for errors.

    ``definitions`` are those of the server that runs it. Raises ``Invalid``, naming the node, for anything that cannot
    be converted with certainty.
    """
    return Conversion(read_editor_file(value, name), definitions).graph()


class Conversion:
    """The conversion of one file."""

    def __init__(self, file: EditorFile, definitions: Mapping[str, NodeDefinition]) -> None:
        self._definitions = definitions
        self._effort = Effort()
        self._scopes = Scopes(file, definitions, self._effort)
        for scope in (*self._scopes.subgraphs.values(), self._scopes.root):
            for link in list(scope.links.values()):
                origin = scope.nodes.get(link.origin)
                if origin is not None and origin.node.type == PRIMITIVE:
                    self._apply_primitive(scope, origin, link)

    def graph(self) -> dict[str, Any]:
        """Return the graph in API format. Raises ``Invalid``, naming the node, for what cannot be converted."""
        graph: dict[str, Any] = {}
        for place in self._places(self._scopes.root, None):
            node = place.node.node
            if not node.acts or node.type in self._scopes.subgraphs:
                continue
            definition = self._definitions.get(node.type)
            if definition is None:
                if node.type in VIRTUAL:
                    continue
                raise unconvertible(node, "the ComfyUI server does not have this class")
            inputs = as_values(place.node)
            self._finish_texts(place, definition, inputs)
            for index, slot in enumerate(place.node.slots):
                source = self._source(place, index)
                if source is not None:
                    inputs[slot.name] = source
            title = node.title or definition.display_name
            graph[place.id] = {"inputs": inputs, "class_type": node.type, "_meta": {"title": title}}
        return graph

    def holder(self, key: str, name: str) -> Holder | None:
        """Return where the value of an input of a node that runs is; None if that is not in one place."""
        place = self._place_of(key)
        while place is not None:
            slot = next((slot for slot in place.node.slots if slot.name == name), None)
            if slot is None or slot.link is None:
                return self._held_in(place, name)
            link = place.scope.links[slot.link]
            if link.origin == INPUT_NODE and place.outer is not None:
                place, name = place.outer, self._port_name(place, link)
                continue
            origin = place.scope.nodes.get(link.origin)
            if origin is None or origin.node.type != PRIMITIVE:
                return None
            given = origin.node.widgets
            values = list(given) if isinstance(given, list) else []
            return Holder(place.scope.graph.id, place.scope.graph.nodes.index(origin.node), "value", 0, values)
        return None

    def _held_in(self, place: _Place, name: str) -> Holder | None:
        scope, node = place.scope, place.node
        if self._scopes.subgraph_of(node) is not None:
            values = scope.promoted[node.node.id]
            index = scope.saved_at[node.node.id].get(name, list(values).index(name) if name in values else -1)
            saved = list(values.values())
        else:
            names = [widget.name for widget in node.widgets if widget.saved]
            index = names.index(name) if name in names else -1
            saved = [widget.value for widget in node.widgets if widget.saved]
        position = scope.graph.nodes.index(node.node)
        return None if index < 0 else Holder(scope.graph.id, position, name, index, saved)

    def _place_of(self, key: str) -> _Place | None:
        scope: Scope | None = self._scopes.root
        place: _Place | None = None
        path: tuple[str, ...] = ()
        for part in key.split(":"):
            node = scope.nodes.get(part) if scope is not None else None
            if scope is None or node is None:
                return None
            path = (*path, part)
            place = _Place(path, scope, node, place)
            scope = self._scopes.subgraph_of(node)
        return place

    def _places(self, scope: Scope, outer: _Place | None) -> Iterator[_Place]:
        """Yield every node of a graph with the nodes inside of subgraphs; those of an idle one only at the top."""
        waiting = [_Place((key,), scope, node, outer) for key, node in reversed(scope.nodes.items())]
        count = 0
        while waiting:
            place = waiting.pop()
            yield place
            count += 1
            if count > MAX_NODES:
                raise _too_large()
            subgraph = self._scopes.subgraph_of(place.node)
            if subgraph is not None and (place.node.node.acts or place.outer is not None):
                inner = reversed(subgraph.nodes.items())
                waiting += [_Place((*place.path, key), subgraph, node, place) for key, node in inner]
                if len(waiting) > MAX_NODES:
                    raise _too_large()

    def _source(self, place: _Place, index: int) -> Any:
        """Return what an input takes: a link to a node that runs, a value from outside, or None for its own value."""
        origin = place.node.node
        kind: str | None = None
        visited: set[tuple[tuple[str, ...], str, int]] = set()
        slot_index: int = index
        while True:
            self._step(origin, visited, (place.path, "in", slot_index))
            slots = place.node.slots
            slot = slots[slot_index] if slot_index < len(slots) else None
            if slot is None or slot.link is None:
                return None
            link = place.scope.links.get(slot.link)
            if link is None:
                raise unconvertible(place.node.node, f"its input {slot.name[:80]!r} takes a link that is not there")
            if link.origin == INPUT_NODE and place.outer is not None:
                outer, name = place.outer, self._port_name(place, link)
                slot_index = next((i for i, other in enumerate(outer.node.slots) if other.name == name), -1)
                if slot_index < 0 or outer.node.slots[slot_index].link is None:
                    value = self._scopes.value_outside(outer.scope, outer.node, name)
                    return None if value is None else wrapped(value[0])
                place = outer
                continue
            kind = kind or slot.type
            reached = self._output(origin, self._at(place, link.origin, slot), link.origin_slot, kind, visited)
            if not isinstance(reached, tuple):
                return reached
            place, slot_index, kind = reached

    def _output(
        self, origin: Any, place: _Place, slot: int, kind: str, visited: set[tuple[tuple[str, ...], str, int]]
    ) -> "tuple[_Place, int, str | None] | list[Any] | None":
        """Return the link that an output is in the graph that runs, None if it gives nothing, or where to go on."""
        while True:
            node = place.node.node
            self._step(origin, visited, (place.path, "out", slot))
            if node.mode == MUTED:
                return None
            if node.mode == BYPASSED:
                index = _passed_on(place.node, slot, kind)
                return None if index is None else (place, index, None)
            subgraph = self._scopes.subgraph_of(place.node)
            if subgraph is not None:
                ports = subgraph.graph.outputs
                links = (
                    [subgraph.links[key] for key in ports[slot].links if key in subgraph.links]
                    if slot < len(ports)
                    else []
                )
                if not links:
                    return None
                if links[0].origin not in subgraph.nodes:
                    raise unconvertible(node, "an output of it leads to nothing inside")
                inside = subgraph.nodes[links[0].origin]
                place, slot = _Place((*place.path, inside.node.id), subgraph, inside, place), links[0].origin_slot
                continue
            if node.type in self._definitions:
                return [place.id, slot]
            if node.type in _GETTERS:
                return self._setter_of(place), 0, kind
            if node.type in VIRTUAL:
                return place, slot, kind
            raise unconvertible(node, "the ComfyUI server does not have this class")

    def _step(
        self, origin: Any, visited: set[tuple[tuple[str, ...], str, int]], key: tuple[tuple[str, ...], str, int]
    ) -> None:
        self._effort.spend()
        if key in visited:
            raise unconvertible(origin, "its links form a cycle")
        visited.add(key)

    def _at(self, place: _Place, key: str, slot: Slot) -> _Place:
        node = place.scope.nodes.get(key)
        if node is None:
            raise unconvertible(
                place.node.node, f"its input {slot.name[:80]!r} takes from node {key[:80]}, which is not there"
            )
        return _Place((*place.path[:-1], key), place.scope, node, place.outer)

    def _port_name(self, place: _Place, link: EditorLink) -> str:
        ports = place.scope.ports
        if not 0 <= link.origin_slot < len(ports):
            raise unconvertible(place.node.node, "it takes an input of its subgraph that is not there")
        return ports[link.origin_slot].name

    def _setter_of(self, place: _Place) -> _Place:
        """Return the node that sets what a getter gets, by its name."""
        name = _first_value(place.node)
        setters = [
            node for node in place.scope.nodes.values() if node.node.type in _SETTERS and _first_value(node) == name
        ]
        if len(setters) != 1:
            raise unconvertible(place.node.node, f"{len(setters)} nodes of its graph set {str(name)[:80]!r}")
        return _Place((*place.path[:-1], setters[0].node.id), place.scope, setters[0], place.outer)

    def _apply_primitive(self, scope: Scope, primitive: PlacedNode, link: EditorLink) -> None:
        """Put a primitive's value into the widget that it leads to, as the page does before it runs a graph."""
        value = _first_value(primitive)
        target = scope.nodes.get(link.target)
        slot = target.slot_of(link.id) if target is not None else None
        if target is None or slot is None:
            return
        widget = target.widget(slot.widget)
        if widget is None or value is None or primitive.node.properties.get("Run widget replace on values"):
            raise unconvertible(primitive.node, f"what it gives to {target.node} is only known to the page")
        widget.value = value

    def _finish_texts(self, place: _Place, definition: NodeDefinition, inputs: dict[str, Any]) -> None:
        """Do what the page does to texts before it runs a graph: comments, choices, names of other widgets."""
        node = place.node.node
        for entry in definition.inputs:
            text = inputs.get(entry.name)
            if not isinstance(text, str):
                continue
            if "dynamicPrompts" in entry.flags:
                finished = without_comments_and_choices(text)
                if finished is None:
                    raise unconvertible(node, f"its {entry.name} leaves a choice to chance, {{like|this}}")
                inputs[entry.name] = finished
            elif entry.name == "filename_prefix" and _SAVERS.match(node.type):
                inputs[entry.name] = _REPLACED.sub(lambda match: self._replaced(match), text)

    def _replaced(self, match: re.Match[str]) -> str:
        """Return the value of the widget that ``%node.widget%`` names; dates stay, for each take has its own."""
        node_name, mark, widget_name = match[1].partition(".")
        if not mark or "." in widget_name:
            return match[0]
        nodes = [
            node for scope in (self._scopes.root, *self._scopes.subgraphs.values()) for node in scope.nodes.values()
        ]
        named = [node for node in nodes if node.node.properties.get("Node name for S&R") == node_name]
        named = named or [node for node in nodes if node.node.title == node_name]
        widget = named[0].widget(widget_name) if named else None
        return match[0] if widget is None else _UNSAFE.sub("_", _as_text(widget.value))


def _first_value(node: PlacedNode) -> Any:
    values = node.node.widgets
    return values[0] if isinstance(values, list) and values else None


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _passed_on(node: PlacedNode, slot: int, kind: str) -> int | None:
    """Return the input that a bypassed node passes on to an output, by the page's order of preference."""
    slots = node.slots
    if kind in ("*", ""):
        return slot if len(slots) > slot else 0
    given = node.outputs[slot] if slot < len(node.outputs) else "*"
    if slot < len(slots) and _fits(slots[slot].type, given) and _fits(slots[slot].type, kind):
        return slot
    exact = next((index for index, other in enumerate(slots) if other.type == kind), None)
    if exact is not None:
        return exact
    return next(
        (index for index, other in enumerate(slots) if _fits(other.type, given) and _fits(other.type, kind)), None
    )


def _fits(given: str, taken: str) -> bool:
    """Return whether an output of type ``given`` can lead to an input of type ``taken``; both may be several."""
    if given in ("*", "") or taken in ("*", ""):
        return True
    kinds = taken.lower().split(",")
    return any(kind in kinds or kind in ("*", "") for kind in given.lower().split(",")) or not {"*", ""}.isdisjoint(
        kinds
    )


def _too_large() -> Invalid:
    return Invalid(
        f"This workflow cannot be converted: its subgraphs expand to more than {MAX_NODES:,} nodes.",
        hint="Real workflows have far fewer. Check where the file comes from.",
        code="unconvertible_workflow",
    )
