"""Brings a file from Genlock into a models folder, under a name that its content gives.

    GET /api/v1/blobs/<digest> ─▶ <category>/genlock/<digest prefix>/.<name>.<random> ─▶ verified, read-only ─▶ renamed

A name like that never means other bytes, so no cache of ComfyUI's can serve old weights under it. Nothing is ever
written into a file that is there: a model that is in use would take the server down with it.
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
    """The name by which a graph chooses the file, within its category: ``genlock/<digest prefix>/<name>``."""
    if not _DIGEST.fullmatch(digest):
        raise Unstaged("the digest is not of the form sha256:<64 hex digits>")
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise Unstaged("the name has 1 to 200 characters, begins with no dot, and none of them separates folders")
    return f"{FOLDER}/{digest[len('sha256:') :][:PREFIX_DIGITS]}/{name}"


def stage(
    config: Config,
    folders: Mapping[str, Sequence[str]],
    category: str,
    digest: str,
    name: str,
    is_known: Callable[[str, str], bool] = lambda path, digest: False,
) -> dict[str, Any]:
    """Have the bytes of ``digest`` under their staged name; where that is. Blocks; ``Unstaged`` if it cannot be.

    A file that is there is read again, unless ``is_known`` says that its path leads to that digest.
    """
    chosen = staged_name(digest, name)
    if not folders.get(category):
        raise Unstaged(f"ComfyUI has no folder for {category!r}")
    target = Path(folders[category][0]) / chosen
    answer = {"category": category, "name": chosen, "digest": digest}
    if target.exists():
        if is_known(os.path.abspath(target), digest) or _digest_of(target) == digest:
            return {**answer, "outcome": "exists", "size_bytes": target.stat().st_size}
        raise Unstaged(f"{chosen} is there with other bytes: somebody wrote to it; remove it")
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
    """Write the bytes of a digest to ``target``, durable and verified; how many there are."""
    if not config.url:
        raise Unstaged("Genlock's address is not known here")
    request = urllib.request.Request(  # noqa: S310 - the address is the one that the owner configured
        f"{config.url.rstrip('/')}/api/v1/blobs/{digest}", headers={"Authorization": f"Bearer {config.token}"}
    )
    found, size = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(request, timeout=60) as source, target.open("xb") as file:  # noqa: S310 - as above
            while chunk := source.read(_CHUNK_BYTES):
                found.update(chunk)
                size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except urllib.error.HTTPError as error:
        raise Unstaged(f"Genlock answered {error.code} for {digest}") from error
    except OSError as error:
        raise Unstaged(f"the bytes of {digest} did not come: {error}") from error
    if f"sha256:{found.hexdigest()}" != digest:
        raise Unstaged(f"what came for {digest} is something else")
    return size


def _digest_of(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
    return f"sha256:{found.hexdigest()}"
