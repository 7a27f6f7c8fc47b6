"""The text that web interfaces for Stable Diffusion write into pictures, as parameters and files.

    she walks <lora:rain:0.8>
    Negative prompt: blurry
    Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x768,
    Model hash: 31e35c80fc, Model: sd_xl_base_1.0, Version: v1.10.1

``sd-parsers`` knows the form. What it gives is text in every value; here it becomes what a receipt has words for.
"""

import re
from typing import Any

from sd_parsers.exceptions import ParserError
from sd_parsers.parsers import AUTOMATIC1111Parser

from genlock.capture.seen import Used
from genlock.model import Model

_LORA = re.compile(r"<lora:(?P<name>[^:<>]{1,200})(?::(?P<model>-?[0-9.]{1,12}))?(?::(?P<clip>-?[0-9.]{1,12}))?[^<>]*>")
_SIZE = re.compile(r"(\d{1,6})\s*x\s*(\d{1,6})")
_HASH = re.compile(r"[0-9a-f]{8,64}", re.IGNORECASE)
_WHOLE = re.compile(r"\d{1,20}")
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?")
_MAX_CHARACTERS = 200_000


class WebuiText(Model):
    """What such a text says: parameters by a receipt's words, the files it names, and the program's version."""

    parameters: dict[str, Any]
    used: tuple[Used, ...]
    version: str | None


def read_webui_text(text: str) -> WebuiText | None:
    """What a text says, or None if it is not of this form. Values that are not what they should be are left out."""
    if len(text) > _MAX_CHARACTERS:
        return None
    try:
        info = AUTOMATIC1111Parser().parse({"parameters": text})
    except (ParserError, ValueError):
        return None
    sampler = info.samplers[0]
    stated: dict[str, Any] = {**info.metadata, **sampler.parameters}
    prompt = sampler.prompts[0].value if sampler.prompts else ""
    said: dict[str, Any] = {
        "prompt": prompt,
        "negative_prompt": sampler.negative_prompts[0].value if sampler.negative_prompts else "",
        "sampler": sampler.name,
        "scheduler": stated.get("scheduler"),
        "seed": _matching(_WHOLE, stated.get("seed")),
        "steps": _number(stated.get("steps")),
        "cfg": _number(stated.get("cfg_scale")),
        "denoise": _number(stated.get("Denoising strength")),
    }
    size = _SIZE.fullmatch(str(stated.get("Size", "")))
    if size is not None:
        said |= {"width": int(size[1]), "height": int(size[2])}
    used: list[Used] = []
    if sampler.model is not None:
        known = _matching(_HASH, sampler.model.hash)
        name = sampler.model.name or f"model {known}"
        used.append(Used(role="model", name=name, digest_prefix=known and known.lower(), is_stem=True))
    vae = stated.get("VAE")
    if isinstance(vae, str) and vae:
        used.append(Used(role="vae", name=vae))
    used += [_lora(match) for match in _LORA.finditer(prompt)]
    version = stated.get("Version")
    return WebuiText(
        parameters={word: value for word, value in said.items() if value is not None},
        used=tuple(used),
        version=version if isinstance(version, str) and version else None,
    )


def _lora(match: re.Match[str]) -> Used:
    strength = _number(match["model"])
    return Used(
        role="lora",
        name=match["name"],
        strength_model=1.0 if match["model"] is None else strength,
        strength_clip=_number(match["clip"]) if match["clip"] is not None else None,
        is_stem=True,
    )


def _matching(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _number(value: Any) -> float | int | None:
    text = _matching(_NUMBER, value)
    if text is None:
        return None
    return float(text) if "." in text else int(text)
