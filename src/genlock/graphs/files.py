"""The files that a node names, with their categories, roles and strengths.

    lora_name: rain.safetensors     strength_model: 0.8          one file
    lora_02: rain.safetensors       strength_02: 0.8             several, told apart by their number
    lora_1: {"on": true, "lora": "rain.safetensors", "strength": 0.8}

Any input of any node counts. The files in ComfyUI's folders (``server_files``) decide before the name of an input does,
and the name of an input before the class of its node. If nothing decides what a file is, its role is ``other``.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, cast

from genlock.graphs.evaluation import Unknown
from genlock.graphs.known.folders import CLASS_FOLDERS, TYPE_FOLDERS
from genlock.graphs.meanings import LOADERS, recorded_as
from genlock.graphs.uses import FileUse, Inside, Setting, Unresolved
from genlock.graphs.wiring import Wiring
from genlock.kinds import MEDIA_FOLDERS, kind_in_folder, media_kind
from genlock.model import Kind

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

_NO_FILE = frozenset({"", "none", "[none]", "disabled", "pixel_space", "baked vae"})

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


_SETTING_NAMES = (*_STRENGTHS["strength_model"], *_STRENGTHS["strength_clip"], *_SWITCHES)
_LONGEST_NAME = 200
_STRONGEST = 1e300


class _Named(NamedTuple):
    """A file's name and its place, with the settings next to it."""

    input: str
    inside: Inside
    name: str
    siblings: Mapping[str, Setting | Unknown]


class FoundFile(NamedTuple):
    """A file use that is not yet numbered within its role."""

    use: FileUse
    unresolved: tuple[Unresolved, ...]


def files_of(wiring: Wiring, key: str, server_files: Mapping[str, Collection[str]]) -> Iterator[FoundFile]:
    """Yield the files that a node names and uses, in the order of its inputs' names."""
    class_type = wiring.nodes[key].class_type
    for named in _named_in(wiring, key, server_files):
        name, folder = _without_folder(named.name)
        category = folder or _category(wiring, key, named.input, name, server_files)
        role = _role(class_type, category, name)
        settings: dict[str, Setting] = {}
        unresolved: list[Unresolved] = []
        if not MEDIA_FOLDERS & {category}:
            for word, stems in _STRENGTHS.items():
                strength = next((named.siblings[stem] for stem in stems if stem in named.siblings), None)
                if isinstance(strength, Setting) and type(strength.value) in (int, float):
                    if abs(strength.value) <= _STRONGEST:
                        settings[word] = strength
                    else:
                        unresolved.append(Unresolved(key, named.input, word, "it is beyond what any number here holds"))
                elif isinstance(strength, Unknown):
                    unresolved.append(Unresolved(key, named.input, word, strength.reason))
        use = FileUse(key, named.input, category, role, name, 0, inside=named.inside, **settings)
        yield FoundFile(use, tuple(unresolved))


def _named_in(wiring: Wiring, key: str, server_files: Mapping[str, Collection[str]]) -> Iterator[_Named]:
    node = wiring.nodes[key]
    rows = _rows(wiring.names_of(key))
    for name in sorted(node.values, key=_in_order):
        value = wiring.value(key, name)
        if isinstance(value, str):
            siblings = _sibling_settings(wiring, key, name, rows)
            if _names_file(node.class_type, name, value, server_files) and not _is_off(siblings):
                yield _Named(name, (), value, siblings)
        elif isinstance(value, dict | list):
            yield from _nested(node.class_type, key, name, (), value, server_files)


def _nested(
    class_type: str, key: str, name: str, inside: Inside, value: Any, server_files: Mapping[str, Collection[str]]
) -> Iterator[_Named]:
    """Yield the files that are named within an object or a list, each with its siblings as its settings."""
    if len(inside) >= _MAX_DEPTH:
        return
    entries = cast("dict[str, Any]", value) if isinstance(value, dict) else dict(enumerate(cast("list[Any]", value)))
    siblings = {
        part: Setting(key, name, entry, (*inside, part))
        for part, entry in entries.items()
        if isinstance(part, str) and isinstance(entry, str | int | float)
    }
    if _is_off(siblings):
        return
    for part, entry in entries.items():
        if isinstance(entry, dict | list):
            yield from _nested(class_type, key, name, (*inside, part), entry, server_files)
        elif isinstance(entry, str) and _names_file(class_type, name, entry, server_files):
            yield _Named(name, (*inside, part), entry, siblings)


def _names_file(class_type: str, name: str, value: str, server_files: Mapping[str, Collection[str]]) -> bool:
    if value.lower() in _NO_FILE:
        return False
    # Only names with an extension: a word that is also a folder's name is not a file.
    is_there = "." in value and any(value in names for names in server_files.values())
    return is_there or recorded_as(class_type, name, value) == "file"


def _rows(names: Collection[str]) -> dict[str | None, dict[str, list[str]]]:
    """Return the names of a node's inputs by number (None for those without one), and by name without the number."""
    rows: dict[str | None, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in sorted(names):
        stem, number = _numbered(name)
        rows[number][stem].append(name)
    return rows


def _sibling_settings(
    wiring: Wiring, key: str, name: str, rows: Mapping[str | None, Mapping[str, list[str]]]
) -> dict[str, Setting | Unknown]:
    """Return the settings of a file's input: those with the same number, or without one if it has none."""
    number = _numbered(name)[1]
    if sum(map(len, itertools.islice(rows[number].values(), 2))) < 2:
        number = None  # no other input has this number, so it does not distinguish rows
    settings: dict[str, Setting | Unknown] = {}
    for word in _SETTING_NAMES:
        others = [other for other in rows.get(number, {}).get(word, ()) if other != name]
        setting = wiring.setting(key, others[-1]) if others else None
        if setting is not None:
            settings[word] = setting
    return _counted(wiring, key, number, settings)


def _counted(
    wiring: Wiring, key: str, number: str | None, settings: dict[str, Setting | Unknown]
) -> dict[str, Setting | Unknown]:
    """Return ``settings`` as changed by the inputs of a stack for the number of its rows and their strengths."""
    count, mode = (wiring.setting(key, name) for name in ("lora_count", "input_mode"))
    if number is not None and isinstance(count, Setting) and type(count.value) is int and int(number) > count.value:
        return {"on": Setting(key, "lora_count", False)}
    if isinstance(mode, Setting) and mode.value == "simple" and "lora_wt" in settings:
        return {"strength_model": settings["lora_wt"], "strength_clip": settings["lora_wt"]}
    return settings


def _numbered(name: str) -> tuple[str, str | None]:
    """Split ``lora_02`` into ``lora`` and ``2``; a name without a number stays whole, with None."""
    stem = name.rstrip("0123456789")
    if stem == name:
        return name, None
    return stem.removesuffix("_"), name[len(stem) :].lstrip("0") or "0"


def _in_order(name: str) -> tuple[str, int, str]:
    stem, number = _numbered(name)
    return stem, int((number or "0")[:18]), name


def _is_off(siblings: Mapping[str, Setting | Unknown]) -> bool:
    """Return whether a switch next to a file disables it. A strength of 0 does not: the file is still used."""
    for word in _SWITCHES:
        switch = siblings.get(word)
        if isinstance(switch, Setting) and str(switch.value).lower() in _OFF:
            return True
    return False


def _without_folder(name: str) -> tuple[str, str | None]:
    stem, bracket, folder = name.rpartition("[")
    has_folder = bracket and folder in ("input]", "output]", "temp]")
    return (stem.rstrip(), folder[:-1]) if has_folder else (name, None)


def _category(
    wiring: Wiring, key: str, name: str, value: str, server_files: Mapping[str, Collection[str]]
) -> str | None:
    """Return the category of a file: of the only folder that has it, else by the class, else by its input's name."""
    class_type = wiring.nodes[key].class_type
    holders = [category for category, names in server_files.items() if value in names]
    if len(holders) == 1:
        return holders[0]
    if class_type == "LoadImageOutput":
        return "output"
    rule = CLASS_FOLDERS.get((class_type, name))
    given = TYPE_FOLDERS.get((wiring.output_types(key) or ("",))[0])
    by_name = _matching(name)
    # A loader of one type says it better than a name that several share, such as clip_name or model_name.
    by_type = [given] if given is not None and (not by_name or by_name[0] in ("text_encoders", given)) else []
    candidates = [*([rule[0]] if rule else []), *by_type, *by_name, *_matching(class_type)]
    if value.lower().startswith(("tae", "lighttae")) and candidates[:1] == ["vae"]:
        return "vae_approx"
    fitting = [category for category in candidates if not holders or category in holders]
    if fitting:
        return fitting[0]
    is_input = media_kind(value) is not None or name in LOADERS.get(class_type, ())
    is_absolute = value.startswith(("/", "\\\\")) or value[1:3] in (":\\", ":/")
    return "input" if is_input and not is_absolute and not holders else None


def _matching(text: str) -> list[str]:
    return [category for pattern, category in _CATEGORIES if pattern.search(text[:_LONGEST_NAME])][:1]


def _role(class_type: str, category: str | None, name: str) -> str:
    kind = kind_in_folder(category, name)
    is_picture = class_type.startswith("LoadImage") and (category is None or category in MEDIA_FOLDERS)
    return Kind.SOURCE_IMAGE.value if kind is Kind.OTHER and is_picture else kind.value
