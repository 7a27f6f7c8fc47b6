"""The skeleton of a workflow: what stays of its graph when titles, ids, order, and what receipts record are taken away.

Pure. Two graphs with one skeleton are versions of the same workflow to every judgement. The digest is taken of
RFC 8785 of

    {"skeleton": 1, "nodes": [{"class_type": …, "inputs": {name: …}}, …]}

where an input is ``{"value": v}`` or ``{"link": [place of the node in this list, output]}``, and the list is in
canonical order. A value that a receipt records is left out, so that it is also the same whether a graph states it or
leaves the default. One loader that feeds two nodes is not the same as two loaders that look alike: the second could
load another file.
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
        """What a version shows of it."""
        return {"nodes": self.nodes, "classes": self.classes, "outputs": list(self.outputs)}


def read_workflow(content: bytes | bytearray, name: str) -> Workflow:
    """What the API-format graph in ``content`` is; ``Invalid``, naming ``name``, if it is not one."""
    nodes = _reaching(read_graph(read_json(content, name), name), name)
    taken_from = {link.source for node in nodes.values() for link in node.links}
    return Workflow(
        skeleton_digest=_digest(nodes, name),
        nodes=len(nodes),
        classes=dict(sorted(Counter(node.class_type for node in nodes.values()).items())),
        outputs=tuple(sorted(node.class_type for key, node in nodes.items() if key not in taken_from)),
    )


def skeleton_digest(graph: Any, name: str = "The graph") -> Digest:
    """The digest of the skeleton of a graph that was parsed already; ``Invalid`` if it is not one."""
    return _digest(_reaching(read_graph(graph, name), name), name)


def skeleton(graph: Any, name: str = "The graph") -> dict[str, Any]:
    """The skeleton itself, as the JSON that is digested."""
    return _skeleton(_reaching(read_graph(graph, name), name))


def _digest(nodes: Mapping[str, Node], name: str) -> Digest:
    try:
        return digest_of_json(_skeleton(nodes))
    except Invalid as error:
        raise Invalid(f"{name} has no canonical form: {error.message}", hint=error.hint, code=error.code) from error


def _skeleton(nodes: Mapping[str, Node]) -> dict[str, Any]:
    """The skeleton of nodes that all reach an output."""
    primitives = _words_of_primitives(nodes)
    inputs = {key: _plain_inputs(node, primitives.get(key)) for key, node in nodes.items()}
    labels = {key: canonical([node.class_type, inputs[key]]).decode() for key, node in nodes.items()}
    try:
        order = canonical_order(labels, {key: node.links for key, node in nodes.items()})
    except TooSymmetric:
        # The safe side: under its own ids, the graph is equal to fewer others than it might be, never to more.
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


def _plain_inputs(node: Node, primitive: str | None) -> dict[str, Any]:
    """The values of a node's inputs, without those that a receipt records and those that only an editor reads."""
    return {
        name: {"value": value}
        for name, value in node.values.items()
        if not is_editors(node.class_type, name)
        and recorded_as(node.class_type, name, value) is None
        and not (name == "value" and primitive is not None and fits(primitive, value))
    }


def _words_of_primitives(nodes: Mapping[str, Node]) -> dict[str, str]:
    """What receipts record the values of primitives as: what all who take from one record, if they agree."""
    words: defaultdict[str, set[str | None]] = defaultdict(set)
    for node in nodes.values():
        for link in node.links:
            words[link.source].add(word_for(node.class_type, link.input))
    agreed = {key: next(iter(values)) for key, values in words.items() if len(values) == 1}
    return {key: word for key, word in agreed.items() if word is not None and nodes[key].class_type in PRIMITIVES}


def _reaching(nodes: Mapping[str, Node], name: str) -> dict[str, Node]:
    """The nodes that reach an output; ``Invalid`` if there is none.

    Without the server's word, an output is a node that nothing takes from, unless its class is known to make nothing.
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
