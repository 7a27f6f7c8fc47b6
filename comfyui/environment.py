"""The environment of a run: versions, flags, device, node packs. It is read once per process."""

from __future__ import annotations

import functools
import importlib
import os
import platform
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .quiet import Quiet

_SECRET_FLAGS = re.compile(r"key|token|secret|password", re.IGNORECASE)


@functools.cache
def environment() -> Mapping[str, Any]:
    """Return the environment that a receipt records; what this ComfyUI does not offer is left out."""
    readers: dict[str, Callable[[], Any]] = {
        "comfyui": lambda: str(_module("comfyui_version").__version__),
        "python": platform.python_version,
        "torch": lambda: str(_module("torch").__version__),
        "argv": lambda: shown_flags(sys.argv[1:]),
        "device": _device,
        "node_packs": _node_packs,
    }
    values: dict[str, Any] = {}
    for name, read in readers.items():
        with Quiet(f"reading {name} of the environment"):
            values[name] = read()
    return values


def _device() -> str:
    management = _module("comfy.model_management")
    return str(management.get_torch_device_name(management.get_torch_device()))


def _node_packs() -> dict[str, str]:
    return {
        name: _pack_version(Path(folder))
        for name, folder in sorted(_module("nodes").LOADED_MODULE_DIRS.items())
        if os.path.basename(os.path.dirname(folder)) == "custom_nodes"
    }


def _module(name: str) -> Any:
    return importlib.import_module(name)


def shown_flags(arguments: list[str]) -> list[str]:
    """Return command line arguments with the values of probable secrets replaced by ``…``."""
    shown: list[str] = []
    hide = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        secret = argument.startswith("-") and _SECRET_FLAGS.search(name) is not None
        shown.append("…" if hide else f"{name}=…" if secret and equals else argument)
        hide = secret and not equals
    return shown


def _pack_version(folder: Path) -> str:
    """Return the version in a pack's ``pyproject.toml``; empty if it has none."""
    project = folder / "pyproject.toml"
    if not project.is_file():
        return ""
    match = re.search(
        r"^version\s*=\s*[\"']([^\"']+)", project.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
    )
    return match[1] if match else ""
