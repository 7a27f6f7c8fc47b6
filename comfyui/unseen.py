"""Files that a run may have used without any hook seeing it: found by name, and otherwise said in words.

a text that is a file's name     that file: a LoRA of strength 0, a video whose path another library opens
a text that is a folder          in words, unless the node was observed to open files in it
<lora:name> in a text, a list    in words, if a node pack has the text and no node was observed to load that file
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Container, Iterator, Mapping
from typing import Any, cast

from .files import Files
from .runs import Run
from .watching import INPUT, UNSEEN, NodeFile, NodeRun

WEIGHTS_EXTENSIONS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_NOT_MODELS = ("custom_nodes", "configs")
_FOLDER_INPUT = re.compile(r"dir|folder|path", re.IGNORECASE)
_TAG = re.compile(r"<\s*(?:lora|lyco)\s*:\s*([^:<>]{1,200})", re.IGNORECASE)
_OFF = ("on", "active", "enabled")
_SYSTEM = tuple(os.path.join(os.sep, name, "") for name in ("proc", "sys", "dev"))
_MOST_TEXT = 1000
_DEEPEST = 8


def add_named_files(files: Files, node: NodeRun, folders: Any, full_path: Any) -> None:
    """Add the files that a node names and was not observed to read, with their current content, and name folders.

    ``folders`` is ComfyUI's ``folder_paths``, and ``full_path`` its function without the hook.
    """
    names = {node_file.name for node_file in node.files.values()}
    for name, value in node.resolved.items():
        if not isinstance(value, str) or value in names:
            continue
        place = _place_of(value, folders, full_path)
        if place is not None and place[0] not in node.files:
            node_file = node.named(*place)
            held = files.hold(node_file.path)
            node_file.used, node_file.missing = (
                (held, None) if files.always_the_same(node_file.path) else (None, UNSEEN)
            )
        folder = None if place is not None or _is_saver(node.class_type) else _folder_of(name, value, folders)
        if folder is not None and not any(path.startswith(os.path.join(folder, "")) for path in node.files):
            node.unseen.append(f"it reads the folder {value!r}, and which files it reads is not observed")


def add_files_by_name(files: Files, run: Run, keys: Container[str], folders: Any, full_path: Any) -> None:
    """Add the files that nodes of the graph name and were not observed to read, with their current content."""
    existing = {(key, node_file.path) for key, *_, node_file in run.node_files()}
    for key, node in run.graph.items():
        inputs: Any = cast("dict[str, Any]", node).get("inputs") if isinstance(node, dict) else None
        if key not in keys or key in run.idle or not isinstance(inputs, dict):
            continue
        for value in _texts(cast("dict[str, Any]", inputs)):
            place = _place_of(value, folders, full_path)
            if place is None or (key, place[0]) in existing:
                continue
            existing.add((key, place[0]))
            node_file = NodeFile(*place)
            node_file.observed = False
            node_file.used = files.hold(node_file.path)
            run.by_name.append((key, node_file))


def texts_unseen(run: Run, folders: Any) -> list[str]:
    """Return what the nodes that acted may have read unseen, in words."""
    unseen = [f"node {node.node} ({node.class_type}): {why}" for node in run.everything() for why in node.unseen]
    stems = {_stem(node_file.name or node_file.path) for *_, node_file in run.node_files()}
    graph = run.graph
    for node in run.everything():
        inputs: dict[str, Any] = graph.get(node.node, {}).get("inputs", {}) if _is_of_pack(node.class_type) else {}
        names = list(_lora_names({**inputs, **node.resolved}))
        loras = {_stem(name) for name in folders.get_filename_list("loras")} if names else set[str]()
        unseen += [
            f"node {node.node} ({node.class_type}): it names the LoRA {name!r}, and whether it loads it is not observed"
            for name in dict.fromkeys(names)
            if _stem(name) in loras and _stem(name) not in stems
        ]
    unseen += [
        f"node {key}: its cached output comes from elsewhere, and which files it was made from is not known"
        for key in run.unproven
    ]
    return unseen


def _place_of(value: str, folders: Any, full_path: Any) -> tuple[str, str, str] | None:
    """Return the path, the category and the name of the file that a text names; None if it names none."""
    if not 0 < len(value) <= _MOST_TEXT or any(character in value for character in "\n\0"):
        return None
    if value.lower().endswith(WEIGHTS_EXTENSIONS):
        for category in folders.folder_names_and_paths:
            path = full_path(category, value) if category not in _NOT_MODELS else None
            if path is not None:
                return os.path.abspath(path), category, value
    if "." not in os.path.basename(value):
        return None
    path = os.path.abspath(value if os.path.isabs(value) else folders.get_annotated_filepath(value))
    if path.startswith(_SYSTEM) or not os.path.isfile(path):
        return None
    return path, INPUT, value


def _folder_of(name: str, value: str, folders: Any) -> str | None:
    """Return the folder that an input names: an absolute path, or one below ComfyUI's input folder."""
    if not 0 < len(value) <= _MOST_TEXT or "\0" in value or not (_FOLDER_INPUT.search(name) or os.path.isabs(value)):
        return None
    path = os.path.abspath(os.path.join(folders.get_input_directory(), value))
    return path if os.path.isdir(path) else None


def _texts(inputs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts in a node's inputs, also those in lists and objects, but not in rows that are switched off."""
    waiting: list[tuple[Any, int]] = [(value, 0) for value in inputs.values()]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            yield value
        elif depth < _DEEPEST and isinstance(value, dict):
            row = cast("dict[str, Any]", value)
            if not any(row.get(name) is False for name in _OFF):
                waiting += [(part, depth + 1) for part in row.values()]
        elif depth < _DEEPEST and isinstance(value, list):
            waiting += [(part, depth + 1) for part in cast("list[Any]", value)]


def _lora_names(inputs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the LoRAs in a node's texts and lists: ``<lora:name:0.8>``, ``{"name": "rain", "strength": 1}``."""
    for text in _texts(inputs):
        yield from (match[1].strip() for match in _TAG.finditer(text))
    for text in _texts({name: value for name, value in inputs.items() if isinstance(value, (list, dict))}):
        if len(text) <= _MOST_TEXT:
            yield text


def _stem(name: str) -> str:
    base = os.path.basename(name.replace("\\", "/"))
    return base[: base.rfind(".")] if base.lower().endswith(WEIGHTS_EXTENSIONS) else base


def _class_of(class_type: str) -> Any:
    return importlib.import_module("nodes").NODE_CLASS_MAPPINGS.get(class_type)


def _is_saver(class_type: str) -> bool:
    return bool(getattr(_class_of(class_type), "OUTPUT_NODE", False))


def _is_of_pack(class_type: str) -> bool:
    return str(getattr(_class_of(class_type), "RELATIVE_PYTHON_MODULE", "")).startswith("custom_nodes")
