"""What one node reads while it runs, and which of it can be said for sure.

    node begins ─▶ names files (folder_paths) ─▶ loads them (load_torch_file, open) ─▶ node ends ─▶ settle

A node may name a file and use an older one that it kept: its instance lives on between runs. So the file that the path
leads to now is believed only if nothing else can have been used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .files import Files, Held
from .stamps import leads_to, stamp_of

INPUT = "input"
REPLACED = "it was replaced while the node read it"
UNSEEN = "it was replaced since ComfyUI started, and which one the node used could not be seen"
_KEPT = "_genlock_loaded"
_MOST_TEXT = 100_000


class Seen:
    """One file that a node named or loaded."""

    def __init__(self, path: str, category: str | None, name: str | None) -> None:
        self.path, self.category, self.name = path, category, name
        self.held: Held | None = None  # as the path was when the node named it
        self.loaded: Held | None = None  # as it was when ComfyUI's own loader read it
        self.read = False  # opened by the node itself
        self.used: Held | None = None  # what it comes to
        self.missing: str | None = None

    def is_replaced(self) -> bool:
        """Whether the path leads to another file by now than the one that was used."""
        return self.used is not None and not leads_to(self.path, self.used.stamp)


class NodeRun:
    """What one node did in one run, or did when it ran last, if its outputs came from the cache."""

    def __init__(self, node: str, class_type: str) -> None:
        self.node, self.class_type = node, class_type
        self.seconds = 0.0
        self.files: dict[str, Seen] = {}
        self.resolved: dict[str, Any] = {}
        self.inner: list[NodeRun] = []  # nodes that this one was expanded into

    def named(self, path: str, category: str | None, name: str | None) -> Seen:
        """The entry of a file, made when it is first named."""
        seen = self.files.get(path)
        if seen is None:
            seen = self.files[path] = Seen(path, category, name)
        elif seen.category is None:
            seen.category, seen.name = category, name
        return seen

    def everything(self) -> Iterator[NodeRun]:
        """This node and those within."""
        yield self
        for one in self.inner:
            yield from one.everything()


class Meter:
    """Adds up the time that is spent in hooks, in seconds."""

    def __init__(self) -> None:
        self.spent_s = 0.0

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """Count the time of a block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent_s += time.perf_counter() - began


class Watch:
    """Told by the hooks what happens; keeps it with the node that is running in this context."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.meter = Meter()
        self.current: ContextVar[NodeRun | None] = ContextVar("genlock_node", default=None)

    def named(self, category: str, name: str, path: str | None) -> None:
        """A node asked where a file is."""
        node = self.current.get()
        if node is None or path is None or not os.path.isfile(path):
            return
        seen = node.named(os.path.abspath(path), category, name)
        if seen.held is None:
            seen.held = self._hold(seen.path)

    def opened(self, path: object) -> None:
        """Something in this process opens a file; called for every one, so it does next to nothing."""
        node = self.current.get()
        if node is not None and isinstance(path, str):
            seen = node.files.get(path)
            if seen is not None:
                seen.read = True

    def before_load(self, path: str) -> Held | None:
        """ComfyUI's loader is about to read a file; give the result to ``after_load``."""
        if self.current.get() is None or not os.path.isfile(path):
            return None
        return self._hold(os.path.abspath(path))

    def after_load(self, held: Held | None) -> None:
        """It has read it: the same file all the time, or it cannot be said which."""
        node = self.current.get()
        if node is None or held is None:
            return
        seen = node.named(held.path, None, None)
        seen.held = seen.held or held
        if _path_leads_to(held):
            seen.loaded = held
        else:
            seen.missing = REPLACED

    def _hold(self, path: str) -> Held:
        """Hold a file without taking our own opening of it for the node's."""
        token = self.current.set(None)
        try:
            return self.files.hold(path)
        finally:
            self.current.reset(token)

    def end(self, node: NodeRun, instance: object) -> None:
        """A node has ended: decide for each file which one it used. ``instance`` is the node's object, if it lives."""
        kept: dict[str, Held] = getattr(instance, _KEPT, {}) if instance is not None else {}
        for seen in node.files.values():
            self._decide(seen, kept.get(seen.path))
            if seen.used is not None:
                kept[seen.path] = seen.used
        if instance is not None and kept:
            setattr(instance, _KEPT, kept)

    def _decide(self, seen: Seen, kept: Held | None) -> None:
        if seen.used is not None and seen.held is None:
            return  # told to be used and never loaded: decided already
        if seen.loaded is not None:
            seen.used, seen.missing = seen.loaded, None
        elif seen.missing is not None or seen.held is None:
            seen.missing = seen.missing or UNSEEN
        elif not _path_leads_to(seen.held):
            seen.missing = REPLACED
        elif seen.read and (seen.category == INPUT or kept is None or kept is seen.held):
            seen.used = seen.held
        elif kept is not None and not seen.read:
            seen.used = kept
        elif self.files.always_the_same(seen.path):
            seen.used = seen.held
        else:
            seen.missing = UNSEEN


def scalars(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a node that are text, numbers or true and false, as the node received them."""
    found: dict[str, Any] = {}
    for name, values in inputs.items():
        if isinstance(values, list) and len(values) == 1 and isinstance(values[0], (str, int, float, bool)):  # pyright: ignore[reportUnknownArgumentType]
            value = values[0]
            if not isinstance(value, str) or len(value) <= _MOST_TEXT:
                found[name] = value
    return found


def _path_leads_to(held: Held) -> bool:
    """Whether the path leads to exactly what is held, unchanged: same file, same times."""
    try:
        return stamp_of(held.path).key == held.stamp.key
    except OSError:
        return False
