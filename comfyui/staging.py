"""Fetches a file from Genlock into a models folder, under a name given by its content.

    GET /api/v1/blobs/<digest> ─▶ <category>/genlock/<digest prefix>/.<name>.<random> ─▶ verified, read-only ─▶ renamed

Such a name never means other bytes, so no cache of ComfyUI's can serve old weights under it. An existing file is never
written to: overwriting a memory-mapped model crashes the server.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .config import Config

FOLDER = "genlock"
PREFIX_DIGITS = 16
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[^\x00-\x1f/\\:*?\"<>|]{1,200}")
_CHUNK_BYTES = 2**20


class Unstaged(Exception):
    """A file cannot be staged; the text says why."""


def staged_name(digest: str, name: str) -> str:
    """Return the file's name in graphs, within its category: ``genlock/<digest prefix>/<name>``."""
    if not _DIGEST.fullmatch(digest):
        raise Unstaged("the digest must have the form sha256:<64 hex digits>")
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise Unstaged("the name must have 1 to 200 characters, no separators, and must not begin with a dot")
    return f"{FOLDER}/{digest[len('sha256:') :][:PREFIX_DIGITS]}/{name}"


def stage(
    config: Config,
    folders: Mapping[str, Sequence[str]],
    category: str,
    digest: str,
    name: str,
    is_known: Callable[[str, str], bool] = lambda path, digest: False,
) -> dict[str, Any]:
    """Stage the bytes of ``digest`` and return where they are. Blocks; raises ``Unstaged`` if it fails.

    An existing file is hashed again, unless ``is_known`` returns true for its path and digest.
    """
    staged = staged_name(digest, name)
    if not folders.get(category):
        raise Unstaged(f"ComfyUI has no folder for {category!r}")
    target = Path(folders[category][0]) / staged
    answer = {"category": category, "name": staged, "digest": digest}
    if target.exists():
        if is_known(os.path.abspath(target), digest) or _digest_of(target) == digest:
            return {**answer, "outcome": "exists", "size_bytes": target.stat().st_size}
        raise Unstaged(f"{staged} exists with other bytes: remove it, then try again")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        size = _download(config, digest, new)
        os.chmod(new, 0o444)
        os.replace(new, target)
    finally:
        new.unlink(missing_ok=True)
    return {**answer, "outcome": "staged", "size_bytes": size}


def _download(config: Config, digest: str, target: Path) -> int:
    """Write the bytes of a digest to ``target``, durable and verified, and return their number."""
    if not config.url:
        raise Unstaged("Genlock's URL is not configured")
    request = urllib.request.Request(  # noqa: S310 - the URL is the one that the owner configured
        f"{config.url.rstrip('/')}/api/v1/blobs/{digest}", headers={"Authorization": f"Bearer {config.token}"}
    )
    hasher, size = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(request, timeout=60) as source, target.open("xb") as file:  # noqa: S310 - as above
            while chunk := source.read(_CHUNK_BYTES):
                hasher.update(chunk)
                size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except urllib.error.HTTPError as error:
        raise Unstaged(f"Genlock answered {error.code} for {digest}") from error
    except OSError as error:
        raise Unstaged(f"could not fetch {digest}: {error}") from error
    if f"sha256:{hasher.hexdigest()}" != digest:
        raise Unstaged(f"Genlock sent other bytes for {digest}")
    return size


def _digest_of(path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return f"sha256:{hasher.hexdigest()}"
