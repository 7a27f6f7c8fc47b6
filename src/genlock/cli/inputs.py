"""Parses the inputs and parameters of a render: ``lora:rain=0.8`` and ``seed=42``. Pure."""

import json
import math
import re
from typing import Any

from genlock.errors import Invalid
from genlock.model import Model
from genlock.sdk.references import parse_asset
from genlock.sdk.usage_codes import BAD_REFERENCE
from genlock.takes.claim import Parameters

_STRENGTHS = re.compile(r"(?P<reference>.+)=(?P<model>[^=,]+)(?:,(?P<clip>[^=,]+))?")
_TEXTS = frozenset(
    name for name, field in Parameters.model_fields.items() if "str" in str(field.annotation) and name != "seed"
)


class RenderInputText(Model):
    """An input of a render, with its strengths."""

    reference: str
    strength_model: float | None = None
    strength_clip: float | None = None


def parse_input(text: str) -> RenderInputText:
    """Parse ``kind:name[@N][=strength[,strength for CLIP]]``. Raise ``Invalid``."""
    match = _STRENGTHS.fullmatch(text)
    if match is None:
        parse_asset(text)
        return RenderInputText(reference=text)
    parse_asset(match["reference"])
    clip = match["clip"]
    return RenderInputText(
        reference=match["reference"],
        strength_model=_strength(text, match["model"]),
        strength_clip=None if clip is None else _strength(text, clip),
    )


def parse_setting(text: str) -> tuple[str, Any]:
    """Parse ``name=value``: numbers and booleans by their form, seeds and text parameters as text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Invalid(f"{text!r} is not a parameter.", hint="Write name=value, such as seed=42.", code=BAD_REFERENCE)
    if name == "seed" or name in _TEXTS:
        return name, value
    try:
        parsed = json.loads(value)
    except ValueError:
        return name, value
    is_scalar = isinstance(parsed, bool | int) or (isinstance(parsed, float) and math.isfinite(parsed))
    return name, parsed if is_scalar else value


def _strength(text: str, digits: str) -> float:
    try:
        strength = float(digits)
    except ValueError:
        strength = math.nan
    if not math.isfinite(strength):
        raise Invalid(
            f"{digits!r} in {text!r} is not a strength.",
            hint="A strength is a finite number, such as lora:rain=0.8, or lora:rain=0.8,0.5 with one for CLIP.",
            code=BAD_REFERENCE,
        )
    return strength
