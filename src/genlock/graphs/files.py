"""Which files a node names, of what kind they are, and how strongly they act.

    lora_name: rain.safetensors     strength_model: 0.8          one file
    lora_02: rain.safetensors       strength_02: 0.8             several, told apart by their number
    lora_1: {"on": true, "lora": "rain.safetensors", "strength": 0.8}

Any input of any node counts. What ComfyUI's folders hold (``known``) decides before the name of an input does, and the
name of an input before the class of its node. Where nothing says what a file is, its role is ``other``.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, cast

from genlock.graphs.meanings import LOADERS, recorded_as
from genlock.graphs.uses import FileUse, Inside, Setting, Unresolved
from genlock.graphs.wiring import Unknown, Wiring

_PATTERNS = (
    (r"clip_?vision", "clip_vision"),
    (r"audio_?encoder", "audio_encoders"),
    (r"control_?net", "controlnet"),
    (r"style_?model", "style_models"),
    (r"model_?patch", "model_patches"),
    (r"ip_?adapter", "ipadapter"),
    (r"hypernetwork", "hypernetworks"),
    (r"photomaker", "photomaker"),
    (r"gligen", "gligen"),
    (r"latent_?upscale", "latent_upscale_models"),
    (r"upscale", "upscale_models"),
    (r"lora(?!der)", "loras"),
    (r"ckpt|checkpoint", "checkpoints"),
    (r"vae", "vae"),
    (r"unet|diffusion_?model|(wan|hunyuan|hy|ltx|mochi|cog|flux|qwen)\w*modelloader", "diffusion_models"),
    (r"clip(?!_?seg)|text_?encoder|t5", "text_encoders"),
)
_CATEGORIES = tuple((re.compile(pattern, re.IGNORECASE), category) for pattern, category in _PATTERNS)

_ROLES = {
    "checkpoints": "model",
    "diffusion_models": "model",
    "unet": "model",
    "unet_gguf": "model",
    "loras": "lora",
    "vae": "vae",
    "vae_approx": "vae",
    "text_encoders": "text_encoder",
    "clip": "text_encoder",
    "clip_gguf": "text_encoder",
    "controlnet": "controlnet",
}
_MEDIA_ROLES = (
    ("source_image", (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")),
    ("video", (".mp4", ".webm", ".mov", ".mkv", ".avi")),
    ("audio", (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a")),
)
_MEDIA_FOLDERS = frozenset({"input", "output", "temp"})

_NO_FILE = frozenset({"", "none", "[none]", "disabled", "pixel_space", "baked vae"})
_ANNOTATED = re.compile(r"(?P<name>.*?)\s*\[(?P<folder>input|output|temp)\]")
_NUMBERED = re.compile(r"(?P<stem>.*?)_?0*(?P<number>\d+)")

_MODEL_STRENGTH_INPUTS = """
strength_model strength model_strength lora_model_strength lora_strength model_weight model_str lora_weight weight
lora_wt
"""
_CLIP_STRENGTH_INPUTS = "strength_clip strengthTwo clip_strength lora_clip_strength clip_weight clip_str"
_SWITCHES = ("on", "active", "enabled", "switch", "toggle", "lora_on")
_OFF = frozenset({"off", "disabled", "false"})
_MAX_DEPTH = 6

_STRENGTHS = {
    "strength_model": tuple(_MODEL_STRENGTH_INPUTS.split()),
    "strength_clip": tuple(_CLIP_STRENGTH_INPUTS.split()),
}


class _Named(NamedTuple):
    """A file's name where it stands, with the settings that stand beside it."""

    input: str
    inside: Inside
    name: str
    beside: Mapping[str, Setting | Unknown]


class FoundFile(NamedTuple):
    """A file use that is not yet numbered within its role."""

    use: FileUse
    unresolved: tuple[Unresolved, ...]


def files_of(wiring: Wiring, key: str, known: Mapping[str, Collection[str]]) -> Iterator[FoundFile]:
    """The files that a node names and uses, in the order of its inputs' names."""
    class_type = wiring.nodes[key].class_type
    for named in _named_in(wiring, key, known):
        name, folder = _without_folder(named.name)
        category = folder or _category(class_type, named.input, name, known)
        role = _role(class_type, category, name)
        settings: dict[str, Setting] = {}
        unresolved: list[Unresolved] = []
        if not _MEDIA_FOLDERS & {category}:
            for word, stems in _STRENGTHS.items():
                found = next((named.beside[stem] for stem in stems if stem in named.beside), None)
                if isinstance(found, Setting) and type(found.value) in (int, float):
                    settings[word] = found
                elif isinstance(found, Unknown):
                    unresolved.append(Unresolved(key, named.input, word, found.reason))
        use = FileUse(key, named.input, category, role, name, 0, inside=named.inside, **settings)
        yield FoundFile(use, tuple(unresolved))


def _named_in(wiring: Wiring, key: str, known: Mapping[str, Collection[str]]) -> Iterator[_Named]:
    node = wiring.nodes[key]
    for name in sorted(node.values, key=_in_order):
        value = wiring.value(key, name)
        if isinstance(value, str):
            beside = _beside(wiring, key, name)
            if _names_file(node.class_type, name, value, known) and not _is_off(beside):
                yield _Named(name, (), value, beside)
        elif isinstance(value, dict | list):
            yield from _nested(node.class_type, key, name, (), value, known)


def _nested(
    class_type: str, key: str, name: str, inside: Inside, value: Any, known: Mapping[str, Collection[str]]
) -> Iterator[_Named]:
    """Files that are named within an object or a list, each with its siblings as its settings."""
    if len(inside) >= _MAX_DEPTH:
        return
    entries = cast("dict[str, Any]", value) if isinstance(value, dict) else dict(enumerate(cast("list[Any]", value)))
    beside = {
        part: Setting(key, name, entry, (*inside, part))
        for part, entry in entries.items()
        if isinstance(part, str) and isinstance(entry, str | int | float)
    }
    if _is_off(beside):
        return
    for part, entry in entries.items():
        if isinstance(entry, dict | list):
            yield from _nested(class_type, key, name, (*inside, part), entry, known)
        elif isinstance(entry, str) and _names_file(class_type, name, entry, known):
            yield _Named(name, (*inside, part), entry, beside)


def _names_file(class_type: str, name: str, value: str, known: Mapping[str, Collection[str]]) -> bool:
    if value.lower() in _NO_FILE:
        return False
    # Files have extensions: without that, a word that is also a folder's name would be taken for it.
    is_there = "." in value and any(value in names for names in known.values())
    return is_there or recorded_as(class_type, name, value) == "file"


def _beside(wiring: Wiring, key: str, name: str) -> dict[str, Setting | Unknown]:
    """The settings that belong to a file's input: those with its number, or without one if it has none."""
    names = wiring.names_of(key)
    numbered = _NUMBERED.fullmatch(name)
    number = numbered["number"] if numbered and _has_number(names - {name}, numbered["number"]) else None
    found: dict[str, Setting | Unknown] = {}
    for other in sorted(names - {name}):
        match = _NUMBERED.fullmatch(other)
        if number is None and match is None:
            stem = other
        elif number is not None and match is not None and match["number"] == number:
            stem = match["stem"]
        else:
            continue
        setting = wiring.setting(key, other)
        if setting is not None:
            found[stem] = setting
    return _counted(wiring, key, number, found)


def _counted(
    wiring: Wiring, key: str, number: str | None, found: dict[str, Setting | Unknown]
) -> dict[str, Setting | Unknown]:
    """``found`` as a stack that says how many of its rows count, and which strengths, means it."""
    count, mode = (wiring.setting(key, name) for name in ("lora_count", "input_mode"))
    if number is not None and isinstance(count, Setting) and type(count.value) is int and int(number) > count.value:
        return {"on": Setting(key, "lora_count", False)}
    if isinstance(mode, Setting) and mode.value == "simple" and "lora_wt" in found:
        return {"strength_model": found["lora_wt"], "strength_clip": found["lora_wt"]}
    return found


def _has_number(names: Collection[str], number: str) -> bool:
    return any((match := _NUMBERED.fullmatch(name)) and match["number"] == number for name in names)


def _in_order(name: str) -> tuple[str, int, str]:
    match = _NUMBERED.fullmatch(name)
    return (match["stem"], int(match["number"][:18]), name) if match else (name, 0, name)


def _is_off(beside: Mapping[str, Setting | Unknown]) -> bool:
    """Whether a switch beside a file says that it is not used. 0 is no switch: a strength of 0 is still a use."""
    for word in _SWITCHES:
        found = beside.get(word)
        if isinstance(found, Setting) and str(found.value).lower() in _OFF:
            return True
    return False


def _without_folder(name: str) -> tuple[str, str | None]:
    match = _ANNOTATED.fullmatch(name)
    return (match["name"], match["folder"]) if match else (name, None)


def _category(class_type: str, name: str, value: str, known: Mapping[str, Collection[str]]) -> str | None:
    """The folder that a file is in: the one that has it, else as the input, else the class says."""
    holders = [category for category, names in known.items() if value in names]
    if len(holders) == 1:
        return holders[0]
    if class_type == "LoadImageOutput":
        return "output"
    said = [*_matching(name), *_matching(class_type)]
    if value.lower().startswith(("tae", "lighttae")) and said[:1] == ["vae"]:
        return "vae_approx"
    fitting = [category for category in said if not holders or category in holders]
    if fitting:
        return fitting[0]
    is_input = _media_role(value) is not None or name in LOADERS.get(class_type, ())
    is_absolute = value.startswith(("/", "\\\\")) or value[1:3] in (":\\", ":/")
    return "input" if is_input and not is_absolute and not holders else None


def _matching(text: str) -> list[str]:
    return [category for pattern, category in _CATEGORIES if pattern.search(text)][:1]


def role_of(category: str | None, name: str) -> str:
    """A receipt's word for a file in one of ComfyUI's folders."""
    if category is None or category in _MEDIA_FOLDERS:
        return _media_role(name) or "other"
    return _ROLES.get(category, "other")


def _role(class_type: str, category: str | None, name: str) -> str:
    role = role_of(category, name)
    is_picture = class_type.startswith("LoadImage") and (category is None or category in _MEDIA_FOLDERS)
    return "source_image" if role == "other" and is_picture else role


def _media_role(value: str) -> str | None:
    return next((role for role, extensions in _MEDIA_ROLES if value.lower().endswith(extensions)), None)
