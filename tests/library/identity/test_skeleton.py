"""The skeleton of a workflow: which changes it ignores, which it contains, and which files are refused as workflows."""

import copy
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.library.identity.files import identified
from tests.library.identity.graphs import Graph, image_to_video, node, renamed, sketch, small_graphs

from genlock.digest import digest_of, digest_of_json
from genlock.engines.sketch.samples import write_samples
from genlock.errors import Invalid
from genlock.graphs.meanings import recorded_as
from genlock.library import labelling
from genlock.library.identify import identify_file
from genlock.library.skeleton import MAX_WORKFLOW_BYTES, skeleton, skeleton_digest
from genlock.model import Kind

GRAPHS = {"image to video": image_to_video, "sketch": sketch}


def changed(graph: Graph, key: str, **inputs: Any) -> Graph:
    other = copy.deepcopy(graph)
    other[key]["inputs"] |= inputs
    return other


def test_a_workflow_file_is_identified_by_its_skeleton() -> None:
    content = json.dumps(image_to_video()).encode()
    identity = identified(content, Kind.WORKFLOW, "walk.json")
    assert identity.digest == digest_of(content)
    assert identity.effective_digest == skeleton_digest(image_to_video()) == digest_of_json(skeleton(image_to_video()))
    assert identity.media_type == "application/json"
    assert identity.details["nodes"] == 13
    assert identity.details["outputs"] == ["SaveVideo"]
    assert identity.details["classes"]["CLIPTextEncode"] == 2


def test_the_skeleton_rule_is_unchanged() -> None:
    """Stored digests depend on it. If this fails, the rule needs a new number and a decision."""
    assert (
        skeleton_digest(image_to_video()) == "sha256:bb4ef7b0b6983b2a535ba41042844f42c082cb7d681dfed566893fe295b32760"
    )
    assert skeleton_digest(sketch()) == "sha256:63b23a5ae4bc3bb5d626813b04ffd6fa657556a7fcf02ec0c23d6e48060be0f0"


@settings(max_examples=60, deadline=None)
@given(graph=st.sampled_from(sorted(GRAPHS)), chance=st.randoms(use_true_random=False), data=st.data())
def test_changes_that_do_not_affect_a_run_keep_the_digest(
    graph: str, chance: random.Random, data: st.DataObject
) -> None:
    """Ids, order, titles, positions, colours, and additions of a server or an editor."""
    original = GRAPHS[graph]()
    ids = data.draw(st.permutations([f"{number}:{number % 3}" for number in range(len(original))]))
    other = renamed(original, dict(zip(original, ids, strict=True)))
    keys = list(other)
    chance.shuffle(keys)
    shuffled: Graph = {}
    for key in keys:
        inputs = list(other[key]["inputs"].items())
        chance.shuffle(inputs)
        shuffled[key] = {
            "_meta": {"title": data.draw(st.text(max_size=5))},
            "inputs": dict(inputs),
            "is_changed": ["abc"],
            "class_type": other[key]["class_type"],
            "pos": [chance.random(), 2],
            "color": "#223",
        }
    assert skeleton_digest(shuffled) == skeleton_digest(original)


RECORDED = [
    ("image to video", "1", {"unet_name": "other.safetensors"}),
    ("image to video", "2", {"lora_name": "sun.safetensors", "strength_model": 1}),
    ("image to video", "4", {"clip_name": "other.gguf"}),
    ("image to video", "5", {"text": "she runs"}),
    ("image to video", "6", {"text": ""}),
    ("image to video", "7", {"vae_name": "pixel_space"}),
    ("image to video", "8", {"image": "genlock/0a1b.png"}),
    ("image to video", "9", {"width": 1280, "height": 720, "length": 49}),
    ("image to video", "10", {"seed": 2**64 - 1, "steps": 4, "cfg": 1, "denoise": 0.5}),
    ("image to video", "10", {"sampler_name": "uni_pc", "scheduler": "beta", "control_after_generate": "fixed"}),
    ("image to video", "12", {"fps": 24}),
    ("image to video", "13", {"filename_prefix": "elsewhere"}),
    ("image to video", "8", {"upload": "image"}),
    ("sketch", "model", {"model_name": "large.safetensors"}),
    ("sketch", "lora", {"lora_name": "sun.safetensors", "strength_model": 0}),
    ("sketch", "image", {"image": "portrait"}),
    ("sketch", "yes", {"text": "sun"}),
    ("sketch", "sampler", {"seed": 7, "steps": 9, "cfg": 1.5, "width": 64, "height": 64, "length": 8}),
    ("sketch", "sampler", {"seed": "18446744073709551615", "sampler_name": "heun"}),
    ("sketch", "save", {"filename_prefix": "x", "fps": 24.5}),
]


@pytest.mark.parametrize(("graph", "key", "inputs"), RECORDED)
def test_values_that_a_receipt_records_are_not_part_of_the_skeleton(
    graph: str, key: str, inputs: dict[str, Any]
) -> None:
    original = GRAPHS[graph]()
    assert skeleton_digest(changed(original, key, **inputs)) == skeleton_digest(original)


CONTAINED = [
    ("image to video", "1", {"weight_dtype": "fp8_e4m3fn"}),
    ("image to video", "3", {"shift": 5.0}),
    ("image to video", "4", {"type": "sd3"}),
    ("image to video", "9", {"batch_size": 2}),
    ("image to video", "13", {"format": "mkv"}),
    ("image to video", "13", {"codec": "vp9"}),
    ("image to video", "10", {"negative": ["9", 0]}),
    ("image to video", "10", {"model": ["2", 0]}),
    ("image to video", "10", {"seed": ["1", 0]}),
    ("image to video", "10", {"new": 1}),
    ("image to video", "10", {"steps": True}),
    ("image to video", "10", {"sampler_name": 7}),
    ("image to video", "9", {"batch_size": True}),
    ("sketch", "sampler", {"motion": 0.6}),
    ("sketch", "sampler", {"blur": 2}),
    ("sketch", "sampler", {"negative": ["yes", 0]}),
]


@pytest.mark.parametrize(("graph", "key", "inputs"), CONTAINED)
def test_all_other_values_are_part_of_the_skeleton(graph: str, key: str, inputs: dict[str, Any]) -> None:
    original = GRAPHS[graph]()
    assert skeleton_digest(changed(original, key, **inputs)) != skeleton_digest(original)


@pytest.mark.parametrize(("graph", "key", "inputs"), RECORDED)
def test_a_recorded_value_may_be_present_or_missing(graph: str, key: str, inputs: dict[str, Any]) -> None:
    original = GRAPHS[graph]()
    other = copy.deepcopy(original)
    for name in inputs:
        other[key]["inputs"].pop(name, None)
    assert skeleton_digest(other) == skeleton_digest(original)


def test_the_sample_workflows_are_equal_where_intended(tmp_path: Path) -> None:
    identities = {
        path.name: identify_file(path, Kind.WORKFLOW) for path in write_samples(tmp_path) if path.suffix == ".json"
    }
    walk, rearranged = identities["walk_v1.json"], identities["walk_v1_moved.json"]
    assert walk.digest != rearranged.digest
    assert walk.effective_digest == rearranged.effective_digest
    assert len({identity.effective_digest for identity in identities.values()}) == len(identities) - 1


def test_equal_numbers_have_one_notation() -> None:
    graph = changed(image_to_video(), "3", shift=4)
    assert skeleton_digest(changed(graph, "3", shift=4.0)) == skeleton_digest(graph)
    different = [4, True, "4", 4.5, None, [4], {"integer": "4"}, 2**60, {"integer": str(2**60)}, [], {}, 10**30]
    digests = {skeleton_digest(changed(graph, "3", shift=value)) for value in different}
    assert len(digests) == len(different)
    assert skeleton_digest(changed(graph, "3", shift=2**60)) == skeleton_digest(changed(graph, "3", shift=float(2**60)))
    assert skeleton_digest(changed(graph, "3", shift=[1.0])) == skeleton_digest(changed(graph, "3", shift=[1]))


def test_nodes_that_reach_no_output_are_ignored() -> None:
    graph = image_to_video()
    other = graph | {
        "20": node("LoadImage", image="unused.png"),
        "21": node("VAEEncode", pixels=["20", 0], vae=["7", 0]),
        "22": node("KSampler", latent_image=["21", 0], seed=1),
    }
    assert skeleton_digest(other) == skeleton_digest(graph)


@pytest.mark.parametrize("class_type", ["SaveImage", "PreviewImage", "SomebodysUploader", "KSampler (Efficient)"])
def test_a_node_that_may_be_an_output_counts(class_type: str) -> None:
    graph = image_to_video()
    assert skeleton_digest(graph | {"20": node(class_type, images=["11", 0])}) != skeleton_digest(graph)


def test_one_shared_loader_differs_from_two_equal_ones() -> None:
    shared = {"m": node("SketchLoadModel", model_name="a"), "s": node("SketchSaveX", first=["m", 0], second=["m", 0])}
    apart = shared | {"n": node("SketchLoadModel", model_name="a")}
    apart = changed(apart, "s", second=["n", 0])
    assert skeleton_digest(shared) != skeleton_digest(apart)


def test_a_primitive_counts_as_its_use() -> None:
    graph = changed(image_to_video(), "10", seed=["p", 0]) | {"p": node("PrimitiveInt", value=1)}
    assert skeleton_digest(changed(graph, "p", value=2)) == skeleton_digest(graph)
    shift = changed(image_to_video(), "3", shift=["p", 0]) | {"p": node("PrimitiveFloat", value=1.5)}
    assert skeleton_digest(changed(shift, "p", value=2.5)) != skeleton_digest(shift)
    both = changed(graph, "3", shift=["p", 0])
    assert skeleton_digest(changed(both, "p", value=2)) != skeleton_digest(both)


@pytest.mark.parametrize(
    ("class_type", "name", "value", "word"),
    [
        ("DualCLIPLoader", "clip_name2", "x", "file"),
        ("LoadVideo", "file", "walk.mp4", "file"),
        ("ModelPatchLoader", "name", "x", "file"),
        ("CheckpointLoader", "config_name", "v1.yaml", None),
        ("RandomNoise", "noise_seed", 5, "seed"),
        ("KSamplerAdvanced", "noise_seed", 5, "seed"),
        ("KSamplerAdvanced", "start_at_step", 5, None),
        ("CFGGuider", "cfg", 5, "cfg"),
        ("BasicScheduler", "denoise", 1, "denoise"),
        ("KSamplerSelect", "sampler_name", "euler", "sampler"),
        ("EmptySD3LatentImage", "width", 512, "size"),
        ("ImageScale", "width", 512, None),
        ("ControlNetApplyAdvanced", "strength", 0.5, None),
        ("LoraLoader", "strength_clip", 0.5, "strength"),
        ("SomeLoader", "whatever", "Rain.SAFETENSORS", "file"),
        ("SomeNode", "note", "about rain.png", None),
        ("VHS_LoadVideo", "video", "walk.mp4", "file"),
        ("SomeNode", "text", "hello", None),
        ("SomeNode", "seed", {"integer": "18446744073709551615"}, "seed"),
    ],
)
def test_which_values_a_receipt_records(class_type: str, name: str, value: Any, word: str | None) -> None:
    assert recorded_as(class_type, name, value) == word


def isomorphic(graph: Graph, other: Graph) -> bool:
    """Compare by brute force whether some renaming makes the graphs equal, with True distinct from 1."""
    if len(graph) != len(other):
        return False
    expected = json.dumps(other, sort_keys=True)
    return any(
        json.dumps(renamed(graph, dict(zip(graph, names, strict=True))), sort_keys=True) == expected
        for names in itertools.permutations(other)
    )


@settings(max_examples=400, deadline=None)
@given(small_graphs(), small_graphs())
def test_equal_digests_mean_isomorphic_graphs(graph: Graph, other: Graph) -> None:
    assert (skeleton_digest(graph) == skeleton_digest(other)) == isomorphic(graph, other)


@settings(max_examples=400, deadline=None)
@given(small_graphs(6), st.data())
def test_one_change_changes_the_digest_unless_the_graphs_are_isomorphic(graph: Graph, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(graph)))
    other = copy.deepcopy(graph)
    name = data.draw(st.sampled_from(["p", "q", "class_type"]))
    if name == "class_type":
        other[key]["class_type"] = data.draw(st.sampled_from("ABC"))
    else:
        links = [[source, slot] for source in graph if int(source) < int(key) for slot in (0, 1)]
        other[key]["inputs"][name] = data.draw(st.sampled_from([1, 2, True, "x", None, *links]))
    assert (skeleton_digest(graph) == skeleton_digest(other)) == isomorphic(graph, other)


def ring(size: int, start: int = 0) -> Graph:
    """Return outputs that each take from two of as many sources, in a ring: all nodes of a class are equivalent."""
    sources = {f"a{start + place}": node("A") for place in range(size)}
    return sources | {
        f"b{start + place}": node("B", p=[f"a{start + place}", 0], q=[f"a{start + (place + 1) % size}", 0])
        for place in range(size)
    }


def test_rings_with_equal_neighbourhoods_have_different_digests() -> None:
    two_of_three, one_of_six = ring(3) | ring(3, 3), ring(6)
    assert skeleton_digest(two_of_three) != skeleton_digest(one_of_six)
    for graph in (two_of_three, one_of_six):
        keys = list(graph)
        for seed in range(5):
            names = [f"n{number}" for number in range(len(keys))]
            random.Random(seed).shuffle(names)
            assert skeleton_digest(renamed(graph, dict(zip(keys, names, strict=True)))) == skeleton_digest(graph)


@settings(max_examples=40, deadline=None)
@given(small_graphs(4), st.integers(2, 4), st.randoms(use_true_random=False))
def test_copies_of_a_graph_side_by_side_have_one_digest(graph: Graph, copies: int, chance: random.Random) -> None:
    combined: Graph = {}
    for number in range(copies):
        combined |= renamed(graph, {key: f"{number}.{key}" for key in graph})
    names = [str(number) for number in range(len(combined))]
    chance.shuffle(names)
    shuffled = list(renamed(combined, dict(zip(combined, names, strict=True))).items())
    chance.shuffle(shuffled)
    assert skeleton_digest(dict(shuffled)) == skeleton_digest(combined)


def test_a_graph_too_symmetric_to_order_keeps_its_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = ring(8)
    monkeypatch.setattr(labelling, "MAX_WORK", 10)
    assert skeleton_digest(graph) == skeleton_digest(dict(reversed(graph.items())))
    assert skeleton_digest(graph) != skeleton_digest(graph | {"a0": node("C")})


def test_a_large_graph_is_digested_quickly() -> None:
    graph: Graph = {"0": node("A")}
    for place in range(1, 4000):
        graph[str(place)] = node("A", p=[str(place - 1), 0], q=[str(place // 2), 0])
    names = {key: f"n{key}" for key in graph}
    assert skeleton_digest(renamed(graph, names)) == skeleton_digest(graph)


EDITOR = {"nodes": [{"id": 1, "type": "KSampler", "widgets_values": [42]}], "links": [], "version": 0.4}

HOSTILE: dict[str, tuple[Any, str]] = {
    "the editor's format": (EDITOR, "the editor's format"),
    "a request": ({"prompt": image_to_video(), "client_id": "x"}, 'under "prompt"'),
    "a list": ([], "not a JSON object"),
    "a number": (1, "not a JSON object"),
    "nothing in it": ({}, "makes nothing"),
    "no output": ({"1": node("KSampler", seed=1)}, "makes nothing"),
    "a node of text": ({"1": "KSampler"}, "'1' is not a node"),
    "no class": ({"1": {"inputs": {}}}, "has no class_type"),
    "a class of numbers": ({"1": {"class_type": 1, "inputs": {}}}, "has no class_type"),
    "a class with a NUL": ({"1": {"class_type": "a\0", "inputs": {}}}, "has no class_type"),
    "inputs of a list": ({"1": {"class_type": "SaveImage", "inputs": []}}, "inputs of node '1'"),
    "a missing target": ({"1": node("SaveImage", images=["9", 0])}, "from a node that is not there"),
    "itself": ({"1": node("SaveImage", images=["1", 0])}, "form a cycle"),
    "a circle": (
        {"1": node("A", p=["2", 0]), "2": node("A", p=["1", 0]), "3": node("SaveImage", p=["1", 0])},
        "form a cycle",
    ),
    "an output of -1": ({"0": node("A"), "1": node("SaveImage", images=["0", -1])}, "no node can have"),
    "an output of 0.5": ({"0": node("A"), "1": node("SaveImage", images=["0", 0.5])}, "no node can have"),
    "too many nodes": ({str(number): node("SaveImage") for number in range(5001)}, "more than 5,000 nodes"),
    "half a surrogate": (b'{"1": {"class_type": "SaveImage", "inputs": {"x": "\\ud800"}}}', "no canonical form"),
    "a duplicate key": (b'{"1": {"class_type": "A", "inputs": {"x": 1, "x": 1}}}', "'x' occurs twice"),
    "a duplicate node": (b'{"1": {"class_type": "A"}, "1": {"class_type": "A"}}', "'1' occurs twice"),
    "NaN": (b'{"1": {"class_type": "A", "inputs": {"x": NaN}}}', "NaN"),
    "infinity": (b'{"1": {"class_type": "A", "inputs": {"x": -1e999}}}', "too large"),
    "endless digits": (b'{"1": {"class_type": "A", "inputs": {"x": ' + b"9" * 5000 + b"}}}", "not valid JSON"),
    "nested deeply": (b'{"1": {"class_type": "A", "inputs": {"x": ' + b"[" * 10**5 + b"]" * 10**5 + b"}}}", "deeply"),
    "nested a little": (b'{"1": {"class_type": "A", "inputs": {"x": ' + b"[" * 40 + b"]" * 40 + b"}}}", "deeply"),
    "endless brackets": (b'{"1": [' + b"[]," * 10**6 + b"1]}", "brackets and commas"),
    "an endless string": (b'{"' + b'\\"' * 10**6, "not valid JSON"),
    "cut off": (json.dumps(image_to_video()).encode()[:-1], "not valid JSON"),
    "not UTF-8": (b'{"\xff": 1}', "not UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "not UTF-8"),
    "too large": (b" " * (MAX_WORKFLOW_BYTES + 1), "larger than"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_is_not_a_workflow_is_refused(case: str) -> None:
    value, reason = HOSTILE[case]
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(Invalid) as caught:
        identified(content, Kind.WORKFLOW, "walk.json")
    assert reason in caught.value.message
    assert "'walk.json'" in caught.value.message
    assert caught.value.hint


def test_the_editors_format_is_refused_with_the_way_to_export() -> None:
    with pytest.raises(Invalid) as caught:
        identified(json.dumps(EDITOR).encode(), Kind.WORKFLOW, "walk.json")
    assert "Save (API format)" in str(caught.value.hint)
    assert "Export (API)" in str(caught.value.hint)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_value_in_a_graph_has_a_digest_or_a_reason(value: Any) -> None:
    graph = {"1": node("Odd", x=value)}
    assume(not (isinstance(value, list) and len(value) == 2))  # pyright: ignore[reportUnknownArgumentType]
    try:
        assert skeleton_digest(graph) == skeleton_digest(copy.deepcopy(graph))
    except Invalid as error:
        assert error.hint
