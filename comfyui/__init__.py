"""Genlock's extension for ComfyUI: every finished run gets a receipt, whichever client started it.

ComfyUI imports this folder as a custom node pack. Outside ComfyUI it is a plain package whose parts can be tested.
"""

from __future__ import annotations

import importlib.util

from .place import CLASS, GenlockPlace
from .quiet import Quiet

NODE_CLASS_MAPPINGS = {CLASS: GenlockPlace}
NODE_DISPLAY_NAME_MAPPINGS = {CLASS: "Genlock: where this belongs"}
WEB_DIRECTORY = "./web"

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]

if importlib.util.find_spec("folder_paths") is not None and importlib.util.find_spec("execution") is not None:
    with Quiet("starting the Genlock extension"):
        from .start import start  # imported late: it needs ComfyUI's own modules

        start()
