"""Reads a workflow: API-format JSON to nodes with validated classes, inputs, links and values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, NoReturn, cast

from genlock.digest import canonical
from genlock.engines.sketch.classes import CLASSES, Link, Value
from genlock.errors import Invalid

MAX_GRAPH_BYTES = 2 * 2**20
MAX_NODES = 500
_API_FORMAT = 'Export the workflow in API format: {"1": {"class_type": "SketchLoadModel", "inputs": {…}}, …}.'


@dataclass(frozen=True)
class Node:
    """A node: its links by input name (the source's id) and its values by input name."""

    id: str
    class_type: str
    links: Mapping[str, str]
    values: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The name of this node in messages."""
        return f"node {self.id} ({self.class_type})"

    def with_values(self, **values: Any) -> "Node":
        """Return this node with some values changed."""
        return replace(self, values={**self.values, **values})


@dataclass(frozen=True)
class Graph:
    """Nodes by id, each after its sources."""

    nodes: Mapping[str, Node]

    def of_class(self, *class_types: str) -> tuple[Node, ...]:
        """Return the nodes of some classes, in the order they run."""
        return tuple(node for node in self.nodes.values() if node.class_type in class_types)

    def that_reaches(self, node_id: str) -> "Graph":
        """Return the subgraph of the nodes that a node needs, itself included."""
        needed = {node_id}
        for node in reversed(tuple(self.nodes.values())):
            if node.id in needed:
                needed.update(node.links.values())
        return Graph({key: node for key, node in self.nodes.items() if key in needed})

    def written(self) -> bytes:
        """Return the graph in API format, as canonical JSON."""
        return canonical(
            {
                node.id: {
                    "class_type": node.class_type,
                    "inputs": {**node.values, **{name: [source, 0] for name, source in node.links.items()}},
                }
                for node in self.nodes.values()
            }
        )


def in_order(nodes: Mapping[str, Node]) -> Graph:
    """Sort the nodes topologically. Raise ``Invalid``, naming the nodes, if there is a cycle."""
    sorter = TopologicalSorter({node.id: sorted(node.links.values()) for node in nodes.values()})
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        circle = cast(list[str], error.args[1])
        raise _refused(
            f"The workflow goes round in a circle: {' → '.join(nodes[key].label for key in reversed(circle))}.",
            "Cut one of these links.",
        ) from error
    return Graph({key: nodes[key] for key in order})


def read_graph(content: bytes) -> Graph:
    """Parse a workflow in API format. Raise ``Invalid``, naming the node, for what the engine cannot run."""
    if len(content) > MAX_GRAPH_BYTES:
        raise _refused(f"The workflow has {len(content)} bytes; at most {MAX_GRAPH_BYTES} are read.", _API_FORMAT)
    try:
        parsed = json.loads(content, object_pairs_hook=_once_each, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _refused(f"The workflow is not valid JSON: {error}.", _API_FORMAT) from error
    if not isinstance(parsed, dict) or not parsed:
        raise _refused("The workflow is not an object of nodes.", _API_FORMAT)
    written = cast(dict[str, Any], parsed)
    if isinstance(written.get("nodes"), list):
        raise _refused("The workflow was saved in the editor's format, with positions, not to be run.", _API_FORMAT)
    if len(written) > MAX_NODES:
        raise _refused(f"The workflow has {len(written)} nodes; at most {MAX_NODES} are read.", _API_FORMAT)
    nodes = {key: _read_node(key, value) for key, value in written.items()}
    for node in nodes.values():
        _check_links(node, nodes)
    return in_order(nodes)


def _read_node(node_id: str, written: Any) -> Node:
    fields = cast(dict[str, Any], written) if isinstance(written, dict) else {}
    class_type, inputs = fields.get("class_type"), fields.get("inputs", {})
    if not isinstance(class_type, str) or not isinstance(inputs, dict):
        raise _refused(f"Node {node_id[:80]} has no class_type, or its inputs are not an object.", _API_FORMAT)
    node = Node(node_id, class_type, {}, {})
    if class_type not in CLASSES:
        raise _refused(
            f"The sketch engine has no class {class_type[:80]!r}, which node {node_id[:80]} names.",
            f"Its classes are {', '.join(CLASSES)}.",
        )
    expected = CLASSES[class_type].inputs
    links: dict[str, str] = {}
    values = {name: kind.default for name, kind in expected.items() if isinstance(kind, Value)}
    for name, value in cast(dict[str, Any], inputs).items():
        kind = expected.get(name)
        if kind is None:
            raise _refused(f"{_start(node)} has no input {name[:80]!r}.", f"Its inputs are {', '.join(expected)}.")
        if isinstance(kind, Link):
            links[name] = _source(node, name, value)
        else:
            values[name] = checked(kind, value, f"The input {name!r} of {node.label}")
    return replace(node, links=links, values={name: value for name, value in values.items() if value is not None})


def checked(kind: Value, value: Any, what: str) -> Any:
    """Return the value as the engine uses it. Raise ``Invalid`` with what is allowed if it is not valid."""
    try:
        return kind.check(value)
    except ValueError as error:
        shown = value if isinstance(value, str | int | float | bool) else type(value).__name__
        raise Invalid(
            f"{what} cannot be {str(shown)[:80]!r}.",
            hint=f"Give {error}.",
            code="invalid_value",
        ) from error


def _source(node: Node, name: str, value: Any) -> str:
    parts = cast(list[Any], value) if isinstance(value, list) else []
    if len(parts) != 2 or not isinstance(parts[0], str) or parts[1] != 0:
        raise _refused(
            f"The input {name!r} of {node.label} must be a link to another node.", 'A link is written ["1", 0].'
        )
    return parts[0]


def _check_links(node: Node, nodes: Mapping[str, Node]) -> None:
    for name, kind in CLASSES[node.class_type].inputs.items():
        if not isinstance(kind, Link):
            continue
        source = node.links.get(name)
        if source is None:
            if kind.required:
                raise _refused(f"The input {name!r} of {node.label} has no link.", f"Link it to a {kind.wire}.")
            continue
        if source not in nodes:
            raise _refused(
                f"The input {name!r} of {node.label} is linked to node {source[:80]}, which does not exist.",
                f"Link it to a node that gives a {kind.wire}.",
            )
        given = CLASSES[nodes[source].class_type].gives
        if given is not kind.wire:
            raise _refused(
                f"The input {name!r} of {node.label} comes from {nodes[source].label}: that is {given or 'nothing'}.",
                f"Link it to a node that gives a {kind.wire}.",
            )


def _start(node: Node) -> str:
    return node.label[0].upper() + node.label[1:]


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in fields:
            raise ValueError(f"the key {key[:80]!r} appears twice")
        fields[key] = value
    return fields


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number in JSON")


def _refused(message: str, hint: str) -> Invalid:
    return Invalid(message, hint=hint, code="invalid_workflow")
