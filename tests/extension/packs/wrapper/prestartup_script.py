"""Does what node packs do: wraps a function of ComfyUI, with other parameters than it had."""

import importlib
from typing import Any

execution: Any = importlib.import_module("execution")
run_node = execution.execute


async def execute(*arguments: Any) -> Any:
    """Run the wrapped function."""
    return await run_node(*arguments)


execution.execute = execute
