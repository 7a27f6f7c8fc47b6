"""The files that a node reads while it runs, and for which of them that is certain.

    node begins ─▶ names files (folder_paths) ─▶ loads them (load_torch_file, open) ─▶ node ends ─▶ decide

A node may name a file and use an older one that it cached: its instance survives between runs. So the file that the
path names now counts as used only if no other can have been used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .files import Files, Held
from .stamps import leads_to, stamp_of

INPUT = "input"
REPLACED = "it was replaced while the node read it"
UNSEEN = "it was replaced since ComfyUI started, and which one the node used could not be seen"
_LOADED = "_genlock_loaded"
_MOST_TEXT = 100_000
MOST_OPENED = 200
"""Files that a node opens without naming them, each of which is held open until it is hashed."""


class NodeFile:
    """A file that a node named or loaded."""

    def __init__(self, path: str, category: str | None, name: str | None) -> None:
        self.path, self.category, self.name = path, category, name
        self.held: Held | None = None  # the file when the node named it
        self.loaded: Held | None = None  # the file when ComfyUI's loader read it
        self.looked_up = False  # by its name, in ComfyUI's functions
        self.read = False  # opened by the node itself
        self.used: Held | None = None  # the file that the node used
        self.missing: str | None = None
        self.observed = True  # false for a file that is only named: its bytes as they are now count as used

    def is_replaced(self) -> bool:
        """Return whether the path now names another file than the one that was used."""
        return self.used is not None and not leads_to(self.path, self.used.stamp)


class NodeRun:
    """What a node did in a run; for cached outputs, in the run that generated them."""

    def __init__(self, node: str, class_type: str) -> None:
        self.node, self.class_type = node, class_type
        self.seconds = 0.0
        self.ran = False  # its function was called, so its outputs are not cached ones
        self.instance: object = None  # the node's object, while it runs
        self.files: dict[str, NodeFile] = {}
        self.resolved: dict[str, Any] = {}
        self.lacks: frozenset[str] = frozenset()  # linked inputs that did not reach it, such as lazy ones
        self.unseen: list[str] = []  # what it may have read that cannot be seen, in words
        self.inner: list[NodeRun] = []  # nodes that this one was expanded into
        self.opened = 0  # files that it opened without naming them

    def named(self, path: str, category: str | None, name: str | None) -> NodeFile:
        """Return the entry of a file, created when the file is first named."""
        node_file = self.files.get(path)
        if node_file is None:
            node_file = self.files[path] = NodeFile(path, category, name)
        elif node_file.category is None:
            node_file.category, node_file.name = category, name
        return node_file

    def everything(self) -> Iterator[NodeRun]:
        """Yield this node and the nodes that it was expanded into."""
        yield self
        for node in self.inner:
            yield from node.everything()


class Meter:
    """Adds up the time spent in hooks, in seconds."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._before_s = 0.0

    def begin_run(self) -> None:
        """Begin to add up the time of another run."""
        self._before_s = self.spent_s

    def of_run_s(self) -> float:
        """Return the time since ``begin_run``."""
        return self.spent_s - self._before_s

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """Add the time of a block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent_s += time.perf_counter() - began


class Watch:
    """Records what the hooks report, with the node that runs in this context."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.meter = Meter()
        self.current: ContextVar[NodeRun | None] = ContextVar("genlock_node", default=None)
        self.roots: Sequence[tuple[str, str]] = ()  # categories with their folders: files opened below are inputs

    def named(self, category: str, name: str, path: str | None) -> None:
        """Record that the current node looked up a file."""
        node = self.current.get()
        if node is None or path is None or not os.path.isfile(path):
            return
        node_file = node.named(os.path.abspath(path), category, name)
        node_file.looked_up = True
        if node_file.held is None:
            node_file.held = self._hold(node_file.path)

    def opened(self, path: object, flags: int = 0) -> None:
        """Record that the current node opens a file; called for every open in the process, so it must be cheap."""
        node = self.current.get()
        if node is None or not isinstance(path, (str, bytes)):
            return
        name = os.fsdecode(path)
        node_file = node.files.get(name)
        if node_file is not None:
            node_file.read = True
        elif node.ran and not flags & (os.O_WRONLY | os.O_RDWR):
            self._opened_below(node, os.path.abspath(name))

    def _opened_below(self, node: NodeRun, path: str) -> None:
        """Record a file that the node did not name, if it is below one of the folders of models and inputs."""
        place = place_below(path, self.roots)
        if place is None or not os.path.isfile(path):
            return
        node_file = node.files.get(path)
        if node_file is None:
            node.opened += 1
            if node.opened > MOST_OPENED:
                if node.opened == MOST_OPENED + 1:
                    node.unseen.append(f"it opened more than {MOST_OPENED} files, and the others are not listed")
                return
            node_file = node.named(path, *place)
            node_file.held = self._hold(path)
        node_file.read = True

    def before_load(self, path: str) -> Held | None:
        """Open a file that ComfyUI's loader is about to read; pass the result to ``after_load``."""
        if self.current.get() is None or not os.path.isfile(path):
            return None
        return self._hold(os.path.abspath(path))

    def after_load(self, held: Held | None) -> None:
        """Record that the file was loaded, or that it was replaced while it was read."""
        node = self.current.get()
        if node is None or held is None:
            return
        node_file = node.named(held.path, None, None)
        node_file.held = node_file.held or held
        if _path_leads_to(held):
            node_file.loaded = held
        else:
            node_file.missing = REPLACED

    def _hold(self, path: str) -> Held:
        """Open a file without recording that as an open of the node."""
        token = self.current.set(None)
        try:
            return self.files.hold(path)
        finally:
            self.current.reset(token)

    def end(self, node: NodeRun, instance: object) -> None:
        """Decide which files an ended node used. ``instance`` is the node's object, if it is known."""
        loaded: dict[str, Held] = getattr(instance, _LOADED, {}) if instance is not None else {}
        for node_file in node.files.values():
            self._decide(node_file, loaded.get(node_file.path))
            if node_file.used is not None:
                loaded[node_file.path] = node_file.used
        if instance is not None and loaded:
            setattr(instance, _LOADED, loaded)

    def _decide(self, node_file: NodeFile, cached: Held | None) -> None:
        if node_file.used is not None and node_file.held is None:
            return  # named and never loaded: already decided
        if node_file.loaded is not None:
            node_file.used, node_file.missing = node_file.loaded, None
        elif node_file.missing is not None or node_file.held is None:
            node_file.missing = node_file.missing or UNSEEN
        elif not _path_leads_to(node_file.held):
            node_file.missing = REPLACED
        elif node_file.read and (node_file.category == INPUT or cached is None or cached is node_file.held):
            node_file.used = node_file.held
        elif cached is not None and not node_file.read:
            node_file.used = cached
        elif self.files.always_the_same(node_file.path):
            node_file.used = node_file.held
        else:
            node_file.missing = UNSEEN


def place_below(path: str, roots: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the category of a path, and its name within; None for a path that is below none of the roots."""
    for category, folder in roots:
        if path.startswith(folder):
            return category, path[len(folder) :].replace(os.sep, "/")
    return None


def scalars(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node's inputs that are strings, numbers or booleans, as the node received them."""
    values_by_name: dict[str, Any] = {}
    for name, values in inputs.items():
        if isinstance(values, list) and len(values) == 1 and isinstance(values[0], (str, int, float, bool)):  # pyright: ignore[reportUnknownArgumentType]
            value = values[0]
            if not isinstance(value, str) or len(value) <= _MOST_TEXT:
                values_by_name[name] = value
    return values_by_name


def _path_leads_to(held: Held) -> bool:
    """Return whether the path names the held file, unchanged: same file, same times."""
    try:
        return stamp_of(held.path).key == held.stamp.key
    except OSError:
        return False
