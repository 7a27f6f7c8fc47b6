"""The skeleton of a workflow: its graph without titles, ids, order, and the values that receipts record.

Pure. Two graphs with the same skeleton are equal versions of a workflow. The digest is of RFC 8785 of

    {"skeleton": 1, "nodes": [{"class_type": …, "inputs": {name: …}}, …]}

where an input is ``{"value": v}`` or ``{"link": [index of the node in this list, output]}``, and the list is in
canonical order. Values that a receipt records are left out, so a graph that states one equals a graph that uses the
default. One loader that feeds two nodes is not equal to two identical loaders: the second could load another file.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from genlock.digest import Digest, canonical, digest_of_json
from genlock.errors import Invalid
from genlock.graphs.graph import Node, read_graph
from genlock.graphs.meanings import PRIMITIVES, fits, is_editors, is_silent, recorded_as, word_for
from genlock.graphs.strict_json import read_json
from genlock.library.labelling import TooSymmetric, canonical_order
from genlock.model import Model

RULE = 1
MAX_WORKFLOW_BYTES = 8 * 2**20


class Workflow(Model):
    """A workflow file: the digest of its skeleton, and the number of nodes of each class that reach an output."""

    skeleton_digest: Digest
    nodes: int
    classes: dict[str, int]
    outputs: tuple[str, ...]

    def details(self) -> dict[str, Any]:
        """Return the details of a version."""
        return {"nodes": self.nodes, "classes": self.classes, "outputs": list(self.outputs)}


def read_workflow(content: bytes | bytearray, name: str) -> Workflow:
    """Parse the API-format graph in ``content``. Raise ``Invalid``, naming ``name``, if it is not one."""
    nodes = _reaching(read_graph(read_json(content, name), name), name)
    taken_from = {link.source for node in nodes.values() for link in node.links}
    return Workflow(
        skeleton_digest=_digest(nodes, name),
        nodes=len(nodes),
        classes=dict(sorted(Counter(node.class_type for node in nodes.values()).items())),
        outputs=tuple(sorted(node.class_type for key, node in nodes.items() if key not in taken_from)),
    )


def skeleton_digest(graph: Any, name: str = "The graph") -> Digest:
    """Return the digest of a parsed graph's skeleton. Raise ``Invalid`` if the graph is not one in API format."""
    return _digest(_reaching(read_graph(graph, name), name), name)


def skeleton(graph: Any, name: str = "The graph") -> dict[str, Any]:
    """Return the skeleton as the JSON that is digested."""
    return _skeleton(_reaching(read_graph(graph, name), name))


def _digest(nodes: Mapping[str, Node], name: str) -> Digest:
    try:
        return digest_of_json(_skeleton(nodes))
    except Invalid as error:
        raise Invalid(f"{name} has no canonical form: {error.message}", hint=error.hint, code=error.code) from error


def _skeleton(nodes: Mapping[str, Node]) -> dict[str, Any]:
    """Return the skeleton of nodes that all reach an output."""
    primitives = _primitive_parameters(nodes)
    inputs = {key: _unrecorded_inputs(node, primitives.get(key)) for key, node in nodes.items()}
    labels = {key: canonical([node.class_type, inputs[key]]).decode() for key, node in nodes.items()}
    try:
        order = canonical_order(labels, {key: node.links for key, node in nodes.items()})
    except TooSymmetric:
        # Ordered by its own ids, the graph may equal fewer others than it should, but never more.
        order = tuple(sorted(nodes))
    places = {key: place for place, key in enumerate(order)}
    return {
        "skeleton": RULE,
        "nodes": [
            {
                "class_type": nodes[key].class_type,
                "inputs": inputs[key]
                | {link.input: {"link": [places[link.source], link.slot]} for link in nodes[key].links},
            }
            for key in order
        ],
    }


def _unrecorded_inputs(node: Node, primitive: str | None) -> dict[str, Any]:
    """Return the values of a node's inputs, without those that a receipt records or only an editor reads."""
    return {
        name: {"value": value}
        for name, value in node.values.items()
        if not is_editors(node.class_type, name)
        and recorded_as(node.class_type, name, value) is None
        and not (name == "value" and primitive is not None and fits(primitive, value))
    }


def _primitive_parameters(nodes: Mapping[str, Node]) -> dict[str, str]:
    """Return the parameter that each primitive's value is recorded as, if all its consumers agree."""
    words: defaultdict[str, set[str | None]] = defaultdict(set)
    for node in nodes.values():
        for link in node.links:
            words[link.source].add(word_for(node.class_type, link.input))
    agreed = {key: next(iter(values)) for key, values in words.items() if len(values) == 1}
    return {key: word for key, word in agreed.items() if word is not None and nodes[key].class_type in PRIMITIVES}


def _reaching(nodes: Mapping[str, Node], name: str) -> dict[str, Node]:
    """Return the nodes that reach an output. Raise ``Invalid`` if there are none.

    Without the server's node list, an output is a node without consumers, unless its class is known to have no effect.
    """
    consumers: defaultdict[str, set[str]] = defaultdict(set)
    for key, node in nodes.items():
        for link in node.links:
            consumers[link.source].add(key)
    reaching: set[str] = set()
    for key in reversed(tuple(nodes)):
        is_output = not consumers[key] and not is_silent(nodes[key].class_type)
        if is_output or not reaching.isdisjoint(consumers[key]):
            reaching.add(key)
    if not reaching:
        raise Invalid(
            f"{name} makes nothing: no node in it saves or shows a result.",
            hint="Add a node that saves the video or image, and export the workflow again.",
            code="bad_workflow",
        )
    return {key: node for key, node in nodes.items() if key in reaching}
