"""Reading a ComfyUI server's ``/object_info``: both spellings of lists, V3's dynamic inputs, and what is refused."""

import json
from typing import Any

import pytest

from genlock.digest import canonical
from genlock.errors import Invalid
from genlock.graphs.node_definition import NodeOutput
from genlock.graphs.node_definitions import (
    MAX_KEPT_OPTIONS,
    definitions_for,
    read_definition,
    read_definitions,
    to_object_info,
)


def _class(required: dict[str, Any], optional: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"input": {"required": required, "optional": optional or {}}, "output": ["LATENT"], **fields}


SAMPLER = _class(
    {
        "model": ["MODEL", {"tooltip": "…"}],
        "seed": ["INT", {"default": 0, "min": 0, "max": 18446744073709551615, "control_after_generate": True}],
        "sampler_name": [["euler", "heun"], {}],
        "scheduler": ["COMBO", {"options": ["simple", "karras"], "default": "karras"}],
        "size": [
            "COMFY_DYNAMICCOMBO_V3",
            {
                "options": [
                    {"key": "by factor", "inputs": {"required": {"factor": ["FLOAT", {"default": 2.0}]}}},
                    {"key": "exact", "inputs": {"required": {"width": ["INT", {}]}, "optional": {"crop": [["no"]]}}},
                ]
            },
        ],
        "images": [
            "COMFY_AUTOGROW_V3",
            {"template": {"input": {"required": {"image": ["IMAGE", {}]}}, "prefix": "image", "min": 2, "max": 3}},
        ],
        "values": [
            "COMFY_AUTOGROW_V3",
            {"template": {"input": {"required": {"value": ["FLOAT,INT", {}]}}, "names": ["a", "b"], "min": 1}},
        ],
        "any": ["COMFY_MATCHTYPE_V3", {"template": {"template_id": "kind", "allowed_types": "IMAGE,MASK"}}],
        "sigma": ["FLOAT", {"forceInput": True}],
        "region": ["BOUNDING_BOX", {"socketless": True}],
        "file": [["a.png"], {"image_upload": True}],
    },
    {"noise": ["INT", {}]},
    output=["LATENT", "COMFY_MATCHTYPE_V3", ["x", "y"]],
    output_name=["samples", "any"],
    output_is_list=[False, True],
    output_matchtypes=[None, "kind"],
    display_name="Sampler",
    category="sampling",
    python_module="custom_nodes.pack",
    output_node=True,
    api_node=True,
)
SAMPLER["input"]["hidden"] = {"unique_id": "UNIQUE_ID", "prompt": "PROMPT"}
SAMPLER["input_order"] = {"required": ["seed", "model"], "optional": ["noise"]}


def test_a_class_is_read_with_its_inputs_in_the_page_s_order() -> None:
    sampler = read_definition("Sampler", SAMPLER)

    assert [entry.name for entry in sampler.inputs][:3] == ["seed", "model", "sampler_name"]
    assert (sampler.display_name, sampler.category, sampler.module) == ("Sampler", "sampling", "custom_nodes.pack")
    assert sampler.is_output and sampler.is_partner
    assert sampler.hidden == ("prompt", "unique_id")
    assert sampler.outputs == (
        NodeOutput("LATENT", "samples"),
        NodeOutput("*", "any", True, "kind"),
        NodeOutput("COMBO", "COMBO"),
    )


@pytest.mark.parametrize(
    ("name", "kind", "is_widget", "default"),
    [
        ("model", "MODEL", False, None),
        ("seed", "INT", True, 0),
        ("sampler_name", "COMBO", True, "euler"),
        ("scheduler", "COMBO", True, "karras"),
        ("size", "COMFY_DYNAMICCOMBO_V3", True, "by factor"),
        ("size.factor", "FLOAT", True, 2.0),
        ("size.crop", "COMBO", True, "no"),
        ("images.image2", "IMAGE", False, None),
        ("values.b", "FLOAT,INT", False, None),
        ("any", "IMAGE,MASK", False, None),
        ("sigma", "FLOAT", False, None),
        ("region", "BOUNDING_BOX", True, None),
    ],
)
def test_an_input_has_its_type_its_default_and_whether_it_is_a_widget(
    name: str, kind: str, is_widget: bool, default: Any
) -> None:
    entry = read_definition("Sampler", SAMPLER).input(name)

    assert entry is not None
    assert (entry.type, entry.is_widget, entry.default) == (kind, is_widget, default)


@pytest.mark.parametrize("name", ["", "seed.x", "size.height", "images.image3", "images.picture0", "values.c", "nope"])
def test_an_input_that_the_class_does_not_have_is_none(name: str) -> None:
    assert read_definition("Sampler", SAMPLER).input(name) is None


def test_settings_of_inputs_are_read() -> None:
    sampler = read_definition("Sampler", SAMPLER)
    seed, region, file, noise = (sampler.input(name) for name in ("seed", "region", "file", "noise"))
    assert seed and region and file and noise

    assert seed.control == "control_after_generate"
    assert (seed.minimum, seed.maximum) == (0, float(2**64))
    assert region.flags == {"socketless"}
    assert file.upload == "image_upload"
    assert (seed.required, noise.required) == (True, False)


def test_what_is_written_is_read_back_as_the_same_values() -> None:
    definitions = read_definitions({"Sampler": SAMPLER, "Other": _class({"z": ["INT", {}], "a": ["INT", {}]})})

    written = canonical(to_object_info(definitions))

    assert read_definitions(json.loads(written)) == definitions


def test_only_the_classes_of_a_graph_are_kept_and_no_list_of_files() -> None:
    files = [f"{number}.safetensors" for number in range(MAX_KEPT_OPTIONS + 1)]
    definitions = read_definitions({"Loader": _class({"name": [files, {}]}), "Unused": _class({})})

    stored = definitions_for(definitions, ["Loader", "Missing"])

    assert list(stored) == ["Loader"]
    [name] = stored["Loader"].inputs
    assert (name.type, name.options, name.default) == ("COMBO", None, "0.safetensors")


def test_a_class_that_cannot_be_read_is_left_out_of_the_others() -> None:
    assert list(read_definitions({"Broken": {"input": {"required": {"x": 5}}}, "Good": _class({})})) == ["Good"]


def _nested(depth: int) -> list[Any]:
    spec: list[Any] = ["INT", {}]
    for _ in range(depth):
        spec = ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "k", "inputs": {"required": {"x": spec}}}]}]
    return spec


UNREADABLE: list[tuple[dict[str, Any], str]] = [
    ({"x": []}, "'x' has no type"),
    ({"x": ["INT", "text"]}, "'x' has no type"),
    ({"x": [7, {}]}, "not a text"),
    ({"\ud800": ["INT", {}]}, "surrogates"),
    ({"x": _nested(9)}, "nested too deeply"),
    ({f"x{number}": ["INT", {}] for number in range(2001)}, "more than 2,000 inputs"),
    ({"x": [["a"] * 50_001, {}]}, "more than 50,000 options"),
    ({"x": ["COMFY_AUTOGROW_V3", {"template": {"input": {}}}]}, "has no type"),
    ({"x": ["COMFY_AUTOGROW_V3", {"template": {"input": {"required": {"y": ["INT"]}}, "max": 1e9}}]}, "bound"),
]


@pytest.mark.parametrize(("required", "reason"), UNREADABLE)
def test_a_definition_that_cannot_be_read_is_refused_with_its_class(required: dict[str, Any], reason: str) -> None:
    with pytest.raises(Invalid, match="'Odd' cannot be read") as refusal:
        read_definition("Odd", _class(required))

    assert reason in refusal.value.message


@pytest.mark.parametrize(
    "object_info", [[], {}, {"A": 5}, dict.fromkeys(map(str, range(20_001)))], ids=["list", "empty", "broken", "huge"]
)
def test_what_is_no_object_of_classes_is_refused(object_info: Any) -> None:
    with pytest.raises(Invalid, match="not the definitions"):
        read_definitions(object_info)
