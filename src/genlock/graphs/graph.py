"""The graph of a workflow in ComfyUI's API format, read strictly: nodes, their values, and the links between them.

    {"3": {"class_type": "KSampler", "inputs": {"seed": 42, "model": ["1", 0]}, "_meta": …}}

A value is anything but a link; a link is ``[id of a node, number of its output]``. Whatever else a node carries
(titles, positions, colours, what a server added while it ran) is not read.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from genlock.errors import Invalid

MAX_NODES = 5000
MAX_DEPTH = 32
MAX_EXACT = 2**53
_EXPORT = "In ComfyUI choose File › Export (API), in older versions Save (API format), and register that file."


class Link(NamedTuple):
    """One input of a node that takes output ``slot`` of the node ``source``."""

    input: str
    source: str
    slot: int


class Node(NamedTuple):
    """One node; ``values`` are normalised (4.0 is 4) and ``links`` are in the order of their inputs' names."""

    class_type: str
    values: Mapping[str, Any]
    links: tuple[Link, ...]


def read_graph(value: Any, name: str) -> dict[str, Node]:
    """The nodes by id, every node after those that it takes from; ``Invalid``, naming ``name``, if it is no graph."""
    if not isinstance(value, dict):
        raise _refused(name, "it is not a JSON object")
    found = cast(dict[str, Any], value)
    if isinstance(found.get("nodes"), list):
        raise _refused(name, "it is the editor's format, which leaves out what the server runs")
    if isinstance(found.get("prompt"), dict) and "class_type" not in found["prompt"]:
        raise _refused(name, 'it is a request that holds a graph under "prompt"', "Register that graph alone.")
    if len(found) > MAX_NODES:
        raise _refused(name, f"it has more than {MAX_NODES:,} nodes")
    nodes = {key: _node(key, entry, name) for key, entry in found.items()}
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
    """The link that ``given`` is, by ComfyUI's own test, or None if it is a value."""
    if not isinstance(given, list):
        return None
    parts = cast(list[Any], given)
    if len(parts) != 2 or not isinstance(parts[0], str) or type(parts[1]) not in (int, float):
        return None
    if not 0 <= parts[1] <= MAX_EXACT or int(parts[1]) != parts[1]:
        raise _refused(name, f"{field[:80]!r} takes an output that no node can have")
    return Link(field, parts[0], int(parts[1]))


def _normalised(value: Any, name: str, depth: int = 0) -> Any:
    """``value`` with one spelling for each number, in a form that RFC 8785 can write whatever it is."""
    if depth > MAX_DEPTH:
        raise _refused(name, "a value in it is nested too deeply")
    if isinstance(value, dict):
        entries = cast(dict[str, Any], value)
        # Marked, so that no object in a file can be taken for the mark of a large integer below.
        return {"object": {key: _normalised(item, name, depth + 1) for key, item in entries.items()}}
    if isinstance(value, list):
        return [_normalised(item, name, depth + 1) for item in cast(list[Any], value)]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int and abs(value) > MAX_EXACT:
        return {"integer": str(value)}
    return value


def _sources_first(nodes: Mapping[str, Node], name: str) -> dict[str, Node]:
    """``nodes`` with each after its sources; ``Invalid`` if they go in a circle."""
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
        circle = sorted(key for key, count in waiting.items() if count)
        raise _refused(name, f"nodes go in a circle, {circle[0][:80]!r} among them or behind them")
    return {key: nodes[key] for key in ready}


def _refused(name: str, reason: str, hint: str = _EXPORT) -> Invalid:
    return Invalid(f"{name} is not a workflow in API format: {reason}.", hint=hint, code="bad_workflow")
