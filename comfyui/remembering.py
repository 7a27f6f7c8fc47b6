"""Small caches on disk: one JSON object, read and written whole. One that cannot be read starts empty."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

logger = logging.getLogger("genlock")


def read_remembered(file: Path) -> dict[str, Any]:
    """Return the object in a file; empty if there is no file, or, with a line in the log, if it cannot be read."""
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("[genlock] %s cannot be read and starts empty: %s", file, error)
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def write_remembered(file: Path, content: Mapping[str, Any]) -> None:
    """Replace the file by one rename."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content), encoding="utf-8")
    os.replace(new, file)
