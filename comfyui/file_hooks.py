"""The hooks that see files: which one a node means, and that it was read. Each is tried as soon as it is in place.

folder_paths.get_full_path, get_annotated_filepath    which file a node means
comfy.utils.load_torch_file, open (an audit hook)     that it was read
"""

from __future__ import annotations

import functools
import os
import struct
import sys
import tempfile
from typing import Any

from .quiet import Quiet
from .watching import INPUT, NodeRun, Watch

_NOT_MODELS = frozenset({"custom_nodes", "configs"})
EMPTY_WEIGHTS = struct.pack("<Q", 2) + b"{}"
"""The bytes of a safetensors file without tensors."""


def hook_names(watch: Watch, folders: Any) -> bool:
    """See which file a name means, in the module ``folder_paths``; return whether it works."""
    full_path, annotated = folders.get_full_path, folders.get_annotated_filepath

    @functools.wraps(full_path)
    def get_full_path(folder_name: str, filename: str, *more: Any, **named: Any) -> Any:
        path = full_path(folder_name, filename, *more, **named)
        with Quiet("seeing a file's name"), watch.meter.running():
            watch.named(folder_name, filename, path)
        return path

    @functools.wraps(annotated)
    def get_annotated_filepath(name: str, *more: Any, **named: Any) -> Any:
        path = annotated(name, *more, **named)
        with Quiet("seeing an input's name"), watch.meter.running():
            watch.named(INPUT, name, path)
        return path

    _replace_everywhere("get_full_path", full_path, get_full_path)
    _replace_everywhere("get_annotated_filepath", annotated, get_annotated_filepath)
    with _probe(watch) as node, _tiny_file(folders.get_input_directory()) as path:
        folders.get_annotated_filepath(os.path.basename(path))
        return len(node.files) == 1


def hook_loads(watch: Watch, utils: Any) -> bool:
    """See that ComfyUI's loader reads a file, in the module ``comfy.utils``; return whether it works."""
    load = utils.load_torch_file

    @functools.wraps(load)
    def load_torch_file(ckpt: Any, *more: Any, **named: Any) -> Any:
        held = None
        with Quiet("seeing a load begin"), watch.meter.running():
            held = watch.before_load(str(ckpt))
        weights = load(ckpt, *more, **named)
        with Quiet("seeing a load end"), watch.meter.running():
            watch.after_load(held)
        return weights

    _replace_everywhere("load_torch_file", load, load_torch_file)
    with _probe(watch) as node, _tiny_file(None) as path:
        utils.load_torch_file(path)
        return any(node_file.loaded is not None for node_file in node.files.values())


def hook_opens(watch: Watch) -> bool:
    """See that a node opens a file; return whether it works."""

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            with Quiet("seeing an open"):
                watch.opened(arguments[0], arguments[2] or 0)

    sys.addaudithook(audit)
    with _probe(watch) as node, _tiny_file(None) as path:
        node.named(path, INPUT, None)
        with open(path, "rb"):
            return node.files[path].read


def roots_of(folders: Any) -> list[tuple[str, str]]:
    """Return the folders of models and inputs with their categories, each path ending in a separator."""
    places = [(INPUT, folders.get_input_directory())]
    places += [
        (category, folder)
        for category, entry in folders.folder_names_and_paths.items()
        if category not in _NOT_MODELS
        for folder in entry[0]
    ]
    return [(category, os.path.join(os.path.abspath(folder), "")) for category, folder in places]


def _replace_everywhere(name: str, old: Any, new: Any) -> None:
    """Replace ``old`` in every module that has it under ``name``: some import the function, not the module."""
    for module in list(sys.modules.values()):
        current = getattr(module, "__dict__", {}).get(name)
        if current is old:
            setattr(module, name, new)


class _probe:
    """A node run for testing hooks, which belongs to no graph."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def __enter__(self) -> NodeRun:
        node = NodeRun("probe", "GenlockProbe")
        self._token = self._watch.current.set(node)
        return node

    def __exit__(self, *ended: object) -> None:
        self._watch.current.reset(self._token)


class _tiny_file:
    """A safetensors file without tensors, which exists while the block runs."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        descriptor, self._path = tempfile.mkstemp(suffix=".safetensors", prefix="genlock-", dir=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(EMPTY_WEIGHTS)
        return self._path

    def __exit__(self, *ended: object) -> None:
        os.unlink(self._path)
