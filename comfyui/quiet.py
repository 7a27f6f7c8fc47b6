"""Keeps what goes wrong in Genlock away from generations: told once in the log, never raised into ComfyUI."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger("genlock")
_told: set[str] = set()


class Quiet:
    """``with Quiet("hook"):`` ends the block at the first error, and says so once for each place."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        tell_once(self._where, error)
        return True


def tell_once(where: str, error: BaseException) -> None:
    """Log an error with its trace the first time it comes from a place, and nothing after that."""
    if where not in _told:
        _told.add(where)
        logger.error("[genlock] %s failed; the generation goes on. This is told once.", where, exc_info=error)
