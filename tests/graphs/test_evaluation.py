"""What nodes give before a graph runs: values passed on, selected or computed, and which side of a switch acts."""

import re
from typing import Any

import pytest

from genlock.graphs.evaluation import Unknown
from genlock.graphs.reading import read_uses
from genlock.graphs.uses import Setting
from genlock.graphs.wiring import Wiring

Graph = dict[str, Any]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """Return a node; two underscores in a name are a dot."""
    return {"class_type": class_type, "inputs": {name.replace("__", "."): value for name, value in inputs.items()}}


def value_of(graph: Graph, link: list[Any]) -> Setting | Unknown | None:
    """Return what ``link`` gives to an input of a node that saves."""
    whole = graph | {"end": node("SaveVideo", filename_prefix="end", taken=link)}
    return Wiring(whole, "end").setting("end", "taken")


LENGTH: Graph = {
    "1": node("PrimitiveInt", value=5),
    "2": node("PrimitiveInt", value=16),
    "3": node("ComfyMathExpression", expression="a * b + 1", values__a=["1", 0], values__b=["2", 0]),
}


def test_a_computed_value_names_what_it_comes_from() -> None:
    setting = value_of(LENGTH, ["3", 1])
    assert isinstance(setting, Setting)
    assert setting == Setting("end", "taken", 81, (), (("3", "expression"), ("1", "value"), ("2", "value")))
    assert setting.is_computed
    assert value_of(LENGTH, ["1", 0]) == Setting("1", "value", 5), "passed on unchanged, it keeps its place"


@pytest.mark.parametrize(
    ("graph", "link", "value"),
    [
        ({"1": node("ComfyNumberConvert", value=" 2.5 ")}, ["1", 1], 2),
        ({"1": node("ComfyNotNode", value=False)}, ["1", 0], True),
        ({"1": node("ComfyAndNode", values__value0=1, values__value1=0)}, ["1", 0], False),
        ({"1": node("ComfyOrNode", values__value0=1, values__value1=0)}, ["1", 0], True),
        ({"1": node("StringConcatenate", string_a="a", string_b="b", delimiter=", ")}, ["1", 0], "a, b"),
        ({"1": node("StringReplace", string="a b", find="a", replace="c")}, ["1", 0], "c b"),
        ({"1": node("StringSubstring", string="abcd", start=1, end=-1)}, ["1", 0], "bc"),
        ({"1": node("StringTrim", string=" a ", mode="Left")}, ["1", 0], "a "),
        ({"1": node("CaseConverter", string="ab", mode="UPPERCASE")}, ["1", 0], "AB"),
        (
            {"1": node("StringCompare", string_a="AB", string_b="ab", mode="Equal", case_sensitive=False)},
            ["1", 0],
            True,
        ),
        ({"1": node("StringContains", string="abc", substring="B")}, ["1", 0], False),
        ({"1": node("StringFormat", f_string="{a} of {b}", values__a=2, values__b="x")}, ["1", 0], "2 of x"),
        ({"1": node("CustomCombo", choice="dance", index=3, option1="walk")}, ["1", 1], 3),
        ({"1": node("ResolutionSelector", aspect_ratio="16:9 (Wide)", megapixels=0.4, multiple=32)}, ["1", 0], 864),
        (
            {
                "1": node("EmptyImage", width=1280, height=720, batch_size=1, color=0),
                "2": node("ImageScaleBy", image=["1", 0], upscale_method="lanczos", scale_by=0.5),
                "3": node("GetImageSize", image=["2", 0]),
            },
            ["3", 1],
            360,
        ),
        (
            {
                "1": node("LoadImage", image="a.png"),
                "2": node(
                    "ResizeImageMaskNode",
                    input=["1", 0],
                    resize_type="scale dimensions",
                    resize_type__width=640,
                    resize_type__height=384,
                ),
                "3": node("GetImageSize", image=["2", 0]),
            },
            ["3", 0],
            640,
        ),
    ],
)
def test_nodes_of_constants_are_computed(graph: Graph, link: list[Any], value: Any) -> None:
    setting = value_of(graph, link)
    assert isinstance(setting, Setting)
    assert (setting.value, setting.is_computed) == (value, True)


@pytest.mark.parametrize(
    ("graph", "link", "why"),
    [
        ({"1": node("ComfyMathExpression", expression="a +", values__a=1)}, ["1", 1], "not an expression"),
        ({"1": node("ComfyMathExpression", expression="b", values__a=1)}, ["1", 1], "'b' is not arithmetic"),
        ({"1": node("StringFormat", f_string="{a.real}", values__a=2)}, ["1", 0], "names in braces"),
        ({"1": node("StringTrim", string=3, mode="Left")}, ["1", 0], "takes a text"),
        ({"1": node("StringTrim", string="a", mode="Sideways")}, ["1", 0], "an input that it cannot use"),
        ({"1": node("SomebodysDice", sides=6)}, ["1", 0], "what SomebodysDice gives is not known here"),
        (
            {"1": node("LoadVideo", file="a.mp4"), "2": node("GetVideoComponents", video=["1", 0])},
            ["2", 2],
            r"a property of the file that node 1 \(LoadVideo\) loads",
        ),
        (
            {"1": node("LoadImage", image="a.png"), "2": node("GetImageSize", image=["1", 0])},
            ["2", 0],
            r"a property of the file that node 1 \(LoadImage\) loads",
        ),
    ],
)
def test_what_cannot_be_computed_says_why(graph: Graph, link: list[Any], why: str) -> None:
    unknown = value_of(graph, link)
    assert isinstance(unknown, Unknown)
    assert re.search(why, unknown.reason)


SWITCHED: Graph = {
    "1": node("UNETLoader", unet_name="wan.safetensors"),
    "2": node("LoraLoaderModelOnly", model=["1", 0], lora_name="fast.safetensors", strength_model=1.0),
    "3": node("PrimitiveBoolean", value=False),
    "4": node("ComfySwitchNode", switch=["3", 0], on_false=["1", 0], on_true=["2", 0]),
    "5": node("ComfySwitchNode", switch=["3", 0], on_false=20, on_true=["6", 0]),
    "6": node("PrimitiveInt", value=4),
    "10": node(
        "KSampler", model=["4", 0], seed=1, steps=["5", 0], cfg=1, sampler_name="euler", scheduler="simple", denoise=1
    ),
    "11": node("SaveVideo", video=["10", 0], filename_prefix="walk"),
}


def test_only_the_live_side_of_a_switch_acts() -> None:
    reading = read_uses(SWITCHED, "11")
    assert [file.name for file in reading.files] == ["wan.safetensors"]
    assert reading.samplers[0].settings["steps"] == Setting("5", "on_false", 20)
    fast = SWITCHED | {"3": node("PrimitiveBoolean", value=True)}
    reading = read_uses(fast, "11")
    assert [file.name for file in reading.files] == ["wan.safetensors", "fast.safetensors"]
    assert reading.samplers[0].settings["steps"] == Setting("6", "value", 4)


def test_if_nothing_says_which_side_is_live_both_may_be() -> None:
    unsure = SWITCHED | {"3": node("SomebodysDice", sides=2)}
    reading = read_uses(unsure, "11")
    assert [file.name for file in reading.files] == ["wan.safetensors", "fast.safetensors"]
    [steps] = [entry for entry in reading.unresolved if entry.word == "steps"]
    assert "node 5 chooses it by switch" in steps.reason


def test_bundles_are_taken_apart() -> None:
    graph: Graph = {
        "1": node("UNETLoader", unet_name="wan.safetensors"),
        "2": node("Context (rgthree)", model=["1", 0], seed=7),
        "3": node("Context (rgthree)", base_ctx=["2", 0], seed=["4", 0]),
        "4": node("Seed (rgthree)", seed=42),
        "10": node("KSampler", model=["3", 1], seed=["3", 8], steps=4, cfg=1, sampler_name="euler", scheduler="simple"),
        "11": node("SaveVideo", video=["10", 0], filename_prefix="walk"),
    }
    reading = read_uses(graph, "11")
    assert reading.samplers[0].settings["seed"] == Setting("4", "seed", 42)
    assert [file.name for file in reading.files] == ["wan.safetensors"]


def test_a_value_in_a_loop_is_not_known() -> None:
    graph: Graph = {
        "1": node("easy forLoopStart", total=3),
        "2": node("KSampler", latent_image=["1", 2], seed=7, steps=4, cfg=1, sampler_name="euler", scheduler="simple"),
        "3": node("easy forLoopEnd", flow=["1", 0], initial_value1=["2", 0]),
        "4": node("SaveVideo", video=["3", 0], filename_prefix="walk"),
    }
    reading = read_uses(graph, "4")
    [seed] = [entry for entry in reading.unresolved if entry.word == "seed"]
    assert "node 2 is in a loop" in seed.reason


def test_texts_that_double_at_each_node_stay_small() -> None:
    graph: Graph = {"0": node("PrimitiveString", value="word " * 20)}
    for number in range(1, 200):
        before = [str(number - 1), 0]
        graph[str(number)] = node("StringConcatenate", string_a=before, string_b=before, delimiter="")
    unknown = value_of(graph, ["199", 0])
    assert isinstance(unknown, Unknown)
    assert "joined to more than any prompt is" in unknown.reason
