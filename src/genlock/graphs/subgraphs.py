"""The subgraphs of a workflow that ComfyUI's page saved: their nodes, and the widgets that they show outside.

    subgraph  ── input "seed" ──▶ node 5, its widget seed
    node 12, of that subgraph:  "seed" = 42                the value is of node 12, and replaces that of node 5

A node of a subgraph has a value for each input of it that leads to a widget inside, unless something is connected.
Older pages saved a list of the widgets shown instead (``proxyWidgets``); the page makes inputs of them, and so does
this. A subgraph is shared by its nodes, so that an input made for one of them is an input of all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from genlock.errors import Invalid
from genlock.graphs.editor_file import INPUT_NODE, EditorFile, EditorGraph, EditorLink, EditorProxy
from genlock.graphs.editor_widgets import PlacedNode, Slot, Widget, place, unconvertible
from genlock.graphs.effort import Effort
from genlock.graphs.node_definition import NodeDefinition

MAX_DEPTH = 32
_PREFIX_MARK = ":"
PRIMITIVE = "PrimitiveNode"


@dataclass(slots=True)
class Port:
    """An input of a subgraph with its links inside."""

    name: str
    type: str
    links: list[str]


@dataclass(slots=True)
class Scope:
    """A graph with its nodes placed. A subgraph is placed once, and shared by the nodes that are of it."""

    graph: EditorGraph
    nodes: dict[str, PlacedNode]
    links: dict[str, EditorLink]
    ports: list[Port]
    promoted: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """For each node of a subgraph, its values by the names of the subgraph's inputs."""

    saved_at: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """For each node of a subgraph, the places of its values among those that were saved, where a list says them."""

    def port(self, name: str) -> Port | None:
        """Return the input ``name``."""
        return next((port for port in self.ports if port.name == name), None)


class Scopes:
    """All graphs of a file, placed, inner subgraphs first."""

    def __init__(self, file: EditorFile, definitions: Mapping[str, NodeDefinition], effort: Effort) -> None:
        """Place every node. Raises ``Invalid`` for subgraphs that contain themselves or lie too deep."""
        self.effort = effort
        self.subgraphs: dict[str, Scope] = {}
        self._definitions = definitions
        for graph in _inner_first(file):
            self.subgraphs[graph.id] = self._place(graph)
        self.root = self._place(file.root)

    def subgraph_of(self, node: PlacedNode) -> Scope | None:
        """Return the subgraph that a node is of."""
        return self.subgraphs.get(node.node.type)

    def value_outside(self, host_scope: Scope, host: PlacedNode, name: str) -> tuple[Any] | None:
        """Return the value that ``host``, a node of a subgraph, has for the input ``name``; None if it has none."""
        values = host_scope.promoted[host.node.id]
        if name in values:
            return (values[name],)
        subgraph = self.subgraphs[host.node.type]
        port = subgraph.port(name)
        return self.first_value(subgraph, port) if port is not None else None

    def _place(self, graph: EditorGraph) -> Scope:
        scope = Scope(
            graph,
            {node.id: place(node, self._definition(node.type), self.effort) for node in graph.nodes},
            dict(graph.links),
            [Port(port.name, port.type, list(port.links)) for port in graph.inputs],
        )
        hosts = [node for node in scope.nodes.values() if node.node.type in self.subgraphs]
        for host in hosts:
            self._arrange_slots(host)
            scope.promoted[host.node.id] = self._saved_values(host)
            scope.saved_at[host.node.id] = {}
        for host in hosts:
            _Proxies(self, scope, host).apply()
        return scope

    def _definition(self, kind: str) -> NodeDefinition | None:
        return None if kind in self.subgraphs else self._definitions.get(kind)

    def _arrange_slots(self, host: PlacedNode) -> None:
        """Give a node of a subgraph the inputs of the subgraph, in their order; others are dropped."""
        saved = {slot.name: slot for slot in host.slots}
        subgraph = self.subgraphs[host.node.type]
        host.set_slots(
            Slot(port.name, port.type, saved[port.name].link if port.name in saved else None) for port in subgraph.ports
        )
        host.outputs = tuple(port.type for port in subgraph.graph.outputs)

    def _saved_values(self, host: PlacedNode) -> dict[str, Any]:
        subgraph = self.subgraphs[host.node.type]
        self.effort.spend(len(subgraph.ports))
        values: dict[str, Any] = {}
        for port in subgraph.ports:
            first = self.first_value(subgraph, port)
            if first is not None:
                values[port.name] = first[0]
        given = host.node.widgets
        saved = given if isinstance(given, list) else []
        corrected = dict(_set_aside(host.node.properties.get("proxyWidgetErrorQuarantine")))
        for index, name in enumerate(values):
            if corrected.get(name) is not None:
                values[name] = corrected[name]
            elif index < len(saved):
                values[name] = saved[index]
        return values

    def first_value(self, scope: Scope, port: Port) -> tuple[Any] | None:
        """Return the value of the first widget inside that an input of a subgraph leads to."""
        for link in port.links:
            self.effort.spend()
            inside = scope.nodes.get(scope.links[link].target) if link in scope.links else None
            slot = inside.slot_of(link) if inside is not None else None
            if inside is None or slot is None:
                continue
            if inside.node.type in self.subgraphs:
                value = self.value_outside(scope, inside, slot.name)
                if value is not None:
                    return value
            elif slot.widget is not None:
                widget = inside.widget(slot.widget)
                if widget is not None:
                    return (widget.value,)
        return None


class _Proxies:
    """Makes inputs of a subgraph from the list of shown widgets that an older page saved with one node of it."""

    def __init__(self, scopes: Scopes, scope: Scope, host: PlacedNode) -> None:
        self._scopes, self._scope, self._host = scopes, scope, host
        self._inside = scopes.subgraphs[host.node.type]
        self._values = scope.promoted[host.node.id]
        given = host.node.widgets
        self._saved = given if isinstance(given, list) else []

    def apply(self) -> None:
        proxies = [self._normalised(proxy) for proxy in self._host.node.proxies]
        primitives: dict[str, list[int]] = {}
        linked = [self._port_to(proxy.node, proxy.widget) for proxy in proxies]
        for index, proxy in enumerate(proxies):
            source = self._inside.nodes.get(proxy.node)
            port = linked[index]
            if port is not None:
                self._set(port.name, index)
            elif source is None:
                if proxy.node == "-1":
                    self._set(proxy.widget, index)
            elif source.node.type == PRIMITIVE:
                primitives.setdefault(proxy.node, []).append(index)
            else:
                self._connect(source, proxy, index)
        for key, indexes in primitives.items():
            self._bypass(self._inside.nodes[key], proxies[indexes[0]].widget, indexes)

    def _set(self, name: str, index: int) -> None:
        """Set the value of an input of the node, if one was saved and there is such an input."""
        existing = self._scopes.value_outside(self._scope, self._host, name) is not None
        if existing and index < len(self._saved) and self._saved[index] is not None:
            self._values[name] = self._saved[index]
            self._scope.saved_at[self._host.node.id][name] = index

    def _connect(self, source: PlacedNode, proxy: EditorProxy, index: int) -> None:
        """Make an input of the subgraph that leads to the widget."""
        slot_name = self._slot_shown(source, proxy)
        slot = next((slot for slot in source.slots if slot.name == slot_name), None)
        if slot is None:
            return
        if slot.link is not None:
            raise unconvertible(self._host.node, f"it shows {proxy.widget[:80]!r}, to which something is connected")
        self._add_port(proxy.widget, [(source, slot.name)])
        self._set(self._inside.ports[-1].name, index)

    def _bypass(self, primitive: PlacedNode, widget: str, indexes: list[int]) -> None:
        """Lead an input of the subgraph to what a primitive inside leads to."""
        self._scopes.effort.spend(len(self._inside.links))
        targets = [link for link in self._inside.links.values() if link.origin == primitive.node.id]
        slots = [(self._inside.nodes.get(link.target), link.id) for link in targets]
        places = [(node, node.slot_of(link)) for node, link in slots if node is not None]
        ends = [(node, slot.name) for node, slot in places if slot is not None]
        if not ends or len(ends) < len(targets):
            raise unconvertible(self._host.node, "it shows a primitive that leads to nothing")
        title = primitive.node.title
        for link in targets:
            del self._inside.links[link.id]
        self._add_port(title if title and title != PRIMITIVE else widget, ends)
        name = self._inside.ports[-1].name
        held = primitive.node.widgets
        if name in self._values and isinstance(held, list) and held:
            self._values[name] = held[0]
        for index in reversed(indexes):
            self._set(name, index)

    def _add_port(self, base: str, ends: Iterable[tuple[PlacedNode, str]]) -> None:
        inside = self._inside
        self._scopes.effort.spend(len(inside.ports))
        names, name, number = {port.name for port in inside.ports}, base, 1
        while name in names:
            name, number = f"{base}_{number}", number + 1
        port = Port(name, "*", [])
        for node, slot_name in ends:
            link = f"genlock:{len(inside.links)}:{len(inside.ports)}:{len(port.links)}"
            node.connect(slot_name, link)
            inside.links[link] = EditorLink(link, INPUT_NODE, len(inside.ports), node.node.id, 0)
            port.links.append(link)
        inside.ports.append(port)
        value = self._scopes.first_value(inside, port)
        if value is not None:
            self._values[name] = value[0]

    def _normalised(self, proxy: EditorProxy) -> EditorProxy:
        """Return a shown widget without the ids of nodes that older pages put before its name."""
        if self._leads_to_widget(self._inside, proxy.node, proxy.widget):
            return proxy
        name, inside = proxy.widget, proxy.inside
        while True:
            before, mark, after = name.strip().partition(_PREFIX_MARK)
            if not mark or not (before.strip().isascii() and before.strip().isdigit()) or not after.strip():
                return proxy._replace(widget=name, inside=inside)
            name, inside = after.strip(), before.strip()

    def _leads_to_widget(self, scope: Scope, key: str, name: str) -> bool:
        for _ in range(MAX_DEPTH):
            node = scope.nodes.get(key)
            if node is None:
                return False
            subgraph = self._scopes.subgraph_of(node)
            if subgraph is None:
                return node.widget(name) is not None
            target = self._first_target(subgraph, name)
            if target is None:
                return False
            scope, (key, name) = subgraph, target
        return False

    def _first_target(self, scope: Scope, port_name: str) -> tuple[str, str] | None:
        """Return the node and the widget that an input of a subgraph leads to first."""
        port = scope.port(port_name)
        for link in port.links if port is not None else ():
            self._scopes.effort.spend()
            node = scope.nodes.get(scope.links[link].target) if link in scope.links else None
            slot = node.slot_of(link) if node is not None else None
            if node is None or slot is None:
                continue
            if self._scopes.subgraph_of(node) is not None:
                return node.node.id, slot.name
            widget = node.widget(slot.widget)
            if widget is not None:
                return node.node.id, widget.name
        return None

    def _port_to(self, key: str, widget: str) -> Port | None:
        """Return the first input that leads to a widget."""
        target = (key, widget)
        return next(
            (port for port in self._inside.ports if self._first_target(self._inside, port.name) == target), None
        )

    def _slot_shown(self, source: PlacedNode, proxy: EditorProxy) -> str | None:
        """Return the name of the input with the widget that is shown, of a node inside."""
        subgraph = self._scopes.subgraph_of(source)
        if subgraph is None:
            widget: Widget | None = source.widget(proxy.widget)
            return widget.name if widget is not None else None
        self._scopes.effort.spend(len(source.slots))
        for slot in source.slots:
            target = self._first_target(subgraph, slot.name)
            if proxy.inside is not None:
                if target == (proxy.inside, proxy.widget):
                    return slot.name
            elif slot.name == proxy.widget or (target is not None and target[1] == proxy.widget):
                return slot.name
        return None


def _set_aside(entries: Any) -> Iterable[tuple[str, Any]]:
    """Yield values by the names of inputs that a page set aside because it could not place them."""
    for entry in reversed(cast(list[Any], entries)) if isinstance(entries, list) else ():
        fields = cast(dict[str, Any], entry) if isinstance(entry, dict) else {}
        original = fields.get("originalEntry")
        if (
            isinstance(original, list)
            and cast(list[Any], original)[:1] == ["-1"]
            and len(cast(list[Any], original)) > 1
        ):
            yield str(cast(list[Any], original)[1]), fields.get("hostValue")


def _inner_first(file: EditorFile) -> list[EditorGraph]:
    """Return the subgraphs with inner ones first; raise ``Invalid`` for cycles and too much depth."""
    inner = {
        key: {node.type for node in graph.nodes if node.type in file.subgraphs} for key, graph in file.subgraphs.items()
    }
    ordered: list[EditorGraph] = []
    waiting = dict(inner)
    for _ in range(MAX_DEPTH):
        ready = [key for key, others in waiting.items() if not others & waiting.keys()]
        for key in ready:
            del waiting[key]
            ordered.append(file.subgraphs[key])
        if not waiting:
            return ordered
    name = file.subgraphs[min(waiting)].name or min(waiting)
    raise Invalid(
        f"This workflow cannot be converted: the subgraph {name[:80]!r} contains itself or is too deep.",
        hint="Take the subgraph apart in ComfyUI, and save the workflow again.",
        code="unconvertible_workflow",
    )
