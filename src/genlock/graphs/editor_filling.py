"""A workflow as ComfyUI's page saved it, with the values of a graph that runs put in: the same run, to be opened there.

    graph: "12:5".seed = 7      the file: the widget of node 5, or of the node of the subgraph that shows it

The result is proven: it is converted again, and returned only if that gives the values of the graph.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, cast

from genlock.errors import Invalid
from genlock.graphs.editor_conversion import Conversion, Holder
from genlock.graphs.editor_file import read_editor_file
from genlock.graphs.node_definition import NodeDefinition

Graph = Mapping[str, Mapping[str, Any]]


def filled(saved: Any, definitions: Mapping[str, NodeDefinition], graph: Graph, name: str) -> dict[str, Any] | None:
    """Return ``saved`` with the values of ``graph``, which was made of it; None if it cannot hold them.

    It cannot where several nodes of a subgraph share a widget that the graph gives different values. Raises
    ``Invalid`` if ``saved`` cannot be converted.
    """
    conversion = Conversion(read_editor_file(saved, name), definitions)
    current = conversion.graph()
    changed = deepcopy(cast("dict[str, Any]", saved))
    for key, node in graph.items():
        before = current.get(key)
        if before is None or before["class_type"] != node["class_type"]:
            return None
        for field, value in node["inputs"].items():
            if before["inputs"].get(field) == value:
                continue
            holder = conversion.holder(key, field)
            if holder is None:
                return None
            _put(changed, holder, value)
    try:
        after = Conversion(read_editor_file(changed, name), definitions).graph()
    except Invalid:
        return None
    return changed if all(_agrees(after.get(key), node) for key, node in graph.items()) else None


def _agrees(converted: Mapping[str, Any] | None, node: Mapping[str, Any]) -> bool:
    inputs: Mapping[str, Any] = {} if converted is None else converted["inputs"]
    return all(field in inputs and inputs[field] == value for field, value in node["inputs"].items())


def _put(saved: dict[str, Any], holder: Holder, value: Any) -> None:
    """Set one widget's value in the file."""
    subgraphs = saved.get("definitions", {}).get("subgraphs", [])
    graphs = [entry for entry in subgraphs if str(entry["id"]) == holder.graph] if holder.graph else [saved]
    node = graphs[0]["nodes"][holder.position]
    values = node.get("widgets_values")
    if isinstance(values, dict):
        cast("dict[str, Any]", values)[holder.name] = value
        return
    listed = list(cast("list[Any]", values or []))
    listed += holder.values[len(listed) : holder.place + 1]
    if holder.place < len(listed):
        listed[holder.place] = value
    node["widgets_values"] = listed
