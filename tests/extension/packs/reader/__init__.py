"""A node pack for tests: nodes that read files in ways that ComfyUI's own do not, and a switch between two models."""

import importlib
import subprocess
from pathlib import Path
from typing import Any


def _folder(name: str) -> Path:
    folders: Any = importlib.import_module("folder_paths")
    return Path(folders.get_input_directory()) / name


class _Node:
    CATEGORY = "tests"
    RETURN_TYPES = ("MODEL",)
    FUNCTION = "read"


class OpensFolder(_Node):
    """Opens every file of a folder."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"model": ("MODEL",), "directory": ("STRING", {})}}

    def read(self, model: Any, directory: str) -> tuple[Any]:
        assert [path.read_bytes() for path in sorted(_folder(directory).iterdir())]
        return (model,)


class HidesFolder(OpensFolder):
    """Lets another process read a folder, which cannot be observed."""

    def read(self, model: Any, directory: str) -> tuple[Any]:
        subprocess.run(["ls", "-R", str(_folder(directory))], check=True, capture_output=True)
        return (model,)


class NamesLora(_Node):
    """Has a text with LoRA tags, and a list with rows that are on and off."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"model": ("MODEL",), "text": ("STRING", {})}}

    def read(self, model: Any, text: str) -> tuple[Any]:
        return (model,)


class Switch(_Node):
    """Takes the first of two models, and needs no other."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        lazy: dict[str, Any] = {"lazy": True}
        return {"required": {"first": ("MODEL", lazy), "other": ("MODEL", lazy)}}

    def check_lazy_status(self, first: Any = None, other: Any = None) -> list[str]:
        return ["first"] if first is None else []

    def read(self, first: Any, other: Any = None) -> tuple[Any]:
        return (first,)


NODE_CLASS_MAPPINGS = {
    "TestOpensFolder": OpensFolder,
    "TestHidesFolder": HidesFolder,
    "TestNamesLora": NamesLora,
    "TestSwitch": Switch,
}
