"""A workflow as ComfyUI's page saves it: nodes with their widgets' values, links, and definitions of subgraphs.

    {"nodes": [{"id": 3, "type": "KSampler", "inputs": […], "widgets_values": [42, …]}], "links": [[1, 4, 0, 3, 0, …]],
     "definitions": {"subgraphs": [{"id": "…", "nodes": […], "links": [{"id": 1, …}], "inputs": […]}]}}

Read strictly into frozen values. Links are lists or objects, widgets' values lists or objects by name. What is only
seen (positions, colours, groups, reroute points) is not read.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from genlock.errors import Invalid
from genlock.graphs.graph import MAX_NODES
from genlock.graphs.json_parts import as_list, as_object

MAX_LINKS = 50_000
MAX_SLOTS = 2_000
MAX_SUBGRAPHS = 1_000
_MAX_TEXT = 1_000

INPUT_NODE, OUTPUT_NODE = "-10", "-20"
"""The ids of the two ends of a subgraph: where its links come from, and where they go to."""

MUTED, BYPASSED = 2, 4
"""Modes of a node that does not act: it gives nothing, or passes on what it takes."""


class EditorSlot(NamedTuple):
    """An input of a node: its link, and the widget whose value the link replaces."""

    name: str
    type: str
    link: str | None
    widget: str | None


class EditorProxy(NamedTuple):
    """A widget inside of a subgraph that the node of the subgraph shows."""

    node: str
    widget: str
    inside: str | None = None
    """The node in a subgraph within, where several have a widget of this name."""


class EditorNode(NamedTuple):
    """A node as the page saves it."""

    id: str
    type: str
    """A class, or the id of a subgraph."""
    mode: int
    title: str
    inputs: tuple[EditorSlot, ...]
    outputs: tuple[str, ...]
    """Types."""
    widgets: list[Any] | dict[str, Any] | None
    properties: Mapping[str, Any]
    proxies: tuple[EditorProxy, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether it is neither muted nor bypassed."""
        return self.mode not in (MUTED, BYPASSED)

    def __str__(self) -> str:
        return f"node {self.id[:80]} ({self.type[:80]})"


class EditorLink(NamedTuple):
    """A link between two nodes of one graph."""

    id: str
    origin: str
    origin_slot: int
    target: str
    target_slot: int


class EditorPort(NamedTuple):
    """An input or output of a subgraph, with its links inside."""

    name: str
    type: str
    links: tuple[str, ...]


class EditorGraph(NamedTuple):
    """The graph of a file or of a subgraph."""

    id: str
    name: str
    nodes: tuple[EditorNode, ...]
    links: Mapping[str, EditorLink]
    inputs: tuple[EditorPort, ...] = ()
    outputs: tuple[EditorPort, ...] = ()


class EditorFile(NamedTuple):
    """A workflow, and its subgraphs by id."""

    root: EditorGraph
    subgraphs: Mapping[str, EditorGraph]

    @property
    def class_types(self) -> frozenset[str]:
        """The types of all nodes, those inside of subgraphs included."""
        graphs = (self.root, *self.subgraphs.values())
        return frozenset(node.type for graph in graphs for node in graph.nodes if node.type not in self.subgraphs)


def is_editor_file(value: Any) -> bool:
    """Return whether ``value`` is in the form that ComfyUI's page saves, and not a graph in API format."""
    return isinstance(value, dict) and isinstance(cast(dict[str, Any], value).get("nodes"), list)


def read_editor_file(value: Any, name: str) -> EditorFile:
    """Return the workflow in ``value``; raise ``Invalid``, with ``name``, if it is not one that the page saved."""
    try:
        return _file(as_object(value))
    except ValueError as error:
        raise Invalid(
            f"{name} is not a workflow that ComfyUI's page saved: {error}.",
            hint="Open it in ComfyUI and save it again, or choose File › Export (API) and use that file.",
            code="bad_workflow",
        ) from error


def _file(fields: dict[str, Any]) -> EditorFile:
    definitions = as_list(as_object(fields.get("definitions")).get("subgraphs"))
    if len(definitions) > MAX_SUBGRAPHS:
        raise ValueError(f"it has more than {MAX_SUBGRAPHS:,} subgraphs")
    entries = [as_object(entry) for entry in definitions]
    _require_unique((_id(entry.get("id")) for entry in entries), "subgraph")
    graphs = [fields, *entries]
    if sum(len(as_list(graph.get("nodes"))) for graph in graphs) > MAX_NODES:
        raise ValueError(f"it has more than {MAX_NODES:,} nodes")
    if sum(len(as_list(graph.get("links"))) for graph in graphs) > MAX_LINKS:
        raise ValueError(f"it has more than {MAX_LINKS:,} links")
    if any(as_list(as_object(entry.get("definitions")).get("subgraphs")) for entry in entries):
        raise ValueError("a subgraph holds the definitions of others, which older pages saved")
    last = as_object(fields.get("state")).get("lastNodeId", fields.get("last_node_id"))
    return _with_own_ids(
        _graph(fields, ""),
        [_graph(entry, _id(entry.get("id"))) for entry in entries],
        last if isinstance(last, int) else 0,
    )


def _graph(fields: dict[str, Any], graph_id: str) -> EditorGraph:
    nodes = tuple(_node(as_object(entry)) for entry in as_list(fields.get("nodes")))
    _require_unique((node.id for node in nodes), "node")
    links = [_link(entry) for entry in as_list(fields.get("links")) if entry is not None]
    return EditorGraph(
        id=graph_id,
        name=_text(fields.get("name") or ""),
        nodes=nodes,
        links={link.id: link for link in links},
        inputs=_ports(fields.get("inputs")),
        outputs=_ports(fields.get("outputs")),
    )


def _node(fields: dict[str, Any]) -> EditorNode:
    kind = fields.get("type")
    if not isinstance(kind, str) or not kind:
        raise ValueError(f"node {_id(fields.get('id'))[:80]} has no type")
    widgets = fields.get("widgets_values")
    if not isinstance(widgets, list | dict):
        widgets = fields.get("widgets_values_named")
    mode, properties = fields.get("mode"), as_object(fields.get("properties"))
    return EditorNode(
        id=_id(fields.get("id")),
        type=_text(kind),
        mode=mode if isinstance(mode, int) else 0,
        title=fields["title"] if isinstance(fields.get("title"), str) else "",
        inputs=tuple(_slot(as_object(entry)) for entry in _slots(fields.get("inputs"))),
        outputs=tuple(_type(as_object(entry).get("type")) for entry in _slots(fields.get("outputs"))),
        widgets=cast(list[Any] | dict[str, Any], widgets) if isinstance(widgets, list | dict) else None,
        properties=properties,
        proxies=_proxies(properties.get("proxyWidgets")),
    )


def _proxies(value: Any) -> tuple[EditorProxy, ...]:
    """Return what older pages saved of the widgets that a subgraph shows; nothing unless it is what they saved."""
    entries = _slots(value) if isinstance(value, list) else []
    proxies = [cast(list[Any], entry) for entry in entries if isinstance(entry, list)]
    if len(proxies) < len(entries) or not all(len(proxy) in (2, 3) and _texts(proxy) for proxy in proxies):
        return ()
    return tuple(EditorProxy(*proxy) for proxy in proxies)


def _texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) and len(value) <= _MAX_TEXT for value in values)


def _slot(fields: dict[str, Any]) -> EditorSlot:
    link, widget = fields.get("link"), fields.get("widget")
    name = cast(dict[str, Any], widget).get("name") if isinstance(widget, dict) else None
    return EditorSlot(
        _text(fields.get("name") or ""),
        _type(fields.get("type")),
        None if link is None else _id(link),
        _text(name) if isinstance(name, str) else None,
    )


def _link(entry: Any) -> EditorLink:
    if isinstance(entry, list):
        parts = cast(list[Any], entry)
        if len(parts) < 5:
            raise ValueError("a link of it has no end")
    else:
        fields = as_object(entry)
        parts = [fields.get(key) for key in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
    return EditorLink(_id(parts[0]), _id(parts[1]), _number(parts[2]), _id(parts[3]), _number(parts[4]))


def _ports(value: Any) -> tuple[EditorPort, ...]:
    entries = [as_object(entry) for entry in _slots(value)]
    return tuple(
        EditorPort(
            _text(entry.get("name") or ""),
            _type(entry.get("type")),
            tuple(map(_id, _slots(entry.get("linkIds"), MAX_LINKS))),
        )
        for entry in entries
    )


def _with_own_ids(root: EditorGraph, subgraphs: list[EditorGraph], last: int) -> EditorFile:
    """Return the file with a different id for each node, as the page gives new ids to nodes that share one."""
    used = {node.id for node in root.nodes}
    renamed: dict[str, dict[str, str]] = {}
    for graph in subgraphs:
        new_ids = renamed.setdefault(graph.id, {})
        for node in graph.nodes:
            if node.id not in used:
                last = max(last, int(node.id)) if node.id.isascii() and node.id.isdigit() else last
                used.add(node.id)
                continue
            last += 1
            while str(last) in used:
                last += 1
            new_ids[node.id] = str(last)
            used.add(str(last))
    return EditorFile(
        _renamed(root, {}, renamed), {graph.id: _renamed(graph, renamed[graph.id], renamed) for graph in subgraphs}
    )


def _renamed(graph: EditorGraph, new_ids: Mapping[str, str], renamed: Mapping[str, Mapping[str, str]]) -> EditorGraph:
    nodes = tuple(
        node._replace(
            id=new_ids.get(node.id, node.id),
            proxies=tuple(
                proxy._replace(node=renamed.get(node.type, {}).get(proxy.node, proxy.node)) for proxy in node.proxies
            ),
        )
        for node in graph.nodes
    )
    links = {
        key: link._replace(origin=new_ids.get(link.origin, link.origin), target=new_ids.get(link.target, link.target))
        for key, link in graph.links.items()
    }
    return graph._replace(nodes=nodes, links=links)


def _require_unique(ids: Iterable[str], what: str) -> None:
    unique: set[str] = set()
    for key in ids:
        if key in unique:
            raise ValueError(f"it has two {what}s with the id {key[:80]}")
        unique.add(key)


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not 1 <= len(str(value)) <= 200:
        raise ValueError("a node, link or subgraph of it has no id")
    return str(value)


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a link of it has no slot")
    return int(value)


def _type(value: Any) -> str:
    """Return the type of a slot: a text; a list of options is ``COMBO``, and the page's number 0 any type."""
    if isinstance(value, list):
        return "COMBO"
    return _text(value) if isinstance(value, str) and value else "*"


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError("a name in it is not a text")
    return value


def _slots(value: Any, most: int = MAX_SLOTS) -> list[Any]:
    entries = as_list(value)
    if len(entries) > most:
        raise ValueError(f"a node of it has more than {most:,} inputs or outputs")
    return entries
