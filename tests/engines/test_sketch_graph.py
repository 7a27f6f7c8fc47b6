"""Workflows: which are refused, with the node; which values the spec decides; which the graph decides."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.engines.studio import SketchStudio, ignore

from genlock.digest import digest_of
from genlock.engines.model import EngineInput, RenderSpec
from genlock.engines.sketch.binding import bind
from genlock.engines.sketch.classes import CLASSES
from genlock.engines.sketch.graph import MAX_GRAPH_BYTES, MAX_NODES, read_graph
from genlock.errors import Invalid

Written = dict[str, Any]


@pytest.fixture
def walk(samples: Path) -> Written:
    return json.loads((samples / "walk_v1.json").read_bytes())


def read(graph: Any) -> Any:
    return read_graph(json.dumps(graph).encode())


def changed(graph: Written, node: str, **inputs: Any) -> Written:
    node_inputs = {**graph[node]["inputs"], **inputs}
    return {**graph, node: {**graph[node], "inputs": {k: v for k, v in node_inputs.items() if v is not ...}}}


def spec(*inputs: EngineInput, produces: Any = "video", **parameters: Any) -> RenderSpec:
    given = (EngineInput(key="m", role="model"), EngineInput(key="v", role="variant"), *inputs)
    return RenderSpec(run="r", workdir=Path("unused"), produces=produces, inputs=given, parameters=parameters)


def lora(ordinal: int, strength: float | None = 1.0, clip: float | None = None) -> EngineInput:
    return EngineInput(
        key=f"l{ordinal}", role="lora", ordinal=ordinal, strength_model=strength, strength_clip=clip, filename="l"
    )


def with_single_loras(graph: Written, count: int) -> Written:
    """Return the workflow with its stack replaced by ``count`` nodes that take one LoRA each."""
    chained = {key: node for key, node in graph.items() if key != "2"}
    feeds = "1"
    for number in range(count):
        key = f"lora {number}"
        chained[key] = {"class_type": "SketchApplyLora", "inputs": {"model": [feeds, 0], "lora_name": "x"}}
        feeds = key
    for node in ("4", "5", "6"):
        chained = changed(chained, node, model=[feeds, 0])
    return chained


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"1": {"class_type": "SketchLoadModel"}, "1": {"class_type": "SketchLoadModel"}}', "appears twice"),
        (b'{"1": {"class_type": "SketchSaveVideo", "inputs": {"fps": NaN}}}', "NaN is not a number"),
        (b"[]", "not an object of nodes"),
        (b"{}", "not an object of nodes"),
        (b"7", "not an object of nodes"),
        (b'{"nodes": [], "links": []}', "editor's format"),
        (b'{"4": 1}', "Node 4 has no class_type"),
        (b'{"4": {"class_type": 3}}', "Node 4 has no class_type"),
        (b'{"4": {"class_type": "SketchPrompt", "inputs": []}}', "Node 4 has no class_type"),
        (b" " * (MAX_GRAPH_BYTES + 1), "bytes"),
        (json.dumps({str(n): {"class_type": "SketchLoadModel"} for n in range(MAX_NODES + 1)}).encode(), "501 nodes"),
    ],
)
def test_content_that_is_not_a_graph_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message) as refused:
        read_graph(content)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("node", "inputs", "message"),
    [
        ("6", {"motoin": 1}, r"Node 6 \(SketchSampler\) has no input 'motoin'"),
        ("6", {"model": ...}, r"'model' of node 6 \(SketchSampler\) has no link"),
        ("6", {"model": ["99", 0]}, "node 6 .* linked to node 99, which does not exist"),
        ("6", {"model": "tiny"}, "node 6 .* must be a link"),
        ("6", {"model": ["1", 1]}, "node 6 .* must be a link"),
        ("6", {"model": [1, 0]}, "node 6 .* must be a link"),
        ("6", {"model": ["3", 0]}, r"'model' of node 6 .* comes from node 3 \(SketchLoadImage\): that is image"),
        ("7", {"frames": ["7", 0]}, r"'frames' of node 7 .* that is nothing"),
        ("6", {"steps": 0}, r"'steps' of node 6 \(SketchSampler\) cannot be '0'"),
        ("6", {"steps": 2.5}, "'steps'"),
        ("6", {"steps": True}, "'steps'"),
        ("6", {"cfg": "four"}, "'cfg'"),
        ("6", {"cfg": 31}, "'cfg'"),
        ("6", {"width": 190}, "'width'"),
        ("6", {"width": 4096}, "'width'"),
        ("6", {"length": 100_000}, "'length'"),
        ("6", {"seed": -1}, "'seed'"),
        ("6", {"seed": 2**64}, "'seed'"),
        ("6", {"seed": 1.5}, "'seed'"),
        ("6", {"palette": "plaid"}, "'palette'"),
        ("6", {"palette": ["1", 0]}, "'palette'"),
        ("6", {"sampler_name": {}}, "'sampler_name'"),
        ("4", {"text": 7}, "'text' of node 4"),
        ("4", {"text": "x" * 20_001}, "'text' of node 4"),
        ("7", {"fps": 0}, "'fps' of node 7"),
    ],
)
def test_a_graph_that_the_engine_cannot_run_is_refused_with_the_node(
    walk: Written, node: str, inputs: Written, message: str
) -> None:
    with pytest.raises(Invalid, match=message) as refused:
        read(changed(walk, node, **inputs))
    assert refused.value.hint


def test_an_unknown_class_is_refused_with_the_existing_classes(walk: Written) -> None:
    walk["9"] = {"class_type": "KSampler", "inputs": {}}
    with pytest.raises(Invalid, match="no class 'KSampler', which node 9 names") as refused:
        read(walk)
    assert all(name in str(refused.value.hint) for name in CLASSES)


def test_a_cycle_is_refused_with_its_nodes(walk: Written) -> None:
    two = with_single_loras(walk, 2)
    with pytest.raises(Invalid, match=r"circle: node lora [01] \(SketchApplyLora\) → node lora [01]"):
        read(changed(two, "lora 0", model=["lora 1", 0]))


def test_titles_ids_and_order_do_not_matter(samples: Path) -> None:
    original, rearranged = (
        bind(read_graph((samples / name).read_bytes()), spec(lora(0)))
        for name in ("walk_v1.json", "walk_v1_moved.json")
    )
    assert original.parameters == rearranged.parameters
    assert [node.class_type for node in original.graph.nodes.values()].sort() == [
        node.class_type for node in rearranged.graph.nodes.values()
    ].sort()
    assert b"_meta" not in rearranged.graph.written()


def test_the_spec_wins_over_the_graph(walk: Written) -> None:
    parameters = {
        "prompt": "a storm",
        "negative_prompt": "sun",
        "seed": str(2**64 - 1),
        "cfg": 2.5,
        "steps": 3,
        "sampler": "heun",
        "scheduler": "quadratic",
        "denoise": 0.5,
        "width": 64,
        "height": 48,
        "frames": 5,
        "fps": 12,
    }
    bound = bind(read(walk), spec(**parameters))
    assert bound.parameters == parameters
    graph = json.loads(bound.naming({"1": "sha256:m", "3": "sha256:v"}).written())
    assert graph["4"]["inputs"]["text"] == "a storm"
    assert graph["5"]["inputs"]["text"] == "sun"
    assert graph["6"]["inputs"]["seed"] == str(2**64 - 1)
    assert graph["6"]["inputs"]["length"] == 5
    assert graph["6"]["inputs"]["motion"] == walk["6"]["inputs"]["motion"]
    assert graph["7"]["inputs"] == {"frames": ["6", 0], "fps": 12, "filename_prefix": "genlock"}
    assert graph["1"]["inputs"]["model_name"] == "sha256:m"
    assert graph["3"]["inputs"]["image"] == "sha256:v"


def test_values_that_the_spec_leaves_open_are_taken_from_the_graph_and_reported(walk: Written) -> None:
    bound = bind(read(changed(walk, "6", cfg=3)), spec())
    assert bound.parameters == {
        "prompt": "a quiet walk",
        "negative_prompt": "",
        "seed": "1",
        "cfg": 3,
        "steps": 4,
        "sampler": "euler",
        "scheduler": "linear",
        "denoise": 1.0,
        "width": 192,
        "height": 192,
        "frames": 16,
        "fps": 8,
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cfg": "4"}, "parameter 'cfg' cannot be '4'"),
        ({"cfg": float("nan")}, "parameter 'cfg'"),
        ({"cfg": float("inf")}, "parameter 'cfg'"),
        ({"steps": 10**9}, "parameter 'steps'"),
        ({"width": 1}, "parameter 'width'"),
        ({"width": None}, "parameter 'width'"),
        ({"prompt": None}, "parameter 'prompt'"),
        ({"prompt": ["a"]}, "parameter 'prompt'"),
        ({"seed": 42}, "'seed' is not a string"),
        ({"motion": 2}, "no parameter 'motion'"),
    ],
)
def test_a_parameter_without_a_node_is_refused(walk: Written, parameters: Written, message: str) -> None:
    with pytest.raises(Invalid, match=message) as refused:
        bind(read(walk), spec(**parameters))
    assert refused.value.hint


def test_a_stack_takes_any_number_of_loras(walk: Written) -> None:
    none = bind(read(walk), spec())
    assert none.graph.of_class("SketchApplyLora", "SketchLoraStack") == ()
    assert {none.graph.nodes[key].links["model"] for key in ("4", "5", "6")} == {"1"}

    two = bind(read(walk), spec(lora(1, 0.25), lora(0, 0.5, 0.75)))
    nodes = two.graph.of_class("SketchApplyLora")
    assert [node.id for node in nodes] == ["2:1", "2:2"]
    assert [node.links["model"] for node in nodes] == ["1", "2:1"]
    assert [(node.values["strength_model"], node.values["strength_clip"]) for node in nodes] == [
        (0.5, 0.75),
        (0.25, 0.25),
    ]
    assert [two.files[node.id].key for node in nodes] == ["l0", "l1"]
    assert {two.graph.nodes[key].links["model"] for key in ("4", "5", "6")} == {"2:2"}
    again = bind(read_graph(two.graph.written()), spec(lora(1, 0.25), lora(0, 0.5, 0.75)))
    assert again.graph.written() == two.graph.written()


def test_single_nodes_take_one_lora_each_in_the_order_of_the_chain(walk: Written) -> None:
    bound = bind(read(with_single_loras(walk, 2)), spec(lora(0, 0.5), lora(1, 0.25)))
    assert {key: item.key for key, item in bound.files.items() if item.role == "lora"} == {
        "lora 0": "l0",
        "lora 1": "l1",
    }
    with pytest.raises(Invalid, match=r"Node lora 1 \(SketchApplyLora\) has no LoRA to load"):
        bind(read(with_single_loras(walk, 2)), spec(lora(0)))
    with pytest.raises(Invalid, match=r"no node left for lora 1 \(l\)"):
        bind(read(with_single_loras(walk, 1)), spec(lora(0), lora(1)))
    forked = changed(with_single_loras(walk, 2), "lora 1", model=["1", 0])
    with pytest.raises(Invalid, match="continue the same node"):
        bind(read(changed(forked, "5", model=["lora 0", 0])), spec(lora(0), lora(1)))


def test_a_strength_that_the_spec_leaves_open_is_taken_from_the_node_and_reported(walk: Written) -> None:
    single = with_single_loras(walk, 1)
    graph = changed(single, "lora 0", strength_model=0.3, strength_clip=0.9)
    item = bind(read(graph), spec(lora(0, None))).files["lora 0"]
    assert (item.strength_model, item.strength_clip) == (0.3, 0.9)
    item = bind(read(graph), spec(lora(0, 0.5))).files["lora 0"]
    assert (item.strength_model, item.strength_clip) == (0.5, None), "alone, strength_model holds for both"
    item = bind(read(single), spec(lora(0, None))).files["lora 0"]
    assert (item.strength_model, item.strength_clip) == (1.0, None)


@pytest.mark.parametrize("strength", [101.0, -1e9])
def test_an_invalid_strength_is_refused(walk: Written, strength: float) -> None:
    with pytest.raises(Invalid, match="strength_model of lora 0"):
        bind(read(walk), spec(lora(0, strength)))


def test_the_start_image_is_the_first_available_input(walk: Written) -> None:
    source, frame = EngineInput(key="s", role="source_image"), EngineInput(key="f", role="seed_frame")
    assert bind(read(walk), spec(source)).files["3"].key == "v"
    assert bind(read(walk), spec(source, frame)).files["3"].key == "f"
    alone = spec().model_copy(update={"inputs": (EngineInput(key="m", role="model"), source)})
    assert bind(read(walk), alone).files["3"].key == "s"


def test_each_file_that_the_graph_loads_must_be_given_once(walk: Written) -> None:
    model, variant = spec().inputs
    for inputs, message in (
        ((variant,), "loads one model, and none was given"),
        ((model, model.model_copy(update={"ordinal": 1}), variant), "and 2 was given"),
        ((model,), r"Node 3 \(SketchLoadImage\) has no image to load"),
        ((model, variant, variant.model_copy(update={"ordinal": 1})), "2 inputs have the role variant"),
    ):
        with pytest.raises(Invalid, match=message):
            bind(read(walk), spec().model_copy(update={"inputs": inputs}))
    blind = {key: node for key, node in changed(walk, "6", start_image=...).items() if key != "3"}
    with pytest.raises(Invalid, match="no SketchLoadImage node that could load variant 0"):
        bind(read(blind), spec())


def test_the_workflow_must_save_the_requested_output(walk: Written, samples: Path) -> None:
    with pytest.raises(Invalid, match="To make a picture, the workflow needs one node of the class SketchSaveImage"):
        bind(read(walk), spec(produces="image"))
    dress = read_graph((samples / "dress_v1.json").read_bytes())
    with pytest.raises(Invalid, match="SketchSaveVideo"):
        bind(dress, spec())
    assert bind(dress, spec(produces="image", frames=1)).parameters["frames"] == 1
    with pytest.raises(Invalid, match="one frame"):
        bind(dress, spec(produces="image", frames=2))
    with pytest.raises(Invalid, match="frames per second"):
        bind(dress, spec(produces="image", fps=8))
    twice = {**walk, "8": walk["7"]}
    with pytest.raises(Invalid, match="it has 2"):
        bind(read(twice), spec())


def test_one_workflow_may_save_both(walk: Written) -> None:
    walk["8"] = {"class_type": "SketchSaveImage", "inputs": {"frames": ["6", 0]}}
    assert {node.class_type for node in bind(read(walk), spec()).graph.nodes.values()} & {
        "SketchSaveVideo",
        "SketchSaveImage",
    } == {"SketchSaveVideo"}
    assert "8" in bind(read(walk), spec(produces="image")).graph.nodes


def test_a_graph_without_a_negative_prompt_node_has_no_negative_prompt(walk: Written) -> None:
    one_sided = changed(walk, "6", negative=...)
    assert bind(read(one_sided), spec(negative_prompt="")).parameters["negative_prompt"] == ""
    with pytest.raises(Invalid, match=r"Node 6 \(SketchSampler\) takes no negative prompt"):
        bind(read(one_sided), spec(negative_prompt="fog"))
    shared = changed(walk, "6", negative=["4", 0])
    with pytest.raises(Invalid, match=r"Node 4 \(SketchPrompt\) is both"):
        bind(read(shared), spec(prompt="a", negative_prompt="b"))


async def test_a_run_without_a_workflow_is_refused(sketch: SketchStudio) -> None:
    job = sketch.job("run")
    without = tuple(item for item in job.spec.inputs if item.role != "workflow")
    with pytest.raises(Invalid, match="needs one workflow"):
        await sketch.engine.render(job.spec.model_copy(update={"inputs": without}), job.files, ignore)


async def test_the_executed_graph_names_files_by_digest(sketch: SketchStudio, samples: Path) -> None:
    result = await sketch.render(loras=((samples / "rain_v1.safetensors", 0.8),))
    graph = json.loads(result.graph)
    for node, choice, name in (
        ("1", "model_name", "tiny_v1.safetensors"),
        ("2:1", "lora_name", "rain_v1.safetensors"),
        ("3", "image", "portrait_v1.png"),
    ):
        assert graph[node]["inputs"][choice] == digest_of((samples / name).read_bytes())
