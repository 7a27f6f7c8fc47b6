"""The extension's configuration: Genlock's URL, a token for it, and the secret that Genlock's workers send.

``genlock comfyui install`` writes it to ``genlock.json`` next to this file, readable by its owner only.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger("genlock")

FILE = Path(__file__).with_name("genlock.json")


class Config(NamedTuple):
    """Genlock's URL and token, the secret that callers of ``/genlock/*`` send, and how many bytes may be staged."""

    url: str = ""
    token: str = ""
    secret: str = ""
    staging_bytes: int = 200 * 2**30


class ConfigFile:
    """The configuration file, read again when it changes, so that a new token needs no restart."""

    def __init__(self, path: Path = FILE) -> None:
        self._path = path
        self._read: Config | None = None
        self._stamp: tuple[int, int] | None = None

    def now(self) -> Config:
        """Return the current configuration; an empty one, with a line in the log, if the file cannot be read."""
        try:
            status = os.stat(self._path)
        except OSError:
            if self._stamp is not None or self._read is None:
                logger.warning(
                    "[genlock] not connected: %s is missing. `genlock comfyui install` writes it.", self._path
                )
            self._read, self._stamp = Config(), None
            return self._read
        stamp = (status.st_mtime_ns, status.st_ino)
        if self._read is None or stamp != self._stamp:
            self._stamp, self._read = stamp, self._load(status.st_mode)
        return self._read

    def _load(self, mode: int) -> Config:
        if os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            logger.warning("[genlock] others may read %s, which holds a token: chmod 600 it.", self._path)
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            limit = document.get("staging_bytes")
            url, token, secret = (str(document.get(name) or "") for name in ("url", "token", "secret"))
            plain = Config(url, token, secret)
            return plain._replace(staging_bytes=limit) if type(limit) is int else plain
        except (OSError, ValueError, AttributeError) as error:
            logger.error("[genlock] %s cannot be read: %s", self._path, error)
            return Config()
