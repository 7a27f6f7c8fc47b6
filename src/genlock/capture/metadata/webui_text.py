"""Reads the text that web interfaces for Stable Diffusion write into pictures, as parameters and files.

    she walks <lora:rain:0.8>
    Negative prompt: blurry
    Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x768,
    Model hash: 31e35c80fc, Model: sd_xl_base_1.0, Version: v1.10.1

``sd-parsers`` parses the form. All its values are text; here they become parameters of a receipt.
"""

import re
from typing import Any

from sd_parsers.exceptions import ParserError
from sd_parsers.parsers import AUTOMATIC1111Parser

from genlock.capture.run_record import UsedFile
from genlock.model import Model

_LORA = re.compile(r"<lora:(?P<name>[^:<>]{1,200})(?::(?P<model>-?[0-9.]{1,12}))?(?::(?P<clip>-?[0-9.]{1,12}))?[^<>]*>")
_SIZE = re.compile(r"(\d{1,6})\s*x\s*(\d{1,6})")
_HASH = re.compile(r"[0-9a-f]{8,64}", re.IGNORECASE)
_WHOLE = re.compile(r"\d{1,20}")
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,12})?")
_MAX_CHARACTERS = 200_000


class WebuiText(Model):
    """The parameters in such a text by a receipt's names, the files that it names, and the program's version."""

    parameters: dict[str, Any]
    used: tuple[UsedFile, ...]
    version: str | None


def read_webui_text(text: str) -> WebuiText | None:
    """Read a text; return None if it does not have this form. Values of a wrong form are left out."""
    if len(text) > _MAX_CHARACTERS:
        return None
    try:
        info = AUTOMATIC1111Parser().parse({"parameters": text})
    except (ParserError, ValueError):
        return None
    sampler = info.samplers[0]
    stated: dict[str, Any] = {**info.metadata, **sampler.parameters}
    prompt = sampler.prompts[0].value if sampler.prompts else ""
    parameters: dict[str, Any] = {
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
        parameters |= {"width": int(size[1]), "height": int(size[2])}
    used: list[UsedFile] = []
    if sampler.model is not None:
        prefix = _matching(_HASH, sampler.model.hash)
        name = sampler.model.name or f"model {prefix}"
        used.append(UsedFile(role="model", name=name, digest_prefix=prefix and prefix.lower(), is_stem=True))
    vae = stated.get("VAE")
    if isinstance(vae, str) and vae:
        used.append(UsedFile(role="vae", name=vae))
    used += [_lora(match) for match in _LORA.finditer(prompt)]
    version = stated.get("Version")
    return WebuiText(
        parameters={word: value for word, value in parameters.items() if value is not None},
        used=tuple(used),
        version=version if isinstance(version, str) and version else None,
    )


def _lora(match: re.Match[str]) -> UsedFile:
    strength = _number(match["model"])
    return UsedFile(
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
