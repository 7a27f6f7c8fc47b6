"""The environment of a run: versions, flags, device, node packs. It is read once per process."""

from __future__ import annotations

import functools
import importlib
import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SECRET_FLAGS = re.compile(r"key|token|secret|password", re.IGNORECASE)


@functools.cache
def environment() -> Mapping[str, Any]:
    """Return the environment that a receipt records."""
    nodes: Any = importlib.import_module("nodes")
    torch: Any = importlib.import_module("torch")
    management: Any = importlib.import_module("comfy.model_management")
    version: Any = importlib.import_module("comfyui_version")
    return {
        "comfyui": str(version.__version__),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "argv": shown_flags(sys.argv[1:]),
        "device": str(management.get_torch_device_name(management.get_torch_device())),
        "node_packs": {
            name: _pack_version(Path(folder))
            for name, folder in sorted(nodes.LOADED_MODULE_DIRS.items())
            if os.path.basename(os.path.dirname(folder)) == "custom_nodes"
        },
    }


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
