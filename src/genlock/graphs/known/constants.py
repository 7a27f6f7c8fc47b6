"""Nodes that compute numbers and texts from constants: what each gives, by the class.

A function takes the values of a node's inputs by name and returns those of its outputs, in their order. It raises
``ValueError`` with the reason if it gives nothing, and ``KeyError`` if an input is not there.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genlock.graphs.expressions import evaluate

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Constant:
    """How a class computes its outputs, and what it is known for."""

    outputs: Callable[[Values], tuple[Any, ...]]
    reason: str


def _expression(values: Values) -> tuple[Any, ...]:
    names = {name.removeprefix("values."): value for name, value in values.items() if name.startswith("values.")}
    given = [float(value) if isinstance(value, str) else value for value in names.values()]
    number = evaluate(_text(values["expression"]), {**dict(zip(names, given, strict=True)), "values": given})
    return float(number), int(number), bool(number)


def _simple_expression(values: Values) -> tuple[Any, ...]:
    number = evaluate(
        _text(values.get("expression", values.get("value"))),
        {name: values[name] for name in ("a", "b", "c", "d") if name in values},
    )
    return int(number), float(number)


def _number(values: Values) -> tuple[Any, ...]:
    value = values["value"]
    number = float(value.strip()) if isinstance(value, str) else float(value)
    if not math.isfinite(number):
        raise ValueError("it is not a finite number")
    return number, int(value) if type(value) is int else int(number)


def _all(values: Values) -> tuple[Any, ...]:
    return (all(value for name, value in values.items() if name.startswith("values.")),)


def _any(values: Values) -> tuple[Any, ...]:
    return (any(value for name, value in values.items() if name.startswith("values.")),)


def _replaced(values: Values) -> tuple[Any, ...]:
    text, old, new = (_text(values[name]) for name in ("string", "find", "replace"))
    if not old and new:
        raise ValueError("it replaces an empty text")
    if text.count(old) * max(len(new) - len(old), 0) > 2**20:
        raise ValueError("it makes a text that is longer than any prompt")
    return (text.replace(old, new),)


def _formatted(values: Values) -> tuple[Any, ...]:
    """Fill ``{a}`` with the values: no attributes, no indices, no formats."""
    names = {name.removeprefix("values."): value for name, value in values.items() if name.startswith("values.")}
    parts = re.split(r"(\{\w*\})", _text(values["f_string"]))
    if any("{" in part or "}" in part for part in parts[::2]):
        raise ValueError("its format is more than names in braces")
    return ("".join(str(names[part[1:-1]]) if index % 2 else part for index, part in enumerate(parts)),)


def _cased(values: Values) -> tuple[Any, ...]:
    text = _text(values["string"])
    cases = {
        "UPPERCASE": text.upper,
        "lowercase": text.lower,
        "Capitalize": text.capitalize,
        "Title Case": text.title,
    }
    return (cases[values["mode"]](),)


def _trimmed(values: Values) -> tuple[Any, ...]:
    text = _text(values["string"])
    return ({"Both": text.strip, "Left": text.lstrip, "Right": text.rstrip}[values["mode"]](),)


def _compared(values: Values) -> tuple[Any, ...]:
    first, second = _text(values["string_a"]), _text(values["string_b"])
    if not values.get("case_sensitive", True):
        first, second = first.lower(), second.lower()
    mode = values["mode"]
    return (
        {"Equal": first == second, "Starts With": first.startswith(second), "Ends With": first.endswith(second)}[mode],
    )


def _contains(values: Values) -> tuple[Any, ...]:
    text, part = _text(values["string"]), _text(values["substring"])
    return (part in text if values.get("case_sensitive", True) else part.lower() in text.lower(),)


def _joined(values: Values) -> tuple[Any, ...]:
    return (_text(values["delimiter"]).join((_text(values["string_a"]), _text(values["string_b"]))),)


def _listed(values: Values) -> tuple[Any, ...]:
    """Join the texts of numbered inputs, as stacks of texts do: those that are empty are left out."""
    delimiter = values.get("delimiter", values.get("separator", " "))
    texts = [value for name, value in sorted(values.items()) if re.fullmatch(r"(text|string)_?[a-z0-9]{1,2}", name)]
    return (_text(delimiter).join(_text(text) for text in texts if text),)


def _sized(values: Values) -> tuple[Any, ...]:
    """Return the size of a ratio such as ``16:9 (Widescreen)`` and a number of pixels, in whole multiples."""
    ratio = re.match(r"(\d{1,4}):(\d{1,4})\b", _text(values["aspect_ratio"]))
    multiple = values["multiple"]
    if ratio is None or multiple < 1:
        raise ValueError(f"{values['aspect_ratio']!r} is not a ratio of two numbers")
    across, down = int(ratio[1]), int(ratio[2])
    scale = math.sqrt(values["megapixels"] * 1024 * 1024 / (across * down))
    return round(across * scale / multiple) * multiple, round(down * scale / multiple) * multiple


def _binary(values: Values) -> tuple[Any, ...]:
    signs = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%", "power": "**"}
    number = evaluate(f"a {signs[values['operation']]} b", {"a": values["a"], "b": values["b"]})
    return (number,)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it takes a text and gets another value")
    return value


def _no_patterns() -> tuple[Any, ...]:
    raise ValueError("patterns of a workflow are not run here")


CONSTANTS: Mapping[str, Constant] = {
    "CaseConverter": Constant(_cased, "changes the case of a text"),
    "ComfyAndNode": Constant(_all, "true if all its values are"),
    "ComfyMathExpression": Constant(_expression, "gives a number as a float, an integer and a boolean"),
    "ComfyNotNode": Constant(lambda values: (not values["value"],), "turns a boolean round"),
    "ComfyNumberConvert": Constant(_number, "gives a number as a float and an integer"),
    "ComfyOrNode": Constant(_any, "true if one of its values is"),
    "CustomCombo": Constant(
        lambda values: (values["choice"], values.get("index", 0)), "gives the option that was chosen and its place"
    ),
    "InvertBooleanNode": Constant(lambda values: (not values["boolean"],), "turns a boolean round"),
    "MathExpression|pysssss": Constant(_simple_expression, "gives a number as an integer and a float"),
    "RegexMatch": Constant(lambda _: _no_patterns(), "searches a text for a pattern"),
    "ResolutionSelector": Constant(_sized, "gives the width and height of a ratio"),
    "SimpleMath+": Constant(_simple_expression, "gives a number as an integer and a float"),
    "StringCompare": Constant(_compared, "compares two texts"),
    "StringConcatenate": Constant(_joined, "joins two texts"),
    "StringContains": Constant(_contains, "searches a text for another"),
    "StringFormat": Constant(_formatted, "fills names in a text"),
    "StringLength": Constant(lambda values: (len(_text(values["string"])),), "counts the characters of a text"),
    "StringReplace": Constant(_replaced, "replaces a text in another"),
    "StringSubstring": Constant(
        lambda values: (_text(values["string"])[int(values["start"]) : int(values["end"])],), "cuts a text"
    ),
    "StringTrim": Constant(_trimmed, "takes space from the ends of a text"),
    "Text Concatenate": Constant(_listed, "WAS: joins texts"),
    "easy mathFloat": Constant(_binary, "Easy-Use: computes with two numbers"),
    "easy mathInt": Constant(lambda values: (int(_binary(values)[0]),), "Easy-Use: computes with two integers"),
}
"""Classes that compute values, with what they do."""


CARRIERS: Mapping[str, str] = {
    "BOOLConstant": "value",
    "FloatConstant": "value",
    "INTConstant": "value",
    "ImpactInt": "value",
    "ImpactFloat": "value",
    "ImpactBoolean": "value",
    "Int Literal": "int",
    "JWInteger": "value",
    "JWFloat": "value",
    "JWString": "text",
    "PrimitiveBoolean": "value",
    "PrimitiveFloat": "value",
    "PrimitiveInt": "value",
    "PrimitiveString": "value",
    "PrimitiveStringMultiline": "value",
    "PreviewAny": "source",
    "Seed (rgthree)": "seed",
    "SeedNode": "seed",
    "ShowText|pysssss": "text",
    "StringConstant": "string",
    "Text Multiline": "text",
    "easy boolean": "value",
    "easy float": "value",
    "easy int": "value",
    "easy seed": "seed",
    "easy string": "value",
}
"""Classes that pass one value on unchanged, with the input that holds it: it is bound there."""
