"""Keeps errors in Genlock away from generations: logged once, never raised into ComfyUI."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger("genlock")
_logged: set[str] = set()


class Quiet:
    """``with Quiet("hook"):`` ends the block at the first error, and logs it once for each place."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        log_once(self._where, error)
        return True


def log_once(where: str, error: BaseException) -> None:
    """Log an error with its traceback the first time it comes from a place, and nothing after that."""
    if where not in _logged:
        _logged.add(where)
        logger.error("[genlock] %s failed; the generation goes on. This is logged once.", where, exc_info=error)
