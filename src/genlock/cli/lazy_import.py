"""Import by name while the program runs, for what only some commands need. Nothing else imports lazily."""

import importlib
from typing import Any


def load(module: str, attribute: str) -> Any:
    """Import ``module`` and return its ``attribute``."""
    return getattr(importlib.import_module(module), attribute)
