"""The graph of a workflow in ComfyUI's API format, read strictly: nodes, their values, and the links between them.

    {"3": {"class_type": "KSampler", "inputs": {"seed": 42, "model": ["1", 0]}, "_meta": …}}

A link is ``[id of a node, number of its output]``, and anything else is a value. The other fields of a node
(titles, positions, colours, a server's additions during a run) are not read.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from genlock.errors import Invalid

MAX_NODES = 5000
MAX_DEPTH = 32
MAX_EXACT = 2**53
_EXPORT = "In ComfyUI choose File › Export (API), in older versions Save (API format), and register that file."


class Link(NamedTuple):
    """An input of a node that takes output ``slot`` of the node ``source``."""

    input: str
    source: str
    slot: int


class Node(NamedTuple):
    """A node; ``values`` are normalised (4.0 is 4), ``links`` are in the order of their inputs' names."""

    class_type: str
    values: Mapping[str, Any]
    links: tuple[Link, ...]


def read_graph(value: Any, name: str) -> dict[str, Node]:
    """Return the nodes by id, each after its sources; raise ``Invalid``, with ``name``, if it is not a graph."""
    if not isinstance(value, dict):
        raise _refused(name, "it is not a JSON object")
    entries = cast(dict[str, Any], value)
    if isinstance(entries.get("nodes"), list):
        raise _refused(name, "it is the editor's format, which leaves out what the server runs")
    if isinstance(entries.get("prompt"), dict) and "class_type" not in entries["prompt"]:
        raise _refused(name, 'it is a request that holds a graph under "prompt"', "Register only that graph.")
    if len(entries) > MAX_NODES:
        raise _refused(name, f"it has more than {MAX_NODES:,} nodes")
    nodes = {key: _node(key, entry, name) for key, entry in entries.items()}
    for key, node in nodes.items():
        for link in node.links:
            if link.source not in nodes:
                raise _refused(name, f"node {key[:80]!r} takes {link.input[:80]!r} from a node that is not there")
    return _sources_first(nodes, name)


def _node(key: str, entry: Any, name: str) -> Node:
    if not isinstance(entry, dict):
        raise _refused(name, f"{key[:80]!r} is not a node")
    fields = cast(dict[str, Any], entry)
    class_type, inputs = fields.get("class_type"), fields.get("inputs", {})
    if not isinstance(class_type, str) or not class_type.isprintable() or not 1 <= len(class_type) <= 200:
        raise _refused(name, f"node {key[:80]!r} has no class_type")
    if not isinstance(inputs, dict):
        raise _refused(name, f"the inputs of node {key[:80]!r} are not an object")
    values: dict[str, Any] = {}
    links: list[Link] = []
    for field, given in cast(dict[str, Any], inputs).items():
        link = _link(field, given, name)
        if link is None:
            values[field] = _normalised(given, name)
        else:
            links.append(link)
    return Node(class_type, values, tuple(sorted(links)))


def _link(field: str, given: Any, name: str) -> Link | None:
    """Return ``given`` as a link, by ComfyUI's own test, or None if it is a value."""
    if not isinstance(given, list):
        return None
    parts = cast(list[Any], given)
    if len(parts) != 2 or not isinstance(parts[0], str) or type(parts[1]) not in (int, float):
        return None
    if not 0 <= parts[1] <= MAX_EXACT or int(parts[1]) != parts[1]:
        raise _refused(name, f"{field[:80]!r} takes an output that no node can have")
    return Link(field, parts[0], int(parts[1]))


def _normalised(value: Any, name: str, depth: int = 0) -> Any:
    """Return ``value`` with one spelling for each number, in a form that RFC 8785 can always write."""
    if depth > MAX_DEPTH:
        raise _refused(name, "a value in it is nested too deeply")
    if isinstance(value, dict):
        entries = cast(dict[str, Any], value)
        # Marked, so that no object in a file is mistaken for the mark of a large integer below.
        return {"object": {key: _normalised(item, name, depth + 1) for key, item in entries.items()}}
    if isinstance(value, list):
        return [_normalised(item, name, depth + 1) for item in cast(list[Any], value)]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int and abs(value) > MAX_EXACT:
        return {"integer": str(value)}
    return value


def _sources_first(nodes: Mapping[str, Node], name: str) -> dict[str, Node]:
    """Return ``nodes`` with each after its sources; raise ``Invalid`` if they form a cycle."""
    waiting = {key: len(node.links) for key, node in nodes.items()}
    consumers: dict[str, list[str]] = {key: [] for key in nodes}
    for key, node in nodes.items():
        for link in node.links:
            consumers[link.source].append(key)
    ready = [key for key, count in waiting.items() if not count]
    for key in ready:
        for consumer in consumers[key]:
            waiting[consumer] -= 1
            if not waiting[consumer]:
                ready.append(consumer)
    if len(ready) < len(nodes):
        cycle = sorted(key for key, count in waiting.items() if count)
        raise _refused(name, f"its nodes form a cycle, {cycle[0][:80]!r} in it or after it")
    return {key: nodes[key] for key in ready}


def _refused(name: str, reason: str, hint: str = _EXPORT) -> Invalid:
    return Invalid(f"{name} is not a workflow in API format: {reason}.", hint=hint, code="bad_workflow")
