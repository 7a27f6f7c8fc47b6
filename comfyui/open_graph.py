"""The files that an open graph names, with their digests as they are on disk now.

    node 2: lora_name = "rain.safetensors" ─▶ models/loras/rain.safetensors ─▶ its digest, once it is hashed

A name that stands for several files, of two categories, has no digest: which one a node means is not known here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from .files import Files

MOST_NODES = 5000
MOST_FILES = 1000
_MOST_TEXT = 1000
_ANNOTATIONS = ("input", "output", "temp")


class NamedFile(NamedTuple):
    """A file that an input of a node names; ``path`` is None if it stands for several files."""

    node: str
    input: str
    name: str
    category: str | None
    path: str | None


def files_in(graph: Mapping[str, Any], folders: Mapping[str, Sequence[str]]) -> list[NamedFile]:
    """Return the files that the nodes of a graph in API format name, at most ``MOST_FILES``."""
    named: list[NamedFile] = []
    for node, name, value in _texts(graph):
        places = _places(value, folders)
        if places:
            category, path = places[0] if len(places) == 1 else (None, None)
            named.append(NamedFile(node, name, _without_folder(value)[0], category, path))
        if len(named) == MOST_FILES:
            break
    return named


def with_digests(named: Sequence[NamedFile], files: Files, limit_s: float) -> tuple[list[dict[str, Any]], int]:
    """Return the entries that Genlock takes, and how many files are not hashed yet after ``limit_s`` seconds.

    Those go on being hashed: a later call finds them done.
    """
    until = time.monotonic() + limit_s
    entries: list[dict[str, Any]] = []
    pending = 0
    for file in named:
        if file.path is None:
            continue
        try:
            held = files.hold(file.path, before_use=False)
        except OSError:
            continue  # it was removed meanwhile; its name is known
        held.settled.wait(max(0.0, until - time.monotonic()))
        pending += not held.settled.is_set()
        entry = {"node": file.node, "input": file.input, "category": file.category, "name": file.name}
        if held.digest is not None:
            entries.append({**entry, "digest": held.digest, "size_bytes": held.stamp.size})
    return entries, pending


def _texts(graph: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield every text in the inputs of nodes that may be a file's name, with the node and the input."""
    for key, node in list(graph.items())[:MOST_NODES]:
        inputs = cast("dict[str, Any]", node).get("inputs") if isinstance(node, dict) else None
        for name, value in cast("dict[str, Any]", inputs).items() if isinstance(inputs, dict) else ():
            for text in cast("dict[str, Any]", value).values() if isinstance(value, dict) else (value,):
                if isinstance(text, str) and "." in text and len(text) <= _MOST_TEXT and "\0" not in text:
                    yield str(key), str(name), text


def _places(value: str, folders: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Return the category and path of each file that a name stands for: the first of each category, each path once."""
    name, annotated = _without_folder(value)
    places: dict[str, str] = {}
    for category, roots in folders.items():
        if (annotated is not None and category != annotated) or (annotated is None and category in ("output", "temp")):
            continue
        path = next((path for root in roots if (path := _inside(root, name)) is not None), None)
        if path is not None:
            places.setdefault(path, category)
    return [(category, path) for path, category in places.items()]


def _without_folder(value: str) -> tuple[str, str | None]:
    """Split ``x.png [output]`` into its name and its folder."""
    for folder in _ANNOTATIONS:
        if value.endswith(f" [{folder}]"):
            return value[: -len(folder) - 3], folder
    return value, None


def _inside(root: str, name: str) -> str | None:
    """Return the path of an existing file below ``root``; None for a name that leads out of it."""
    base = os.path.abspath(root)
    path = os.path.abspath(os.path.join(base, name))
    return path if path.startswith(os.path.join(base, "")) and os.path.isfile(path) else None
