"""A run while it goes on: its exact graph, what each node did, and in the end the record of it.

begin (graph as it was sent) ─▶ nodes ─▶ end (those from the cache are filled in) ─▶ record, once all is hashed
"""

from __future__ import annotations

import json
import mimetypes
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from .files import Files, Held
from .place import place_in
from .watching import UNSEEN, NodeRun, Seen

SCHEMA = "genlock.run/1"
VERSION = "1"
_HASHING_LIMIT_S = 3600.0
# What a take can be made of: Python knows some of these only where the system has a table of its own.
_MEDIA_TYPES = {
    **{".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm"},
    **{".mkv": "video/x-matroska", ".webp": "image/webp", ".gif": "image/gif", ".png": "image/png"},
}
WEIGHTS_EXTENSIONS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")


class Run:
    """One prompt that ComfyUI runs."""

    def __init__(self, prompt_id: str, graph: Mapping[str, Any]) -> None:
        self.run = str(uuid.uuid4())
        self.prompt_id = prompt_id
        self.graph_text = json.dumps(graph)  # now: ComfyUI writes into the graph while it runs it
        self.nodes: dict[str, NodeRun] = {}
        self.cached: dict[str, tuple[NodeRun, ...]] = {}
        self.started_at = datetime.now(timezone.utc)
        self.finished_at: datetime | None = None
        self.duration_s = 0.0
        self.overhead_s = 0.0
        self.rendered_by_genlock = False
        self.replaced: tuple[str, ...] = ()
        self._began = time.perf_counter()

    def end(self, overhead_s: float) -> None:
        """It is over; ``overhead_s`` of its time was spent in hooks.

        Notices what was written to while in use, and what is another file on disk by now.
        """
        self.duration_s = time.perf_counter() - self._began
        self.finished_at = datetime.now(timezone.utc)
        self.overhead_s = overhead_s
        replaced = {seen.name or os.path.basename(seen.path) for *_, seen in self.seen() if seen.is_replaced()}
        self.replaced = tuple(sorted(replaced))
        if not self.nodes:
            return  # nothing ran: what the cache gave was made, and checked, when it was made
        for *_, seen in self.seen():
            if seen.used is not None and (reason := seen.used.reason_now()) is not None:
                seen.used, seen.missing = None, reason

    def seen(self) -> Iterator[tuple[str, Mapping[str, Any], bool, Seen]]:
        """Every file: the node in the graph, its inputs, whether its outputs came from the cache, and the file."""
        for key, node in list(self.nodes.items()):
            for one in node.everything():
                for seen in list(one.files.values()):
                    yield key, one.resolved, False, seen
        for key, nodes in self.cached.items():  # remembered under the id that the node had when it ran
            for one in nodes:
                for seen in list(one.files.values()):
                    yield key, one.resolved, True, seen


class Output:
    """A file that a run saved; held at once, because it may be replaced later."""

    def __init__(self, node: str, entry: Mapping[str, Any], path: str, held: Held | None) -> None:
        self.node, self.path, self.held = node, path, held
        self.filename = str(entry.get("filename", ""))
        self.subfolder = str(entry.get("subfolder", ""))
        self.kind = str(entry.get("type", "output"))

    def record(self) -> dict[str, Any]:
        """The line of the record."""
        held = self.held
        return {
            "node": self.node,
            "filename": self.filename,
            "subfolder": self.subfolder,
            "type": self.kind,
            "media_type": media_type_of(self.filename),
            "digest": None if held is None else held.digest,
            "size_bytes": None if held is None else held.stamp.size,
        }


class Finished:
    """A run that is over, with everything its record is made of."""

    def __init__(
        self,
        run: Run,
        status: str,
        error: dict[str, Any] | None,
        outputs: list[Output],
        environment: Mapping[str, Any],
        sees: Mapping[str, bool],
    ) -> None:
        self.run, self.status, self.error, self.outputs = run, status, error, outputs
        self._environment, self._sees = dict(environment), dict(sees)
        # Held by lists of our own: what nodes remember may be let go by ComfyUI's caches while this is being hashed.
        self._files = [(*found, found[-1].used, found[-1].missing) for found in run.seen()]

    def wait(self, limit_s: float = _HASHING_LIMIT_S) -> None:
        """Return when everything is hashed, or the limit is over."""
        until = time.monotonic() + limit_s
        for held in [held for *_, held, _ in self._files] + [output.held for output in self.outputs]:
            if held is not None:
                held.settled.wait(max(0.0, until - time.monotonic()))

    def record(self) -> dict[str, Any]:
        """The record, with what is known by now: what is not hashed yet says so."""
        run = self.run
        graph: dict[str, Any] = json.loads(run.graph_text)
        resolved = {node: inputs for node, inputs in self._resolved(graph) if inputs}
        return {
            "schema": SCHEMA,
            "run": run.run,
            "prompt_id": run.prompt_id,
            "status": self.status,
            "error": self.error,
            "graph": graph,
            "resolved": resolved,
            "files": [self._line(*one) for one in self._files],
            "outputs": [output.record() for output in self.outputs],
            "per_node_s": {key: round(node.seconds, 4) for key, node in run.nodes.items()},
            "cached_nodes": sorted(run.cached),
            "started_at": run.started_at.isoformat(),
            "finished_at": (run.finished_at or run.started_at).isoformat(),
            "duration_s": round(run.duration_s, 4),
            "environment": self._environment,
            "place": place_in(graph, resolved),
            "rendered_by_genlock": run.rendered_by_genlock,
            "capture": {
                "version": VERSION,
                "sees": self._sees,
                "overhead_s": round(run.overhead_s, 6),
            },
        }

    def _resolved(self, graph: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, node in self.run.nodes.items():
            if key in graph:
                yield key, node.resolved
        for name, nodes in self.run.cached.items():
            if name in graph and nodes:
                yield name, nodes[0].resolved

    def _line(
        self,
        node: str,
        inputs: Mapping[str, Any],
        cached: bool,
        seen: Seen,
        used: Held | None,
        missing: str | None,
    ) -> dict[str, Any]:
        digest = None if used is None else used.digest
        if used is not None and digest is None:
            missing = used.missing or "ComfyUI ended before it was hashed"
        name = seen.name or os.path.basename(seen.path)
        return {
            "node": node,
            "input": input_named(inputs, name),
            "category": seen.category,
            "name": name,
            "digest": digest,
            "size_bytes": None if used is None else used.stamp.size,
            "missing": None if digest is not None else missing,
            "cached": cached,
        }


def media_type_of(filename: str) -> str:
    """What a file is, by its name."""
    known = _MEDIA_TYPES.get(os.path.splitext(filename)[1].lower())
    return known or mimetypes.guess_type(filename)[0] or "application/octet-stream"


def input_named(inputs: Mapping[str, Any], name: str) -> str | None:
    """The input of a node that chose the file ``name``; None if none is just that."""
    return next((key for key, value in inputs.items() if value == name), None)


def unloaded_choices(files: Files, node: NodeRun, categories: Mapping[str, Any], full_path: Any) -> None:
    """Files that a node was told to use and did not load, such as a LoRA of strength 0: known by what they are now."""
    there = {seen.name for seen in node.files.values()}
    for value in node.resolved.values():
        if not isinstance(value, str) or value in there or not value.lower().endswith(WEIGHTS_EXTENSIONS):
            continue
        for category in categories:
            path = full_path(category, value)
            if path is not None:
                seen = node.named(os.path.abspath(path), category, value)
                held = files.hold(seen.path)
                seen.used, seen.missing = (held, None) if files.always_the_same(seen.path) else (None, UNSEEN)
                break
