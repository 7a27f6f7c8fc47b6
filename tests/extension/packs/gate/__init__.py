"""A node pack for tests: a model waits at a gate until a test opens it, in the middle of a run."""

import importlib
import time
from pathlib import Path
from typing import Any


class Gate:
    """Says that it was reached, and waits until it is open. It runs every time."""

    CATEGORY = "tests"
    RETURN_TYPES = ("MODEL",)
    FUNCTION = "wait"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"model": ("MODEL",), "folder": ("STRING", {"default": ""})}}

    @classmethod
    def IS_CHANGED(cls, **inputs: Any) -> float:
        return float("nan")

    def wait(self, model: Any, folder: str) -> tuple[Any]:
        management: Any = importlib.import_module("comfy.model_management")
        (Path(folder) / "reached").touch()
        while not (Path(folder) / "open").exists():
            management.throw_exception_if_processing_interrupted()
            time.sleep(0.02)
        return (model,)


NODE_CLASS_MAPPINGS = {"TestGate": Gate}
