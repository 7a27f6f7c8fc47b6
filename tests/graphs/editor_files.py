"""Small workflows as ComfyUI's page saves them, and the definitions of their classes."""

from typing import Any

from genlock.graphs.node_definitions import read_definitions


def _class(required: dict[str, Any], outputs: list[str], **fields: Any) -> dict[str, Any]:
    return {"input": {"required": required}, "input_order": {"required": list(required)}, "output": outputs} | fields


OBJECT_INFO: dict[str, Any] = {
    "Model": _class({"name": [["a.safetensors", "b.safetensors"], {}]}, ["MODEL"]),
    "Lora": _class({"model": ["MODEL", {}], "strength": ["FLOAT", {"default": 1.0}]}, ["MODEL"]),
    "Text": _class({"text": ["STRING", {"multiline": True, "dynamicPrompts": True}]}, ["CONDITIONING"]),
    "Sampler": _class(
        {
            "model": ["MODEL", {}],
            "seed": ["INT", {"default": 0, "control_after_generate": True}],
            "steps": ["INT", {"default": 20}],
            "sampler_name": [["euler", "heun"], {}],
            "positive": ["CONDITIONING", {}],
            "denoise": ["FLOAT", {"default": 1.0}],
        },
        ["LATENT"],
    ),
    "Image": _class({"image": [["x.png"], {"image_upload": True}]}, ["IMAGE", "MASK"]),
    "Scale": _class(
        {
            "image": ["IMAGE", {}],
            "how": [
                "COMFY_DYNAMICCOMBO_V3",
                {
                    "options": [
                        {"key": "factor", "inputs": {"required": {"by": ["FLOAT", {"default": 2.0}]}}},
                        {
                            "key": "size",
                            "inputs": {
                                "required": {"width": ["INT", {"default": 512}], "height": ["INT", {"default": 512}]}
                            },
                        },
                        {"key": "match", "inputs": {"required": {"other": ["IMAGE", {}]}}},
                    ]
                },
            ],
            "method": [["area", "lanczos"], {}],
        },
        ["IMAGE"],
    ),
    "Batch": _class(
        {
            "images": [
                "COMFY_AUTOGROW_V3",
                {"template": {"input": {"required": {"image": ["IMAGE", {}]}}, "prefix": "image", "min": 1, "max": 9}},
            ]
        },
        ["IMAGE"],
    ),
    "Save": _class({"images": ["IMAGE", {}], "filename_prefix": ["STRING", {"default": "out"}]}, []),
    "Old": _class({"value": ["INT", {"forceInput": True}], "name": ["STRING", {}]}, ["INT"]),
    "Box": _class({"region": ["BOUNDING_BOX", {}], "colors": ["COLORS", {}]}, ["IMAGE"]),
    "Record": _class({"audio": ["AUDIO_RECORD", {}]}, ["AUDIO"]),
    "CustomCombo": _class({"choice": ["COMBO", {"options": []}]}, ["STRING", "INT"]),
    "VideoCombine": _class(
        {"images": ["IMAGE", {}], "format": [["gif", "h264"], {}]}, [], python_module="custom_nodes.VideoHelperSuite"
    ),
    "SaveVideo": _class({"images": ["IMAGE", {}], "filename_prefix": ["STRING", {}]}, []),
}
DEFINITIONS = read_definitions(OBJECT_INFO)


def node(node_id: int, kind: str, widgets: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a node; ``links`` maps the names of its inputs to links, ``gives`` lists the types of its outputs."""
    links, gives = fields.pop("links", {}), fields.pop("gives", [])
    types, shown = fields.pop("types", {}), fields.pop("shown", ())
    inputs = [
        {"name": name, "type": types.get(name, "*"), "link": link}
        | ({"widget": {"name": name}} if name in shown else {})
        for name, link in links.items()
    ]
    outputs = [{"name": kind, "type": kind} for kind in gives]
    return {
        "id": node_id,
        "type": kind,
        "mode": 0,
        "inputs": inputs,
        "outputs": outputs,
        "widgets_values": widgets,
    } | fields


def workflow(nodes: list[dict[str, Any]], links: list[list[Any]], subgraphs: list[Any] | None = None) -> dict[str, Any]:
    """Return a workflow; a link is ``[id, origin, its slot, target, its slot]``."""
    return {
        "version": 0.4,
        "last_node_id": max((entry["id"] for entry in nodes), default=0),
        "nodes": nodes,
        "links": [[*link, "*"] for link in links],
        "definitions": {"subgraphs": subgraphs or []},
    }


def subgraph(key: str, nodes: list[dict[str, Any]], links: list[list[Any]], **ports: Any) -> dict[str, Any]:
    """Return a subgraph; ``inputs`` and ``outputs`` map names to the links inside; its ends are -10 and -20."""
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    return {
        "id": key,
        "name": key,
        "nodes": nodes,
        "links": [dict(zip(keys, link, strict=True)) for link in links],
        **{
            side: [{"name": name, "type": "*", "linkIds": inside} for name, inside in ports.get(side, {}).items()]
            for side in ("inputs", "outputs")
        },
    }
