"""The classes of nodes of a ComfyUI server, read from its ``/object_info``: their inputs, widgets and outputs.

    {"KSampler": {"input": {"required": {"seed": ["INT", {"default": 0, "control_after_generate": true}], …}}, …}}

The two spellings of a list of options, ``[["euler", "heun"], {}]`` and ``["COMBO", {"options": ["euler", "heun"]}]``,
are read as the same. So are inputs that depend on a choice (``COMFY_DYNAMICCOMBO_V3``), inputs that grow in number
(``COMFY_AUTOGROW_V3``) and inputs that take one type with others (``COMFY_MATCHTYPE_V3``).

Definitions come from outside and are bounded; a class whose definition cannot be read is left out. ``to_object_info``
writes definitions in the same spelling: what it writes is read back as the same values.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from genlock.errors import Invalid
from genlock.graphs.graph import MAX_EXACT
from genlock.graphs.json_parts import as_list, as_object
from genlock.graphs.node_definition import Choice, Growth, NodeDefinition, NodeInput, NodeOutput, Option

CHOICE, GROWING, MATCHING = "COMFY_DYNAMICCOMBO_V3", "COMFY_AUTOGROW_V3", "COMFY_MATCHTYPE_V3"
"""Types of inputs that depend on a choice, that grow in number, and that take one type with others."""

MAX_CLASSES = 20_000
MAX_INPUTS = 2_000
"""The most inputs of a class, those of all its choices included."""
MAX_OPTIONS = 50_000

MAX_KEPT_OPTIONS = 100
"""The longest list of options that is kept with a workflow: longer ones list the files of a server."""
_MAX_TEXT = 10_000
_MAX_DEPTH = 6
_UPLOADS = ("image_upload", "video_upload", "animated_image_upload", "audio_upload", "file_upload", "mesh_upload")
_FLAGS = ("forceInput", "socketless", "multiline", "dynamicPrompts", "lazy", "rawLink", "hidden")


def read_definitions(object_info: Any) -> Mapping[str, NodeDefinition]:
    """Return the classes of ``/object_info`` by name, without those whose definition cannot be read.

    Raises ``Invalid`` if it is not an object of classes, has too many, or if none of them can be read.
    """
    if not isinstance(object_info, dict):
        raise _refused("they are not a JSON object")
    entries = cast(dict[str, Any], object_info)
    if len(entries) > MAX_CLASSES:
        raise _refused(f"they have more than {MAX_CLASSES:,} classes")
    definitions: dict[str, NodeDefinition] = {}
    reason = "they have no classes"
    for class_type, entry in entries.items():
        try:
            definitions[class_type] = read_definition(class_type, entry)
        except Invalid as error:
            reason = error.message
    if not definitions:
        raise _refused(reason.removesuffix("."))
    return definitions


def read_definition(class_type: str, entry: Any) -> NodeDefinition:
    """Return one class of ``/object_info``; raise ``Invalid``, naming the class, if it cannot be read."""
    try:
        fields = as_object(entry)
        hidden = as_object(as_object(fields.get("input")).get("hidden"))
        return NodeDefinition(
            class_type=_text(class_type),
            display_name=_text(fields.get("display_name") or class_type),
            category=_text(fields.get("category") or ""),
            module=_text(fields.get("python_module") or ""),
            inputs=_inputs(fields, "input", _Budget(MAX_INPUTS)),
            hidden=tuple(sorted(map(_text, hidden))),
            outputs=_outputs(fields),
            is_output=fields.get("output_node") is True,
            is_partner=fields.get("api_node") is True,
        )
    except ValueError as error:
        raise Invalid(
            f"The definition of the class {class_type[:80]!r} cannot be read: {error}.",
            hint="Read the definitions from the server again (/object_info), and update its node pack.",
            code="bad_definition",
        ) from error


def definitions_for(
    definitions: Mapping[str, NodeDefinition], class_types: Iterable[str]
) -> Mapping[str, NodeDefinition]:
    """Return the definitions of some classes, small enough to be kept: without long lists of options."""
    return {
        name: definitions[name]._replace(inputs=tuple(map(_shortened, definitions[name].inputs)))
        for name in sorted(set(class_types))
        if name in definitions
    }


def to_object_info(definitions: Mapping[str, NodeDefinition]) -> dict[str, Any]:
    """Return definitions as ``/object_info`` spells them, with only what is read; the order of keys says nothing."""
    return {name: _definition_json(definition) for name, definition in definitions.items()}


class _Budget:
    """Counts inputs down; raises ``ValueError`` if a class has too many."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"it has more than {MAX_INPUTS:,} inputs")


def _inputs(fields: Mapping[str, Any], key: str, budget: _Budget, depth: int = 0) -> tuple[NodeInput, ...]:
    """Return the inputs under ``key`` of a class, a choice or a template, in the order of ``input_order`` if given."""
    if depth > _MAX_DEPTH:
        raise ValueError("its inputs are nested too deeply")
    sections, orders = as_object(fields.get(key)), as_object(fields.get("input_order"))
    inputs: list[NodeInput] = []
    for section in ("required", "optional"):
        specs = as_object(sections.get(section))
        first = [name for name in as_list(orders.get(section)) if isinstance(name, str) and name in specs]
        for name in dict.fromkeys([*first, *specs]):
            budget.spend()
            inputs.append(_input(_text(name), specs[name], section == "required", budget, depth))
    return tuple(inputs)


def _input(name: str, spec: Any, required: bool, budget: _Budget, depth: int) -> NodeInput:
    parts = as_list(spec)
    if not parts or (len(parts) > 1 and not isinstance(parts[1], dict)):
        raise ValueError(f"its input {name[:80]!r} has no type")
    settings = as_object(parts[1]) if len(parts) > 1 else {}
    kind, options = parts[0], None
    if isinstance(kind, list) or kind == "COMBO":
        options = _options(settings.get("options") or [] if kind == "COMBO" else kind)
        kind = "COMBO"
    template = as_object(settings.get("template"))
    default = _json(settings.get("default"))
    choices = _choices(settings, budget, depth) if kind == CHOICE else ()
    offered = options if options is not None else tuple(choice.key for choice in choices)
    return NodeInput(
        name=name,
        type=_text(template.get("allowed_types", "*") if kind == MATCHING else kind),
        required=required,
        options=options,
        default=offered[0] if default is None and offered else default,
        minimum=_number(settings.get("min")),
        maximum=_number(settings.get("max")),
        step=_number(settings.get("step")),
        round_to=_number(settings.get("round")),
        display=_optional_text(settings.get("display")),
        flags=frozenset(flag for flag in _FLAGS if settings.get(flag) is True) | _remote(settings),
        control=_control(settings.get("control_after_generate")),
        upload=next((upload for upload in _UPLOADS if settings.get(upload) is True), None),
        widget_type=_optional_text(settings.get("widgetType")),
        display_name=_optional_text(settings.get("display_name")),
        choices=choices,
        growth=_growth(template, budget, depth) if kind == GROWING else None,
        matches=_text(template.get("template_id", "")) if kind == MATCHING else None,
    )


def _remote(settings: Mapping[str, Any]) -> frozenset[str]:
    """Return ``refresh_button`` if the page fetches the options, with a button that fetches them again."""
    remote = settings.get("remote")
    fetched = isinstance(remote, dict) and cast(dict[str, Any], remote).get("refresh_button") is True
    return frozenset(["refresh_button"]) if fetched else frozenset()


def _choices(settings: Mapping[str, Any], budget: _Budget, depth: int) -> tuple[Choice, ...]:
    options = [as_object(option) for option in as_list(settings.get("options"))]
    return tuple(Choice(_text(option.get("key")), _inputs(option, "inputs", budget, depth + 1)) for option in options)


def _growth(template: Mapping[str, Any], budget: _Budget, depth: int) -> Growth:
    inputs = _inputs(template, "input", budget, depth + 1)
    if not inputs:
        raise ValueError("a growing input of it has no type")
    names = tuple(map(_text, as_list(template["names"]))) if template.get("names") is not None else None
    most = len(names) if names is not None else _count(template.get("max"), 100)
    if most > MAX_INPUTS:
        raise ValueError("an input of it grows without bound")
    return Growth(inputs, _text(template.get("prefix") or ""), names, _count(template.get("min"), 1), most)


def _outputs(fields: Mapping[str, Any]) -> tuple[NodeOutput, ...]:
    types = as_list(fields.get("output"))
    if len(types) > MAX_INPUTS:
        raise ValueError("it has too many outputs")
    names, lists, matches = (as_list(fields.get(key)) for key in ("output_name", "output_is_list", "output_matchtypes"))
    outputs: list[NodeOutput] = []
    for index, kind in enumerate(types):
        kind = "COMBO" if isinstance(kind, list) else "*" if kind == MATCHING else _text(kind)
        name = names[index] if index < len(names) else None
        outputs.append(
            NodeOutput(
                kind,
                name[:_MAX_TEXT] if isinstance(name, str) else kind,
                index < len(lists) and lists[index] is True,
                _optional_text(matches[index]) if index < len(matches) else None,
            )
        )
    return tuple(outputs)


def _options(given: Any) -> tuple[Option, ...]:
    options = as_list(given)
    if len(options) > MAX_OPTIONS:
        raise ValueError(f"a list of it has more than {MAX_OPTIONS:,} options")
    # Some packs list null or an object among their options: the page cannot select those.
    return tuple(_json(option) for option in options if isinstance(option, str | int | float))


def _control(given: Any) -> str | None:
    """Return the name of the widget that changes a value after each run: true, or a text that is its name."""
    if isinstance(given, bool):
        return "control_after_generate" if given else ""
    return _text(given) if isinstance(given, str) else None


def _shortened(entry: NodeInput) -> NodeInput:
    options = entry.options if entry.options is None or len(entry.options) <= MAX_KEPT_OPTIONS else None
    choices = tuple(Choice(choice.key, tuple(map(_shortened, choice.inputs))) for choice in entry.choices)
    growth = entry.growth
    if growth is not None:
        growth = growth._replace(inputs=tuple(map(_shortened, growth.inputs)))
    return entry._replace(options=options, choices=choices, growth=growth)


def _definition_json(definition: NodeDefinition) -> dict[str, Any]:
    sections = _inputs_json(definition.inputs, "input")
    if definition.hidden:
        sections["input"]["hidden"] = dict.fromkeys(definition.hidden, "")
    return sections | {
        "name": definition.class_type,
        "display_name": definition.display_name,
        "category": definition.category,
        "python_module": definition.module,
        "output": [output.type for output in definition.outputs],
        "output_name": [output.name for output in definition.outputs],
        "output_is_list": [output.is_list for output in definition.outputs],
        "output_matchtypes": [output.matches for output in definition.outputs],
        "output_node": definition.is_output,
        "api_node": definition.is_partner,
    }


def _inputs_json(inputs: Collection[NodeInput], key: str) -> dict[str, Any]:
    sections: dict[str, dict[str, Any]] = {}
    for entry in inputs:
        sections.setdefault("required" if entry.required else "optional", {})[entry.name] = _input_json(entry)
    return {key: dict[str, Any](sections), "input_order": {name: list(specs) for name, specs in sections.items()}}


def _input_json(entry: NodeInput) -> list[Any]:
    kind = MATCHING if entry.matches is not None else entry.type
    settings: dict[str, Any] = {
        "default": entry.default,
        "min": entry.minimum,
        "max": entry.maximum,
        "step": entry.step,
        "round": entry.round_to,
        "display": entry.display,
        "control_after_generate": entry.control,
        "widgetType": entry.widget_type,
        "display_name": entry.display_name,
        "options": list(entry.options) if entry.options is not None else None,
    }
    settings |= dict.fromkeys(entry.flags - {"refresh_button"}, True)
    if "refresh_button" in entry.flags:
        settings["remote"] = {"refresh_button": True}
    if entry.upload is not None:
        settings[entry.upload] = True
    if entry.matches is not None:
        settings["template"] = {"allowed_types": entry.type, "template_id": entry.matches}
    elif entry.growth is not None:
        growth = entry.growth
        settings["template"] = _inputs_json(growth.inputs, "input") | {
            "prefix": growth.prefix,
            "names": list(growth.names) if growth.names is not None else None,
            "min": growth.least,
            "max": growth.most,
        }
    elif kind == CHOICE:
        settings["options"] = [{"key": choice.key} | _inputs_json(choice.inputs, "inputs") for choice in entry.choices]
    return [kind, {name: value for name, value in settings.items() if value is not None}]


def _refused(reason: str) -> Invalid:
    return Invalid(
        f"These are not the definitions of ComfyUI's nodes: {reason}.",
        hint="They are what ComfyUI answers at /object_info.",
        code="bad_definitions",
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError("a name or a type in it is not a text")
    value.encode()  # refuses half a surrogate pair, which no JSON can be written with
    return value


def _optional_text(value: Any) -> str | None:
    return _text(value) if isinstance(value, str) and value else None


def _number(value: Any) -> int | float | None:
    """Return a finite number as the page reads it, beyond 2^53 the nearest; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if abs(value) > MAX_EXACT else value


def _count(value: Any, otherwise: int) -> int:
    number = _number(value)
    return otherwise if number is None else int(number)


def _json(value: Any, depth: int = 0) -> Any:
    """Return a value that canonical JSON can be written of."""
    if depth > _MAX_DEPTH:
        raise ValueError("a default of it is nested too deeply")
    if isinstance(value, dict):
        return {_text(key): _json(item, depth + 1) for key, item in cast(dict[Any, Any], value).items()}
    if isinstance(value, list):
        return [_json(item, depth + 1) for item in cast(list[Any], value)]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        value.encode()
        return value
    return _number(value)
