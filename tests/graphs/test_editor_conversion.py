"""Workflows as ComfyUI's page saves them become the graphs that the page would run, or are refused by node."""

from typing import Any

import pytest
from tests.graphs.editor_files import DEFINITIONS, node, subgraph, workflow

from genlock.errors import Invalid
from genlock.graphs.editor_conversion import convert_editor_file
from genlock.graphs.graph import read_graph

MODEL = node(1, "Model", ["b.safetensors"], gives=["MODEL"])


def _convert(nodes: list[dict[str, Any]], links: list[list[Any]], subgraphs: list[Any] | None = None) -> dict[str, Any]:
    graph = convert_editor_file(workflow(nodes, links, subgraphs), DEFINITIONS, "walk.json")
    read_graph(graph, "the converted graph")
    return graph


def _inputs(graph: dict[str, Any], key: str) -> dict[str, Any]:
    return graph[key]["inputs"]


def test_values_are_those_of_the_widgets_and_links_replace_them() -> None:
    sampler = node(3, "Sampler", [42, "randomize", 12, "heun", 0.5], links={"model": 1, "positive": 2})

    graph = _convert([MODEL, node(2, "Text", ["a cat"]), sampler], [[1, 1, 0, 3, 0], [2, 2, 0, 3, 1]])

    assert graph["3"]["class_type"] == "Sampler"
    assert _inputs(graph, "3") == {
        "model": ["1", 0],
        "seed": 42,
        "steps": 12,
        "sampler_name": "heun",
        "positive": ["2", 0],
        "denoise": 0.5,
    }


def test_values_may_be_saved_by_name_and_missing_ones_are_the_server_s_defaults() -> None:
    graph = _convert([node(3, "Sampler", {"steps": 4})], [])

    assert _inputs(graph, "3") == {"seed": 0, "steps": 4, "sampler_name": "euler", "denoise": 1.0}


def test_a_button_that_uploads_has_a_place_among_the_saved_values_and_none_in_the_graph() -> None:
    assert _inputs(_convert([node(1, "Image", ["cat.png", "image"])], []), "1") == {"image": "cat.png"}


def test_links_may_be_objects() -> None:
    file = workflow([MODEL, node(2, "Lora", [0.5], links={"model": 7})], [])
    file["links"] = [{"id": 7, "origin_id": 1, "origin_slot": 0, "target_id": 2, "target_slot": 0, "type": "MODEL"}]

    assert _inputs(convert_editor_file(file, DEFINITIONS, "walk.json"), "2") == {"model": ["1", 0], "strength": 0.5}


def test_notes_reroutes_and_muted_nodes_do_not_run() -> None:
    nodes = [
        MODEL,
        node(2, "MarkdownNote", ["Read me"]),
        node(3, "Reroute", links={"": 1}, gives=["MODEL"]),
        node(4, "Reroute", links={"": 2}, gives=["MODEL"]),
        node(5, "Lora", [0.5], links={"model": 3}),
        node(6, "Lora", [0.1], links={"model": 1}, mode=2, gives=["MODEL"]),
        node(7, "Lora", [0.2], links={"model": 5}),
    ]

    graph = _convert(nodes, [[1, 1, 0, 3, 0], [2, 3, 0, 4, 0], [3, 4, 0, 5, 0], [5, 6, 0, 7, 0]])

    assert set(graph) == {"1", "5", "7"}
    assert _inputs(graph, "5")["model"] == ["1", 0]
    assert "model" not in _inputs(graph, "7")


def test_a_bypassed_node_passes_on_the_input_of_the_same_type() -> None:
    nodes = [
        MODEL,
        node(2, "Lora", [0.5], links={"model": 1}, mode=4, gives=["MODEL"]),
        node(3, "Sampler", [1, "fixed"], links={"model": 2, "positive": 3}),
        node(4, "Text", ["x"], mode=4, gives=["CONDITIONING"]),
    ]

    graph = _convert(nodes, [[1, 1, 0, 2, 0], [2, 2, 0, 3, 0], [3, 4, 0, 3, 4]])

    assert _inputs(graph, "3")["model"] == ["1", 0]
    assert "positive" not in _inputs(graph, "3")


def test_a_primitive_gives_its_value_and_does_not_run() -> None:
    nodes = [
        node(1, "PrimitiveNode", [77, "fixed"], gives=["INT"]),
        node(2, "Sampler", [1, "fixed", 12], links={"seed": 1, "steps": 2}, shown=("seed", "steps")),
    ]

    graph = _convert(nodes, [[1, 1, 0, 2, 1], [2, 1, 0, 2, 2]])

    assert set(graph) == {"2"}
    assert (_inputs(graph, "2")["seed"], _inputs(graph, "2")["steps"]) == (77, 77)


def test_a_getter_gets_what_the_setter_of_its_name_sets() -> None:
    nodes = [
        MODEL,
        node(2, "SetNode", ["model"], links={"MODEL": 1}, gives=["MODEL"]),
        node(3, "GetNode", ["model"], gives=["MODEL"]),
        node(4, "Lora", [0.5], links={"model": 2}),
    ]

    graph = _convert(nodes, [[1, 1, 0, 2, 0], [2, 3, 0, 4, 0]])

    assert _inputs(graph, "4")["model"] == ["1", 0]


@pytest.mark.parametrize(
    ("values", "inputs"),
    [
        (["factor", 4.0, "lanczos"], {"how": "factor", "how.by": 4.0, "method": "lanczos"}),
        (["size", 64, 32, "area"], {"how": "size", "how.width": 64, "how.height": 32, "method": "area"}),
        (["match", "lanczos"], {"how": "match", "method": "lanczos", "how.other": ["2", 0]}),
    ],
)
def test_a_choice_brings_its_own_inputs(values: list[Any], inputs: dict[str, Any]) -> None:
    scale = node(1, "Scale", values, links={"image": 1, "how.other": 2})

    graph = _convert([scale, node(2, "Image", ["x.png", "image"])], [[1, 2, 0, 1, 0], [2, 2, 0, 1, 1]])

    assert _inputs(graph, "1") == {"image": ["2", 0]} | inputs


def test_growing_inputs_keep_their_names() -> None:
    batch = node(1, "Batch", [], links={"images.image0": 1, "images.image1": 2, "images.image2": None})

    graph = _convert([batch, node(2, "Image", ["x.png", "image"])], [[1, 2, 0, 1, 0], [2, 2, 0, 1, 1]])

    assert _inputs(graph, "1") == {"images.image0": ["2", 0], "images.image1": ["2", 0]}


def test_saved_values_of_inputs_that_are_sockets_now_are_left_out() -> None:
    assert _inputs(_convert([node(1, "Old", [5, "x"])], []), "1") == {"name": "x"}


def test_lists_are_marked_as_values_and_parts_of_a_box_are_not_inputs() -> None:
    box = {"x": 1, "y": 2, "width": 3, "height": 4}

    graph = _convert([node(1, "Box", [box, 1, 2, 3, 4, ["#fff", "#000"]])], [])

    assert _inputs(graph, "1") == {"region": box, "colors": {"__value__": ["#fff", "#000"]}}


def test_a_list_whose_options_are_widgets_has_them_and_the_index_of_its_choice() -> None:
    graph = _convert([node(1, "CustomCombo", ["high", 9, "low", "high", ""])], [])

    assert _inputs(graph, "1") == {"choice": "high", "index": 1, "option1": "low", "option2": "high", "option3": ""}


def test_widgets_of_a_format_are_kept_and_the_preview_is_not() -> None:
    values = {"format": "h264", "crf": 19, "pix_fmt": "yuv420p", "videopreview": {"hidden": False}}

    graph = _convert([node(1, "VideoCombine", values)], [])

    assert _inputs(graph, "1") == {"format": "h264", "crf": 19, "pix_fmt": "yuv420p"}


@pytest.mark.parametrize(
    ("written", "runs"),
    [
        ("a cat // not a dog\nruns", "a cat \nruns"),
        ("a /* red\nor */ cat", "a  cat"),
        ("a {cat}", "a cat"),
        ("a {{cat}} \\{x|y\\}", "a cat \\{x|y\\}"),
        ("a | b", "a | b"),
    ],
)
def test_prompts_are_finished_as_the_page_does(written: str, runs: str) -> None:
    assert _inputs(_convert([node(1, "Text", [written])], []), "1") == {"text": runs}


def test_a_prefix_may_name_the_widget_of_another_node_and_keeps_dates() -> None:
    nodes = [
        node(1, "Sampler", [42, "fixed"], properties={"Node name for S&R": "Noise"}),
        node(2, "SaveVideo", ["%date:yyyy%/%Noise.seed%_%width%_%No.x%"]),
    ]

    assert _inputs(_convert(nodes, []), "2")["filename_prefix"] == "%date:yyyy%/42_%width%_%No.x%"


def _inner(**fields: Any) -> dict[str, Any]:
    """Return a subgraph whose input ``seed`` leads to a widget and ``model`` to a socket, output the sampler's."""
    sampler = node(5, "Sampler", [42, "fixed", 12], links={"model": 1, "seed": 2}, shown=("seed",), gives=["LATENT"])
    return subgraph(
        "inner",
        [sampler],
        [[1, -10, 0, 5, 0], [2, -10, 1, 5, 1], [3, 5, 0, -20, 0]],
        inputs={"model": [1], "seed": [2]},
        outputs={"LATENT": [3]},
        **fields,
    )


def test_nodes_inside_of_subgraphs_have_the_ids_of_all_and_the_values_of_the_nodes_outside() -> None:
    nodes = [
        MODEL,
        node(2, "inner", [7], links={"model": 1, "seed": None}, shown=("seed",), gives=["LATENT"]),
        node(3, "inner", [8], links={"model": 2}, gives=["LATENT"]),
        node(4, "Lora", [1.0], links={"model": 3}),
    ]

    graph = _convert(nodes, [[1, 1, 0, 2, 0], [2, 1, 0, 3, 0], [3, 3, 0, 4, 0]], [_inner()])

    assert set(graph) == {"1", "2:5", "3:5", "4"}
    assert (_inputs(graph, "2:5")["seed"], _inputs(graph, "3:5")["seed"]) == (7, 8)
    assert _inputs(graph, "2:5")["model"] == ["1", 0]
    assert _inputs(graph, "4")["model"] == ["3:5", 0]


def test_subgraphs_may_be_nested_and_the_outermost_value_counts() -> None:
    outer = subgraph(
        "outer",
        [node(6, "inner", [7], links={"model": 1, "seed": 2}, gives=["LATENT"])],
        [[1, -10, 0, 6, 0], [2, -10, 1, 6, 1], [3, 6, 0, -20, 0]],
        inputs={"model": [1], "noise": [2]},
        outputs={"LATENT": [3]},
    )
    nodes = [MODEL, node(2, "outer", [9], links={"model": 1}), node(4, "Lora", [1.0], links={"model": 2})]

    graph = _convert(nodes, [[1, 1, 0, 2, 0], [2, 2, 0, 4, 0]], [outer, _inner()])

    assert set(graph) == {"1", "2:6:5", "4"}
    assert _inputs(graph, "2:6:5") == {
        "model": ["1", 0],
        "seed": 9,
        "steps": 12,
        "sampler_name": "euler",
        "denoise": 1.0,
    }
    assert _inputs(graph, "4")["model"] == ["2:6:5", 0]


def test_a_widget_shown_by_an_older_page_has_the_value_of_the_node_outside() -> None:
    nodes = [
        node(2, "inner", [3, 4], properties={"proxyWidgets": [["5", "steps"], ["5", "seed"]]}),
        node(3, "inner", [6], properties={"proxyWidgets": [["5", "steps"]]}),
        node(4, "inner"),
    ]

    graph = _convert(nodes, [], [_inner()])

    assert [(_inputs(graph, f"{key}:5")["steps"], _inputs(graph, f"{key}:5")["seed"]) for key in (2, 3, 4)] == [
        (3, 4),
        (6, 6),  # the page takes saved values by position first
        (12, 42),
    ]


def test_a_primitive_shown_by_an_older_page_gives_the_value_of_the_node_outside() -> None:
    inside = subgraph(
        "inside",
        [
            node(5, "PrimitiveNode", [77, "fixed"], gives=["INT"]),
            node(6, "Sampler", [1, "fixed", 12], links={"steps": 1}, shown=("steps",)),
        ],
        [[1, 5, 0, 6, 2]],
    )

    graph = _convert([node(2, "inside", [9], properties={"proxyWidgets": [["5", "value"]]})], [], [inside])

    assert _inputs(graph, "2:6")["steps"] == 9


def test_an_idle_subgraph_gives_nothing_and_a_bypassed_one_passes_on() -> None:
    nodes = [
        MODEL,
        node(2, "inner", [7], links={"model": 1}, gives=["MODEL"], mode=4),
        node(3, "Lora", [1.0], links={"model": 2}),
        node(4, "inner", [7], links={}, mode=2),
        node(5, "Lora", [1.0], links={"model": 3}),
    ]
    inner = _inner()
    inner["inputs"][0]["type"] = inner["outputs"][0]["type"] = "MODEL"

    graph = _convert(nodes, [[1, 1, 0, 2, 0], [2, 2, 0, 3, 0], [3, 4, 0, 5, 0]], [inner])

    assert set(graph) == {"1", "3", "5"}
    assert _inputs(graph, "3")["model"] == ["1", 0]
    assert "model" not in _inputs(graph, "5")


def test_nodes_that_share_an_id_get_new_ones_as_in_the_page() -> None:
    nodes = [node(5, "Model", ["a.safetensors"]), node(9, "inner", [7])]

    assert set(_convert(nodes, [], [_inner()])) == {"5", "9:10"}


@pytest.mark.parametrize(
    ("nodes", "links", "reason"),
    [
        ([node(1, "Unknown", [])], [], r"node 1 \(Unknown\): the ComfyUI server does not have this class"),
        ([node(1, "Record", [""])], [], r"node 1 \(Record\): what its audio gives is made by the page"),
        ([node(1, "Text", ["a {cat|dog}"])], [], r"node 1 \(Text\): its text leaves a choice to chance"),
        ([node(1, "Lora", [1.0], links={"model": 5})], [], r"node 1 \(Lora\): its input 'model' takes a link that is"),
        ([node(1, "Lora", [1.0], links={"model": 5})], [[5, 9, 0, 1, 0]], r"takes from node 9, which is not there"),
        (
            [node(1, "Lora", [1.0], links={"model": 5}), node(2, "GetNode", ["x"])],
            [[5, 2, 0, 1, 0]],
            r"node 2 \(GetNode\): 0 nodes of its graph set 'x'",
        ),
        (
            [node(1, "Lora", [1.0], links={"model": 5}), node(2, "Reroute", links={"": 6})],
            [[5, 2, 0, 1, 0], [6, 2, 0, 2, 0]],
            r"node 1 \(Lora\): its links form a cycle",
        ),
        (
            [node(1, "PrimitiveNode", [1]), node(2, "Reroute", links={"": 5})],
            [[5, 1, 0, 2, 0]],
            r"node 1 \(PrimitiveNode\): what it gives to node 2 \(Reroute\) is only known to the page",
        ),
    ],
)
def test_what_cannot_be_converted_with_certainty_is_refused_by_node(
    nodes: list[dict[str, Any]], links: list[list[Any]], reason: str
) -> None:
    with pytest.raises(Invalid, match=reason) as refusal:
        _convert(nodes, links)

    assert refusal.value.code == "unconvertible_workflow"


def test_a_node_that_does_not_act_may_be_of_an_unknown_class() -> None:
    assert _convert([node(1, "Unknown", [], mode=2), node(2, "Unknown", [], mode=4)], []) == {}


def test_subgraphs_that_contain_themselves_are_refused() -> None:
    nodes = [node(1, "a", [])]
    loop = [subgraph("a", [node(2, "b", [])], []), subgraph("b", [node(3, "a", [])], [])]

    with pytest.raises(Invalid, match="the subgraph 'a' contains itself"):
        _convert(nodes, [], loop)


def test_subgraphs_that_double_each_time_are_refused_soon() -> None:
    doubling = [
        subgraph(f"s{level}", [node(10 * level + side, f"s{level + 1}", []) for side in (1, 2)], [])
        for level in range(30)
    ]
    doubling.append(subgraph("s30", [], []))

    with pytest.raises(Invalid, match="expand to more than 5,000 nodes"):
        _convert([node(9999, "s0", [])], [], doubling)


def test_a_long_chain_of_reroutes_is_followed_and_a_dense_one_refused() -> None:
    reroutes = [node(key, "Reroute", links={"": key}) for key in range(2, 2500)]
    links = [[key, key - 1, 0, key, 0] for key in range(2, 2501)]
    consumers = [node(2500 + index, "Lora", [1.0], links={"model": 2500}) for index in range(2400)]

    graph = _convert([MODEL, *reroutes, consumers[0]], links)
    assert _inputs(graph, "2500")["model"] == ["1", 0]

    with pytest.raises(Invalid, match="take too many steps to follow"):
        _convert([MODEL, *reroutes, *consumers], links)


NOT_SAVED: list[tuple[dict[str, Any], str]] = [
    ({"nodes": [node(1, "Model")] * 2}, "two nodes with the id 1"),
    ({"nodes": [{"id": 1}]}, "node 1 has no type"),
    ({"nodes": [{"type": "Model"}]}, "has no id"),
    ({"nodes": [5]}, "not an object"),
    ({"nodes": [node(index, "Model") for index in range(5001)]}, "more than 5,000 nodes"),
    ({"links": [[1, 2]]}, "a link of it has no end"),
    ({"links": [[1, 2, "x", 3, 0]]}, "invalid literal"),
    ({"links": [[1, 2, 0, 3, 0]] * 50_001}, "more than 50,000 links"),
    ({"nodes": [node(1, "Model") | {"inputs": [{}] * 2001}]}, "more than 2,000 inputs"),
    ({"nodes": [node(1, "M" * 1001)]}, "a name in it is not a text"),
    ({"definitions": {"subgraphs": [{"id": "a"}, {"id": "a"}]}}, "two subgraphs with the id a"),
    ({"definitions": {"subgraphs": [{"id": "a", "definitions": {"subgraphs": [{}]}}]}}, "older pages"),
    ({"definitions": {"subgraphs": [{}] * 1001}}, "more than 1,000 subgraphs"),
]


@pytest.mark.parametrize(("change", "reason"), NOT_SAVED, ids=[reason for _, reason in NOT_SAVED])
def test_a_file_that_no_page_saved_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Invalid, match=f"walk.json is not a workflow that ComfyUI's page saved.*{reason}"):
        convert_editor_file(workflow([], []) | change, DEFINITIONS, "walk.json")
