"""The values of a graph are put into the file that the page saved, and are what it runs with then."""

from typing import Any

from tests.graphs.editor_files import DEFINITIONS, node, subgraph, workflow

from genlock.graphs.editor_conversion import convert_editor_file
from genlock.graphs.editor_filling import filled


def _fill(saved: dict[str, Any], **values: Any) -> dict[str, Any] | None:
    """Fill ``saved`` with the values of inputs, named ``n2_5__seed`` for ``seed`` of node 2:5."""
    graph = convert_editor_file(saved, DEFINITIONS, "walk.json")
    for name, value in values.items():
        key, _, field = name.removeprefix("n").partition("__")
        graph[key.replace("_", ":")]["inputs"][field] = value
    result = filled(saved, DEFINITIONS, graph, "walk.json")
    if result is not None:
        assert convert_editor_file(result, DEFINITIONS, "walk.json") == graph
    return result


def test_a_widget_of_a_node_is_set_where_the_page_saved_it() -> None:
    saved = workflow([node(1, "Sampler", [42, "fixed", 12, "heun"])], [])

    result = _fill(saved, n1__seed=7, n1__denoise=0.5)

    assert result is not None
    assert result["nodes"][0]["widgets_values"] == [7, "fixed", 12, "heun", 0.5]
    assert saved["nodes"][0]["widgets_values"][0] == 42


def test_a_widget_shown_outside_is_set_on_the_node_of_the_subgraph() -> None:
    sampler = node(5, "Sampler", [42, "fixed", 12], links={"seed": 2}, shown=("seed",))
    inner = subgraph("inner", [sampler], [[2, -10, 0, 5, 1]], inputs={"seed": [2]})
    saved = workflow([node(2, "inner", [8]), node(3, "inner", [9])], [], [inner])

    result = _fill(saved, n2_5__seed=1, n3_5__seed=2)

    assert result is not None
    assert [entry["widgets_values"] for entry in result["nodes"]] == [[1], [2]]


def test_a_widget_shown_by_an_older_page_is_set_at_its_place() -> None:
    sampler = node(5, "Sampler", [42, "fixed", 12])
    inner = subgraph("inner", [sampler], [])
    proxies = {"proxyWidgets": [["5", "steps"], ["5", "seed"]]}
    saved = workflow([node(2, "inner", [3, 4], properties=proxies)], [], [inner])

    result = _fill(saved, n2_5__seed=1)

    assert result is not None
    assert result["nodes"][0]["widgets_values"] == [3, 1]


def test_the_value_of_a_primitive_is_set_in_the_primitive() -> None:
    nodes = [node(1, "PrimitiveNode", [7, "fixed"]), node(2, "Sampler", [1], links={"seed": 1}, shown=("seed",))]

    result = _fill(workflow(nodes, [[1, 1, 0, 2, 1]]), n2__seed=9)

    assert result is not None
    assert result["nodes"][0]["widgets_values"] == [9, "fixed"]


def test_a_widget_that_two_nodes_share_cannot_have_two_values() -> None:
    inner = subgraph("inner", [node(5, "Sampler", [42, "fixed"])], [])
    saved = workflow([node(2, "inner"), node(3, "inner")], [], [inner])

    assert _fill(saved, n2_5__seed=1) is None
    assert _fill(saved, n2_5__seed=1, n3_5__seed=1) is not None


def test_a_graph_of_another_workflow_is_not_put_in() -> None:
    saved = workflow([node(1, "Sampler", [42, "fixed"])], [])

    assert filled(saved, DEFINITIONS, {"9": {"class_type": "Sampler", "inputs": {}}}, "walk.json") is None
    assert filled(saved, DEFINITIONS, {"1": {"class_type": "Sampler", "inputs": {"new": 1}}}, "walk.json") is None
