"""Remembers ComfyUI's functions before any pack is loaded, and puts back those that ``BREAK_HOOK`` names.

It does so when ComfyUI adds its routes: after all packs were loaded, and before the first prompt.
"""

import importlib
import os
import sys
from typing import Any

execution: Any = importlib.import_module("execution")
folder_paths: Any = importlib.import_module("folder_paths")
utils: Any = importlib.import_module("comfy.utils")
server: Any = importlib.import_module("server").PromptServer
executor, queue = execution.PromptExecutor, execution.PromptQueue
PLACES: dict[str, list[tuple[Any, str]]] = {
    "file_names": [(folder_paths, "get_full_path"), (folder_paths, "get_annotated_filepath")],
    "loads": [(utils, "load_torch_file")],
    "inputs": [(execution, "get_input_data")],
    "nodes": [(execution, "execute")],
    "calls": [(execution, "get_output_data")],
    "cached_nodes": [(execution, "CacheEntry")],
    "runs": [(executor, "execute_async")],
    "results": [(queue, "task_done")],
    "self_test": [(executor, "__init__")],
}
broken = os.environ["BREAK_HOOK"]
names = list(PLACES) if broken == "all" else [broken]
originals = [(owner, name, getattr(owner, name)) for key in names for owner, name in PLACES.get(key, [])]
add_routes = server.add_routes


def restore(*values: Any, **named: Any) -> Any:
    """Put the functions back, then add the routes."""
    for owner, name, original in originals:
        setattr(owner, name, original)
    return add_routes(*values, **named)


def refuse(*values: Any) -> None:
    """Take no audit hook."""
    raise RuntimeError("no audit hook can be added")


server.add_routes = restore
if broken in ("opens", "all"):
    sys.addaudithook = refuse
