"""Which node saves the result: of several savers, one is the video, and the others are extra outputs. Pure.

The rule, in this order: a class that is known to save videos, before one that is not; what is saved, never what is only
shown; the saver that most of the graph leads to, since a first pass leads to the last; the first output of a node
before its others; the lowest id.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from genlock.engines.comfyui.places import ExtraOutput
from genlock.engines.model import Produces
from genlock.errors import Invalid
from genlock.graphs.known.savers import SAVERS
from genlock.graphs.node_definition import NodeDefinition
from genlock.graphs.uses import Reading
from genlock.graphs.wiring import Wiring

_MOST_COMPARED = 30

Definitions = Mapping[str, NodeDefinition]


def saver_of(
    graph: Mapping[str, Any], reading: Reading, produces: Produces, name: str, definitions: Definitions | None
) -> str:
    """Return the node that saves the result; raise ``Invalid``, with the workflow's ``name``, if there is none."""
    savers = [use for use in reading.outputs if _saves(graph, use.node, use.class_type) == produces]
    others = [use for use in reading.outputs if use.prefix is not None and use.class_type not in SAVERS]
    candidates = [use.node for use in savers or others]
    if not candidates:
        what = "video" if produces == "video" else "picture"
        examples = [class_type for class_type, saver in SAVERS.items() if saver.saves == produces]
        raise Invalid(
            f"No node of {name} is known to save a {what}.",
            hint=f"Add {' or '.join(sorted(examples)[:4])}, or name the node that does: bindings with "
            '{"output": "its id"}.',
            code="cannot_bind",
        )
    if len(candidates) == 1:
        return candidates[0]
    candidates = candidates[:_MOST_COMPARED]
    return max(candidates, key=lambda node: _rank(graph, node, candidates, name, definitions))


def extra_outputs(reading: Reading, output: str) -> tuple[ExtraOutput, ...]:
    """Return the other nodes of a whole graph that save or show something."""
    return tuple(ExtraOutput(node=use.node, class_type=use.class_type) for use in reading.outputs if use.node != output)


def _saves(graph: Mapping[str, Any], node: str, class_type: str) -> str | None:
    saver = SAVERS.get(class_type)
    if saver is None:
        return None
    is_shown = graph[node]["inputs"].get("save_output") is False
    return "preview" if is_shown and saver.saves == "video" else saver.saves


def _rank(
    graph: Mapping[str, Any], node: str, candidates: Sequence[str], name: str, definitions: Definitions | None
) -> tuple[Any, ...]:
    wiring = Wiring(graph, node, name, definitions)
    slots = [link.slot for link in wiring.nodes[node].links]
    return len(wiring.nodes), -min(slots, default=0), -candidates.index(node)
