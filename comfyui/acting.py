"""Which nodes of a run acted: those that ran, and those whose cached outputs were used by one that did.

ran ──links that reached it──▶ cached ──links that reached it when it ran──▶ cached …
a saver that answers from the cache ──▶ cached …
anything else in the graph: idle, such as a branch that a switch did not take
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from .runs import Run
from .watching import NodeRun

Graph = Mapping[str, Any]


def acting_nodes(run: Run) -> None:
    """Decide which nodes of an ended run acted, and fold those that were expanded into the node they came from."""
    graph = run.graph
    expanded = {**graph, **{key: node for key, (_, node) in run.expanded.items()}}
    used = used_from_cache(expanded, run.nodes, run.hits, run.reached)
    run.nodes = {key: node for key, node in run.nodes.items() if node.ran}
    for key in [key for key in run.nodes if key not in graph]:
        _fold(run, key, run.nodes.pop(key))
    for key in [key for key in used if key not in graph]:
        node = used.pop(key)
        if node is not None:
            _fold(run, key, node)
    run.cached = {key: () if node is None else tuple(node.everything()) for key, node in used.items()}
    run.unproven = tuple(sorted(key for key, node in used.items() if node is None))
    run.idle = tuple(sorted(key for key in graph if key not in run.nodes and key not in run.cached))
    run.idle_inputs = {key: names for key in graph if (names := idle_inputs(run, key))}


def used_from_cache(
    graph: Graph, nodes: Mapping[str, NodeRun], hits: Mapping[str, NodeRun | None], reached: set[str]
) -> dict[str, NodeRun | None]:
    """Return the cached nodes that were used, with the node run that made each where it is known. Pure."""
    used: dict[str, NodeRun | None] = {}
    ran = {key for key, node in nodes.items() if node.ran}
    waiting = [*ran, *(key for key in reached if key in hits and key not in ran)]
    used.update({key: hits[key] for key in waiting if key not in ran})
    while waiting:
        key = waiting.pop()
        maker = nodes[key] if key in ran else hits[key]
        for source in sources_of(graph.get(key), frozenset() if maker is None else maker.lacks):
            if source not in ran and source not in used and source in hits:
                used[source] = hits[source]
                waiting.append(source)
    return used


def sources_of(node: Any, lacks: frozenset[str]) -> Iterator[str]:
    """Yield the nodes that a node is linked to, except through inputs that did not reach it."""
    for name, value in links_of(node):
        if name not in lacks:
            yield value


def links_of(node: Any) -> Iterator[tuple[str, str]]:
    """Yield the linked inputs of a node of the graph, each with the node that it comes from."""
    inputs: Any = cast("dict[str, Any]", node).get("inputs") if isinstance(node, dict) else None
    for name, value in cast("dict[str, Any]", inputs).items() if isinstance(inputs, dict) else ():
        link = cast("list[Any]", value) if isinstance(value, list) else []
        if len(link) == 2 and isinstance(link[0], (str, int)) and isinstance(link[1], (int, float)):
            yield name, str(link[0])


def idle_inputs(run: Run, key: str) -> list[str]:
    """Return the links of a node that acted which did not reach it."""
    makers = [run.nodes[key]] if key in run.nodes else list(run.cached.get(key, ()))[:1]
    lacks = makers[0].lacks if makers else frozenset[str]()
    return sorted(name for name, _ in links_of(run.graph.get(key)) if name in lacks)


def _fold(run: Run, key: str, node: NodeRun) -> None:
    """Add a node that another one was expanded into to that one's record."""
    parent = key
    while parent in run.expanded and parent not in run.graph:
        parent = run.expanded[parent][0]
    above = run.nodes.get(parent)
    if above is not None and not any(node is other for other in above.everything()):
        above.inner.append(node)
