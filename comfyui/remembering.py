"""Small memories on disk: one JSON object, read whole and written whole. One that cannot be read begins anew."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

logger = logging.getLogger("genlock")


def read_remembered(file: Path) -> dict[str, Any]:
    """What was remembered; nothing if there is no file, or none that can be read, which the log then says."""
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("[genlock] %s is not readable and begins anew: %s", file, error)
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def write_remembered(file: Path, content: Mapping[str, Any]) -> None:
    """Remember it, by one rename."""
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(content), encoding="utf-8")
    os.replace(beside, file)
