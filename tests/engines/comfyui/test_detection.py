"""What is bound in graphs as they are today: behind switches and math, in several places, for frames and references."""

from pathlib import Path
from typing import Any

import pytest
from tests.comfyui import workflows
from tests.comfyui.workflows import Graph, node

from genlock.engines.comfyui.binding import Bound, bind
from genlock.engines.comfyui.bindings import WorkflowBindings, find, show
from genlock.engines.model import EngineInput, RenderSpec
from genlock.errors import Invalid

NAME = "walk.json"


def bound(graph: Graph, *given: EngineInput, bindings: dict[str, Any] | None = None, **values: Any) -> Bound:
    spec = RenderSpec(run="run", workdir=Path("nowhere"), inputs=given, parameters=values)
    return bind(graph, find(graph, bindings, "video", NAME), spec, NAME)


def given(*roles: str) -> tuple[EngineInput, ...]:
    """Return an input for each role, numbered within it."""
    return tuple(
        EngineInput(key=f"{role}{roles[:at].count(role)}", role=role, ordinal=roles[:at].count(role))
        for at, role in enumerate(roles)
    )


def words(answer: WorkflowBindings, word: str) -> list[tuple[str, str, Any]]:
    return [(place.node, place.input, place.value) for place in answer.places if place.word == word]


def with_math() -> Graph:
    graph = workflows.image_to_video()
    graph["9"]["inputs"]["length"] = ["42", 1]
    graph["40"] = node("PrimitiveInt", value=2)
    graph["41"] = node("PrimitiveInt", value=4)
    graph["42"] = node("ComfyMathExpression", expression="a * b + 1") | {}
    graph["42"]["inputs"] |= {"values.a": ["40", 0], "values.b": ["41", 0]}
    return graph


def test_a_computed_value_is_shown_and_recorded_and_cannot_be_set() -> None:
    graph = with_math()
    [place] = [place for place in show(graph, None, NAME).places if place.word == "frames"]
    assert (place.node, place.input, place.value, place.computed) == ("9", "length", 9, True)
    assert [(source.node, source.input) for source in place.sources] == [
        ("42", "expression"),
        ("40", "value"),
        ("41", "value"),
    ]
    usual = given("model", "lora", "vae", "text_encoder", "variant")
    assert bound(graph, *usual).parameters["frames"] == 9
    with pytest.raises(Invalid, match="no place for the parameter 'frames'"):
        bound(graph, *usual, frames=5)
    declared = {"frames": [{"node": "40", "input": "value"}]}
    assert bound(graph, *usual, bindings=declared, frames=3).graph["40"]["inputs"]["value"] == 3


def switched(live: bool) -> Graph:
    graph = workflows.image_to_video()
    graph["40"] = node("PrimitiveBoolean", value=live)
    graph["41"] = node("ComfySwitchNode", switch=("40", 0), on_false=("1", 0), on_true=("2", 0))
    graph["42"] = node("ComfySwitchNode", switch=("40", 0), on_false=20, on_true=4)
    graph["3"]["inputs"]["model"] = ["41", 0]
    graph["10"]["inputs"]["steps"] = ["42", 0]
    return graph


def test_only_the_live_side_of_a_switch_is_bound_and_sent() -> None:
    without = bound(switched(False), *given("model", "vae", "text_encoder", "variant"), steps=10)
    assert "2" not in without.graph, "the LoRA of the other side need not be there"
    assert without.graph["41"]["inputs"] == {"switch": ["40", 0], "on_false": ["1", 0], "on_true": ["1", 0]}
    assert without.graph["42"]["inputs"] == {"switch": ["40", 0], "on_false": 10, "on_true": 4}
    with_lora = bound(switched(True), *given("model", "lora", "vae", "text_encoder", "variant"), steps=10)
    assert with_lora.graph["41"]["inputs"]["on_true"] == ["2", 0]
    assert with_lora.graph["42"]["inputs"]["on_true"] == 10


def test_one_file_in_several_places_is_one_input() -> None:
    graph = workflows.checkpoint_to_video()
    graph["50"] = node("CheckpointLoaderSimple", ckpt_name="tiny_all.safetensors")
    graph["11"]["inputs"]["vae"] = ["50", 2]
    assert len(words(show(graph, None, NAME), "model")) == 2
    result = bound(graph, *given("model", "lora", "text_encoder", "variant"))
    named = result.naming({item.key: f"there/{item.key}" for _, item in result.files})
    assert named["1"]["inputs"]["ckpt_name"] == named["50"]["inputs"]["ckpt_name"] == "there/model0"


def with_pictures(class_type: str, **names: str) -> Graph:
    """Return the usual graph with one picture for each input of another class of node."""
    graph = workflows.image_to_video()
    graph["9"]["class_type"] = class_type
    del graph["9"]["inputs"]["start_image"], graph["8"]
    for number, (name, picture) in enumerate(names.items(), 60):
        graph[str(number)] = node("LoadImage", image=picture)
        graph["9"]["inputs"][name.replace("__", ".")] = [str(number), 0]
    return graph


PICTURES = [
    ("WanFirstLastFrameToVideo", {"end_image": "z.png", "start_image": "a.png"}, {"start": "a.png", "end": "z.png"}),
    ("Wan22FunControlToVideo", {"ref_image": "a.png"}, {"reference": "a.png"}),
    ("MadeUpReferenceToVideo", {"ref_images__ref_image_0": "a.png"}, {"reference": "a.png"}),
    ("WanHuMoImageToVideo", {"ref_image": "a.png"}, {"reference": "a.png"}),
    ("MadeUpImageToVideo", {"image": "a.png"}, {"start": "a.png"}),
    ("MadeUpKeyframes", {"image": "a.png"}, {"key": "a.png"}),
    ("MadeUpControl", {"control_image": "a.png", "first_frame": "b.png"}, {"control": "a.png", "start": "b.png"}),
]


@pytest.mark.parametrize(("class_type", "names", "roles"), PICTURES, ids=[case[0] for case in PICTURES])
def test_pictures_are_bound_by_what_they_are_for(class_type: str, names: dict[str, str], roles: dict[str, str]) -> None:
    answer = show(with_pictures(class_type, **names), None, NAME)
    shown = {
        role: value
        for role in ("start", "end", "key", "reference", "control")
        for _, _, value in words(answer, f"{role} image")
    }
    assert shown == roles
    assert "start image" not in answer.unknown


def test_the_last_frame_of_the_segment_before_goes_to_the_first_frame_and_nowhere_else() -> None:
    files = given("model", "lora", "vae", "text_encoder")
    both = with_pictures("WanFirstLastFrameToVideo", end_image="z.png", start_image="a.png")
    result = bound(both, *files, *given("seed_frame", "variant", "source_image"))
    places = {item.key: (place.node, place.input) for place, item in result.files if place.category == "input"}
    assert places == {"seed_frame0": ("61", "image"), "source_image0": ("60", "image")}
    reference = with_pictures("WanHuMoImageToVideo", ref_image="a.png")
    with pytest.raises(Invalid, match="no place for a first frame") as refused:
        bound(reference, *files, *given("seed_frame"))
    assert refused.value.code == "cannot_bind"


def test_what_a_picture_is_for_is_asked_if_nothing_says_it() -> None:
    graph = with_pictures("SomebodysBox", image="a.png")
    answer = show(graph, None, NAME)
    assert answer.bindings.start_image is None
    assert "node 60 loads a.png for image of node 9 (SomebodysBox)" in answer.unknown["start image"]
    files = given("model", "lora", "vae", "text_encoder")
    with pytest.raises(Invalid, match="the first frame, the last, or a reference"):
        bound(graph, *files, *given("seed_frame"))
    declared = {"start_image": {"node": "60", "input": "image"}}
    assert "start image" not in show(graph, declared, NAME).unknown
    assert bound(graph, *files, *given("seed_frame"), bindings=declared).files


def test_a_declared_start_image_takes_the_place_of_the_one_that_was_found() -> None:
    graph = with_pictures("WanFirstLastFrameToVideo", end_image="z.png", start_image="a.png")
    answer = show(graph, {"start_image": {"node": "60", "input": "image"}}, NAME)
    assert words(answer, "start image") == [("60", "image", "z.png")]
    assert words(answer, "source_image") == [("61", "image", "a.png")]


def test_a_place_in_a_loop_is_refused() -> None:
    graph = workflows.image_to_video()
    graph["70"] = node("easy forLoopStart", total=3)
    graph["71"] = node("easy forLoopEnd", flow=("70", 0), initial_value1=("10", 0))
    graph["10"]["inputs"]["latent_image"] = ["70", 2]
    graph["11"]["inputs"]["samples"] = ["71", 0]
    answer = show(graph, None, NAME)
    assert "node 10 is in a loop" in answer.unknown["seed"]
    with pytest.raises(Invalid, match="node '10' is in a loop"):
        find(graph, {"seed": [{"node": "10", "input": "seed"}]}, "video", NAME)


def test_a_service_is_bound_by_what_its_node_takes() -> None:
    graph = {
        "1": node("LoadImage", image="a.png"),
        "2": node("KlingStartEndFrameNode", start_frame=("1", 0), prompt="she walks", duration="5", seed=3)
        | {"_meta": {"title": "Kling"}},
        "3": node("SaveVideo", video=("2", 0), filename_prefix="walk"),
    }
    graph["2"]["inputs"] |= {"model.resolution": "1080p", "aspect_ratio": "16:9", "negative_prompt": "blurry"}
    answer = show(graph, None, NAME)
    assert {place.word: (place.input, place.value) for place in answer.places if place.node == "2"} == {
        "prompt": ("prompt", "she walks"),
        "negative_prompt": ("negative_prompt", "blurry"),
        "seed": ("seed", 3),
        "duration": ("duration", "5"),
        "resolution": ("model.resolution", "1080p"),
        "aspect_ratio": ("aspect_ratio", "16:9"),
    }
    result = bound(graph, *given("variant"), duration=10, seed="7", prompt="she runs")
    assert (result.graph["2"]["inputs"]["duration"], result.graph["2"]["inputs"]["seed"]) == ("10", 7)
    assert result.parameters["duration"] == "10"
    assert result.services["services"] == "Kling"
    assert result.services["reproducible"].startswith("no")
    with pytest.raises(Invalid, match=r"'duration' is .*True.*, not text"):
        bound(graph, *given("variant"), duration=True)


@pytest.mark.parametrize(
    ("class_type", "name", "folder"),
    [
        ("UnetLoaderGGUF", "unet_name", "unet_gguf"),
        ("CLIPVisionLoader", "clip_name", "clip_vision"),
        ("LTXAVTextEncoderLoader", "ckpt_name", "checkpoints"),
        ("LoadMoGeModel", "model_name", "geometry_estimation"),
        ("WanVideoModelLoader", "model", "diffusion_models"),
    ],
)
def test_the_class_says_the_folder_before_the_name_of_the_input(class_type: str, name: str, folder: str) -> None:
    graph = workflows.image_to_video()
    graph["1"] = node(class_type, **{name: "tiny.safetensors"})
    [place] = [place for place in show(graph, None, NAME).places if place.node == "1"]
    assert (place.input, place.folder) == (name, folder)


def test_the_request_to_a_language_model_that_writes_the_prompt_is_bound() -> None:
    graph = workflows.image_to_video()
    graph["80"] = node("TextGenerateLTX2Prompt", clip=("4", 0), prompt=("81", 0), max_length=256)
    graph["81"] = node("PrimitiveStringMultiline", value="she walks")
    graph["5"]["inputs"]["text"] = ["80", 0]
    answer = show(graph, None, NAME)
    assert [(place.node, place.input) for place in answer.bindings.prompt] == [("81", "value")]
    [unsure] = [place for place in answer.places if place.word == "prompt" and place.computed]
    assert (unsure.node, unsure.value, unsure.reason) == ("5", None, "a language model writes it, node 80")


def test_what_a_service_that_is_not_known_makes_of_a_picture_is_asked() -> None:
    graph = {
        "1": node("LoadImage", image="a.png"),
        "2": node("GeminiNanoBanana2", images=("1", 0), prompt="a walk", seed=3),
        "3": node("KlingStartEndFrameNode", start_frame=("2", 0), prompt="she walks", seed=3),
        "4": node("SaveVideo", video=("3", 0), filename_prefix="walk"),
    }
    answer = show(graph, None, NAME)
    assert answer.bindings.start_image is None
    assert "images of node 2 (GeminiNanoBanana2)" in answer.unknown["start image"]
