"""Import by name while the program runs: the commands of the command line, and Alembic. Nothing else imports lazily."""

import importlib
from typing import Any


def load(module: str, attribute: str) -> Any:
    """Import ``module`` and return its ``attribute``."""
    return getattr(importlib.import_module(module), attribute)
