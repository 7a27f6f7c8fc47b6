"""Binding: every input and parameter has a place in the graph, or is refused by name before anything is submitted."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.comfyui import workflows
from tests.comfyui.workflows import Graph, node

from genlock.engines.comfyui.binding import PREFIX, Bound, bind, written
from genlock.engines.comfyui.bindings import find, show
from genlock.engines.model import EngineInput, RenderSpec
from genlock.errors import Invalid
from genlock.model import MAX_SEED

LOADED = ("model", "vae", "text_encoder", "variant")
NAME = "walk.json"


def inputs(*more: EngineInput, without: str = "") -> tuple[EngineInput, ...]:
    """Return the inputs that the workflow loads, with a LoRA at 0.7."""
    lora = EngineInput(key="lora", role="lora", filename="mara.safetensors", strength_model=0.7)
    usual = (*(EngineInput(key=role, role=role, filename=f"{role}.bin") for role in LOADED), lora)
    return (*(item for item in usual if item.role != without), *more)


def bound(
    graph: Graph, *, bindings: dict[str, Any] | None = None, given: tuple[EngineInput, ...] | None = None, **values: Any
) -> Bound:
    """Bind the graph with ``values`` as parameters."""
    spec = RenderSpec(run="run", workdir=Path("nowhere"), inputs=given or inputs(), parameters=values)
    return bind(graph, find(graph, bindings, "video", NAME), spec, NAME)


def test_given_parameters_win_and_the_others_stay() -> None:
    graph = workflows.image_to_video()
    before = deepcopy(graph)
    result = bound(graph, seed=str(MAX_SEED), cfg=6.5, steps=7, prompt="a run", width=80, frames=5)
    sampler, size = result.graph["10"]["inputs"], result.graph["9"]["inputs"]
    assert (sampler["seed"], sampler["cfg"], sampler["steps"]) == (MAX_SEED, 6.5, 7)
    assert (sampler["sampler_name"], sampler["denoise"]) == ("euler", 1.0)
    assert (size["width"], size["height"], size["length"]) == (80, 64, 5)
    assert result.graph["5"]["inputs"]["text"] == "a run"
    assert result.graph["2"]["inputs"]["strength_model"] == 0.7
    assert result.graph["13"]["inputs"]["filename_prefix"] == PREFIX
    assert result.parameters == {
        "prompt": "a run", "negative_prompt": "blurry", "seed": str(MAX_SEED), "steps": 7, "cfg": 6.5,
        "sampler": "euler", "scheduler": "simple", "denoise": 1.0, "width": 80, "height": 64, "frames": 5, "fps": 8.0,
    }  # fmt: skip
    assert graph == before, "the workflow itself is left alone"


def test_each_file_has_its_place_and_folder() -> None:
    result = bound(workflows.image_to_video())
    places = {(item.role, place.node, place.input, place.category) for place, item in result.files}
    assert places == {
        ("model", "1", "unet_name", "diffusion_models"),
        ("lora", "2", "lora_name", "loras"),
        ("text_encoder", "4", "clip_name", "text_encoders"),
        ("vae", "7", "vae_name", "vae"),
        ("variant", "8", "image", "input"),
    }
    named = result.naming({item.key: f"there/{item.key}" for _, item in result.files})
    assert named["2"]["inputs"]["lora_name"] == "there/lora"
    assert result.graph["2"]["inputs"]["lora_name"] == "mara_v1.safetensors"


def test_labels_and_unused_nodes_do_not_change_the_graph() -> None:
    plain = workflows.image_to_video()
    titled: Graph = {key: {**entry, "_meta": {"title": f"box {key}"}} for key, entry in plain.items()}
    titled["13"]["inputs"]["filename_prefix"] = "mine/of/today"
    titled["50"] = node("PreviewImage", images=("11", 0))
    names = {item.key: item.key for _, item in bound(plain).files}
    assert bound(titled).output == "13"
    assert written(bound(titled).naming(names)) == written(bound(plain).naming(names))


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ("model", r"Node 1 \(UNETLoader\) loads a file"),
        ("vae", r"Node 7 \(VAELoader\) loads a file"),
        ("text_encoder", r"Node 4 \(CLIPLoader\) loads a file"),
        ("lora", r"Node 2 \(LoraLoaderModelOnly\) has no LoRA"),
        ("variant", r"Node 8 \(LoadImage\) has no image"),
    ],
)
def test_a_loader_without_a_file_is_named(without: str, message: str) -> None:
    with pytest.raises(Invalid, match=message) as refused:
        bound(workflows.image_to_video(), given=inputs(without=without))
    assert refused.value.code == "cannot_bind"


@pytest.mark.parametrize("role", ["model", "vae", "lora", "controlnet", "audio", "video", "prompt"])
def test_an_input_without_a_place_is_named(role: str) -> None:
    more = EngineInput(key="more", role=role, ordinal=1, filename="more.bin")
    with pytest.raises(Invalid, match=r"more\.bin") as refused:
        bound(workflows.image_to_video(), given=inputs(more))
    assert refused.value.code == "cannot_bind"


def test_of_several_start_images_the_seed_frame_is_used() -> None:
    frame = EngineInput(key="frame", role="seed_frame")
    result = bound(workflows.image_to_video(), given=inputs(frame))
    assert [item.key for place, item in result.files if place.category == "input"] == ["frame"]


def test_several_loras_go_in_their_order_with_their_strengths() -> None:
    graph = workflows.image_to_video()
    graph["20"] = node("LoraLoaderModelOnly", model=("2", 0), lora_name="second.safetensors", strength_model=0.25)
    graph["3"]["inputs"]["model"] = ["20", 0]
    second = EngineInput(key="second", role="lora", ordinal=1)
    result = bound(graph, given=inputs(second))
    loras = {item.key: (place.node, item.strength_model) for place, item in result.files if place.role == "lora"}
    assert loras == {"lora": ("2", 0.7), "second": ("20", 0.25)}


def one_number_for_two_loras() -> Graph:
    """Return a graph whose high noise and low noise LoRA share their strength, as pairs of LoRAs are often wired."""
    graph = workflows.image_to_video()
    graph["30"] = node("PrimitiveFloat", value=0.8)
    graph["2"]["inputs"]["strength_model"] = ["30", 0]
    graph["31"] = node("LoraLoaderModelOnly", model=("2", 0), lora_name="low.safetensors", strength_model=("30", 0))
    graph["3"]["inputs"]["model"] = ["31", 0]
    return graph


def test_a_strength_that_two_loras_share_is_one_number() -> None:
    """Otherwise a receipt would name a strength that was not used."""

    def pair(*strengths: float | None) -> tuple[EngineInput, ...]:
        return inputs(
            *(
                EngineInput(key=f"lora{at}", role="lora", ordinal=at, filename=f"{at}.pt", strength_model=strength)
                for at, strength in enumerate(strengths)
            ),
            without="lora",
        )

    result = bound(one_number_for_two_loras(), given=pair(0.5, 0.5))
    assert result.graph["30"]["inputs"]["value"] == 0.5
    assert [item.strength_model for _, item in result.files if item.role == "lora"] == [0.5, 0.5]
    for strengths in ((0.8, 0.5), (0.5, 0.8)):
        with pytest.raises(Invalid, match="serves several things at once: strength_model") as refused:
            bound(one_number_for_two_loras(), given=pair(*strengths))
        assert refused.value.code == "cannot_bind"


def test_a_size_that_width_and_height_share_is_one_number() -> None:
    graph = workflows.image_to_video()
    graph["30"] = node("PrimitiveInt", value=64)
    graph["9"]["inputs"] |= {"width": ["30", 0], "height": ["30", 0]}
    assert bound(graph, width=96).parameters["height"] == 96
    assert bound(graph, width=96, height=96).graph["30"]["inputs"]["value"] == 96
    with pytest.raises(Invalid, match="serves several things at once: width '64' and '96' cannot both be"):
        bound(graph, width=64, height=96)


def test_a_strength_that_the_node_does_not_have_is_refused() -> None:
    lora = EngineInput(key="lora", role="lora", strength_model=0.7, strength_clip=0.2)
    with pytest.raises(Invalid, match="has no strength_clip"):
        bound(workflows.image_to_video(), given=(*inputs(without="lora"), lora))
    same = lora.model_copy(update={"strength_clip": 0.7})
    assert bound(workflows.image_to_video(), given=(*inputs(without="lora"), same)).files


def two_samplers(second_seed: int) -> Graph:
    graph = workflows.image_to_video()
    again = deepcopy(graph["10"])
    again["inputs"] |= {"latent_image": ["10", 0], "seed": second_seed}
    graph["30"] = again
    graph["11"]["inputs"]["samples"] = ["30", 0]
    return graph


def test_two_samplers_with_the_same_value_both_follow() -> None:
    agreed = bound(two_samplers(42), seed="7").graph
    assert (agreed["10"]["inputs"]["seed"], agreed["30"]["inputs"]["seed"]) == (7, 7)
    own = bound(two_samplers(99), seed="7").graph
    assert sorted((own["10"]["inputs"]["seed"], own["30"]["inputs"]["seed"])) in ([7, 42], [7, 99])


def test_a_parameter_that_comes_from_a_link_is_refused_with_the_reason() -> None:
    graph = workflows.image_to_video()
    graph["40"] = node("SomebodysText", words="from elsewhere")
    graph["5"]["inputs"]["text"] = ["40", 0]
    with pytest.raises(Invalid, match="no place for the parameter 'prompt'") as refused:
        bound(graph, prompt="a run")
    assert "40" in refused.value.message
    assert bound(graph).parameters.get("prompt") is None


@pytest.mark.parametrize(
    "values", [{"mood": "sad"}, {"steps": 0}, {"steps": 2.5}, {"cfg": "4"}, {"prompt": 3}, {"seed": 42}, {"seed": "-1"}]
)
def test_invalid_parameters_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=next(iter(values))) as refused:
        bound(workflows.image_to_video(), **values)
    assert refused.value.code == "cannot_bind"


# declared bindings ---------------------------------------------------------------------------------


def test_declared_bindings_win_field_by_field() -> None:
    graph = workflows.image_to_video()
    graph["60"] = node("SomebodysBox", model=("3", 0), strength_of_will=0.5)
    graph["10"]["inputs"]["model"] = ["60", 0]
    result = bound(graph, bindings={"cfg": [{"node": "60", "input": "strength_of_will"}]}, cfg=0.9, seed="7")
    assert result.graph["60"]["inputs"]["strength_of_will"] == 0.9
    assert result.graph["10"]["inputs"]["cfg"] == 4.0
    assert result.graph["10"]["inputs"]["seed"] == 7, "the rest is found as before"


@pytest.mark.parametrize(
    ("bindings", "why"),
    [
        ({"seed": [{"node": "99", "input": "seed"}]}, "no node '99'"),
        ({"seed": [{"node": "10", "input": "sede"}]}, "holds no value 'sede'"),
        ({"seed": [{"node": "10", "input": "model"}]}, "holds no value 'model'"),
        ({"seed": [{"node": "10", "input": "seed", "inside": ["deep"]}]}, "no 'deep'"),
        ({"seed": "10"}, "seed"),
        ({"moods": []}, "moods"),
        ({"version": 2}, "version"),
        ({"start_image": {"node": "10", "input": "seed"}}, "start_image needs a text"),
        ({"prompt": [{"node": "10", "input": "seed"}]}, "prompt needs a text"),
        ({"sampler": [{"node": "10", "input": "steps"}]}, "sampler needs a text"),
        ({"seed": [{"node": "5", "input": "text"}]}, "seed needs a number"),
        ({"loras": [{"node": "2", "name": "strength_model"}]}, "loras needs a text"),
        ({"loras": [{"node": "2", "name": "lora_name", "strength_model": "lora_name"}]}, "a strength needs a num"),
        ({"loras": [{"node": "2", "name": "lora_name"}] * 2}, "cannot take two files"),
        ({"start_image": {"node": "7", "input": "vae_name"}}, "cannot take two files"),
    ],
)
def test_invalid_bindings_are_refused_with_the_field(bindings: dict[str, Any], why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        find(workflows.image_to_video(), bindings, "video", NAME)
    assert refused.value.code == "bad_bindings"


def test_of_several_savers_one_is_the_video_and_bindings_may_name_another() -> None:
    graph = workflows.image_to_video()
    graph["14"] = node("SaveAnimatedWEBP", images=("11", 0), filename_prefix="again", fps=8.0)
    graph["15"] = node("PreviewImage", images=("11", 0))
    assert bound(graph).output == "13"
    extra = show(graph, None, NAME).extra_outputs
    assert [(output.node, output.class_type) for output in extra] == [
        ("14", "SaveAnimatedWEBP"),
        ("15", "PreviewImage"),
    ]
    result = bound(graph, bindings={"output": "14"})
    assert result.output == "14"
    assert "13" not in result.graph, "only what makes the output is run"


def test_a_graph_without_a_saver_is_refused() -> None:
    graph = workflows.image_to_video()
    del graph["13"]
    with pytest.raises(Invalid, match=r"No node of walk\.json is known to save a video"):
        bound(graph)


def test_an_editors_workflow_is_refused_with_the_way_to_export() -> None:
    drawing = {"nodes": [{"id": 1, "type": "KSampler"}], "links": [], "version": 0.4}
    with pytest.raises(Invalid, match="API format") as refused:
        find(drawing, None, "video", NAME)
    assert "Export (API)" in str(refused.value.hint)


def test_the_places_of_inputs_and_parameters_are_shown() -> None:
    shown = show(workflows.image_to_image(), None, NAME)
    assert shown.produces == "image"
    places = {(place.word, place.node, place.input): place.value for place in shown.places}
    assert places["seed", "10", "seed"] == 42
    assert places["lora", "2", "lora_name"] == "mara_v1.safetensors"
    assert places["start image", "8", "image"] == "start.png"
    assert shown.unknown == {}


# how a graph is written ------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.text() | st.integers(-(2**70), 2**70)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(st.dictionaries(st.text(), VALUES))
def test_a_graph_is_written_to_the_last_digit(graph: dict[str, Any]) -> None:
    assert json.loads(written(graph)) == graph
    assert written(json.loads(written(graph))) == written(graph)


@given(seed=st.integers(0, MAX_SEED), cfg=st.floats(0, 100), steps=st.integers(1, 10**6), prompt=st.text())
def test_the_bound_parameters_are_the_given_ones(seed: int, cfg: float, steps: int, prompt: str) -> None:
    parameters: dict[str, Any] = {"seed": str(seed), "cfg": cfg, "steps": steps, "prompt": prompt}
    result = bound(workflows.image_to_video(), **parameters)
    assert parameters.items() <= result.parameters.items()
    again = bound(json.loads(written(result.graph)))
    assert {word: again.parameters[word] for word in parameters} == parameters
