"""A run in progress: its exact graph, what each node did, and finally its record.

begin (graph as submitted) ─▶ nodes ─▶ end (which nodes acted is decided) ─▶ record, once all files are hashed
"""

from __future__ import annotations

import json
import mimetypes
import os
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from .files import Held
from .place import place_in
from .watching import NodeFile, NodeRun

SCHEMA = "genlock.run/1"
VERSION = "1"
_HASHING_LIMIT_S = 3600.0
_MOST_REASONS, _MOST_REASON = 100, 500
_CLOCK_NS = 50_000_000
"""How far the times of files may lag behind the clock of the process."""
# Containers of takes: Python knows some of these only where the system has its own table.
_MEDIA_TYPES = {
    **{".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm"},
    **{".mkv": "video/x-matroska", ".webp": "image/webp", ".gif": "image/gif", ".png": "image/png"},
}


class Run:
    """A prompt that ComfyUI runs."""

    def __init__(self, prompt_id: str, graph: Mapping[str, Any]) -> None:
        self.run = str(uuid.uuid4())
        self.prompt_id = prompt_id
        self.graph_text = json.dumps(graph)  # now: ComfyUI writes into the graph while it runs it
        self.observed = False  # whether its start was
        self.nodes: dict[str, NodeRun] = {}  # that ran
        self.cached: dict[str, tuple[NodeRun, ...]] = {}  # whose cached outputs were used, with what made them
        self.unproven: tuple[str, ...] = ()  # of the cached ones, those that something else made
        self.idle: tuple[str, ...] = ()  # of the graph's nodes, those that did not act
        self.idle_inputs: dict[str, list[str]] = {}  # of nodes that acted, the links that did not reach them
        self.by_name: list[tuple[str, NodeFile]] = []  # files that the graph names, each with its node
        self.reasons: list[str] = []  # why the evidence is weaker, in words
        self.reached: set[str] = set()
        self.hits: dict[str, NodeRun | None] = {}  # cached outputs that ComfyUI met, with what made them
        self.expanded: dict[str, tuple[str, Any]] = {}  # nodes created while the graph ran, with their origin
        self.started_at = datetime.now(timezone.utc)
        self.finished_at: datetime | None = None
        self.duration_s = 0.0
        self.overhead_s = 0.0
        self.rendered_by_genlock = False
        self.replaced: tuple[str, ...] = ()
        self._began = time.perf_counter()

    @property
    def graph(self) -> dict[str, Any]:
        """Return the graph as it was submitted."""
        graph: dict[str, Any] = json.loads(self.graph_text)
        return graph

    def end(self, overhead_s: float) -> None:
        """End the run; ``overhead_s`` of its time was spent in hooks.

        Files that were written to while in use lose their digest; files replaced on disk are listed in ``replaced``.
        """
        self.duration_s = time.perf_counter() - self._began
        self.finished_at = datetime.now(timezone.utc)
        self.overhead_s = overhead_s
        replaced = {
            node_file.name or os.path.basename(node_file.path)
            for *_, node_file in self.node_files()
            if node_file.is_replaced()
        }
        self.replaced = tuple(sorted(replaced))
        if not self.nodes:
            return  # nothing ran: cached outputs were checked when they were generated
        for *_, node_file in self.node_files():
            if node_file.used is not None and (reason := node_file.used.reason_now()) is not None:
                node_file.used, node_file.missing = None, reason

    def set_times(self, messages: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Set the times of a run that was not observed from ComfyUI's messages, whose timestamps are milliseconds."""
        times = [
            datetime.fromtimestamp(fields["timestamp"] / 1e3, timezone.utc)
            for _, fields in messages
            if "timestamp" in fields
        ]
        if times:
            self.started_at, self.finished_at = times[0], times[-1]
            self.duration_s = (times[-1] - times[0]).total_seconds()

    def doubts(self, outputs: Sequence[Output]) -> list[str]:
        """Return where the observed nodes contradict the saved files, in words."""
        graph, doubts = self.graph, list[str]()
        for node in dict.fromkeys(output.node for output in outputs if output.node in graph):
            name = f"node {node} ({graph[node].get('class_type')})"
            if node in self.cached and not self.is_older(outputs, node):
                doubts.append(f"{name} was taken for cached, and its file was written during the run")
            elif node not in self.cached and node not in self.nodes:
                doubts.append(f"{name} saved a file, and was not observed")
        return doubts

    def trust_only(self, outputs: Sequence[Output], reported: Collection[str]) -> None:
        """Forget which nodes were observed to act, and take for cached what both ComfyUI and the files prove.

        A saver is cached if ComfyUI ``reported`` it and its files are older than the run. Without any saved file, all
        nodes are cached if ComfyUI reported all of them.
        """
        savers = {output.node for output in outputs}
        every = set(self.graph)
        proven = [node for node in reported if node in savers and self.is_older(outputs, node)]
        self.cached = dict.fromkeys(proven if savers else every if every <= set(reported) else (), ())
        self.idle, self.idle_inputs = (), {}

    def is_older(self, outputs: Sequence[Output], node: str) -> bool:
        """Return whether all files of a node were written before the run began."""
        began_ns = self.started_at.timestamp() * 1e9
        held = [output.held for output in outputs if output.node == node]
        return all(file is not None and file.stamp.mtime_ns < began_ns + _CLOCK_NS for file in held)

    def everything(self) -> Iterator[NodeRun]:
        """Yield what every node that acted did: those that ran, then those whose cached outputs were used."""
        for node in list(self.nodes.values()):
            yield from node.everything()
        for nodes in self.cached.values():
            yield from nodes

    def resolved(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the nodes of the graph with the texts and numbers that they received."""
        graph = self.graph
        for key, node in self.nodes.items():
            if key in graph:
                yield key, node.resolved
        for name, nodes in self.cached.items():
            if name in graph and nodes:
                yield name, nodes[0].resolved

    def node_files(self) -> Iterator[tuple[str, Mapping[str, Any], bool, NodeFile]]:
        """Yield every file with its node in the graph, that node's inputs, and whether its outputs were cached."""
        for key, node in list(self.nodes.items()):
            for node_run in node.everything():
                for node_file in list(node_run.files.values()):
                    yield key, node_run.resolved, False, node_file
        for key, nodes in self.cached.items():  # a cached node keeps the id that it had when it ran
            for node_run in nodes:
                for node_file in list(node_run.files.values()):
                    yield key, node_run.resolved, True, node_file
        graph = self.graph if self.by_name else {}
        for key, node_file in self.by_name:
            yield key, graph[key]["inputs"], False, node_file


class Output:
    """A file that a run saved, opened at once because it may be replaced later."""

    def __init__(self, node: str, entry: Mapping[str, Any], path: str, held: Held | None) -> None:
        self.node, self.path, self.held = node, path, held
        self.filename = str(entry.get("filename", ""))
        self.subfolder = str(entry.get("subfolder", ""))
        self.kind = str(entry.get("type", "output"))

    def record(self) -> dict[str, Any]:
        """Return the output's entry in the record."""
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
    """A finished run with everything that its record contains."""

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
        # Copied to a list: ComfyUI's caches may drop the node runs, and so close the files, before they are hashed.
        self._files = [(*entry, entry[-1].used, entry[-1].missing) for entry in run.node_files()]

    def wait(self, limit_s: float = _HASHING_LIMIT_S) -> None:
        """Return when everything is hashed, or after ``limit_s`` seconds."""
        until = time.monotonic() + limit_s
        for held in [held for *_, held, _ in self._files] + [output.held for output in self.outputs]:
            if held is not None:
                held.settled.wait(max(0.0, until - time.monotonic()))

    def record(self) -> dict[str, Any]:
        """Return the record as far as it is known; a file that is not hashed yet has a reason instead of a digest."""
        run = self.run
        graph = run.graph
        resolved = {node: inputs for node, inputs in run.resolved() if inputs}
        return {
            "schema": SCHEMA,
            "run": run.run,
            "prompt_id": run.prompt_id,
            "status": self.status,
            "error": self.error,
            "graph": graph,
            "resolved": resolved,
            "files": [self._line(*entry) for entry in self._files],
            "outputs": [output.record() for output in self.outputs],
            "per_node_s": {key: round(node.seconds, 4) for key, node in run.nodes.items()},
            "cached_nodes": sorted(run.cached),
            "idle_nodes": list(run.idle),
            "idle_inputs": run.idle_inputs,
            "started_at": run.started_at.isoformat(),
            "finished_at": (run.finished_at or run.started_at).isoformat(),
            "duration_s": round(run.duration_s, 4),
            "environment": self._environment,
            "place": place_in(graph, resolved),
            "rendered_by_genlock": run.rendered_by_genlock,
            "capture": {
                "version": VERSION,
                "sees": self._sees,
                "reasons": list(dict.fromkeys(reason[:_MOST_REASON] for reason in run.reasons))[:_MOST_REASONS],
                "overhead_s": round(run.overhead_s, 6),
            },
        }

    def _line(
        self,
        node: str,
        inputs: Mapping[str, Any],
        cached: bool,
        node_file: NodeFile,
        used: Held | None,
        missing: str | None,
    ) -> dict[str, Any]:
        digest = None if used is None else used.digest
        if used is not None and digest is None:
            missing = used.missing or "ComfyUI ended before it was hashed"
        name = node_file.name or os.path.basename(node_file.path)
        return {
            "node": node,
            "input": input_named(inputs, name),
            "category": node_file.category,
            "name": name,
            "digest": digest,
            "size_bytes": None if used is None else used.stamp.size,
            "missing": None if digest is not None else missing,
            "cached": cached,
            "observed": node_file.observed,
        }


def media_type_of(filename: str) -> str:
    """Return a file's media type by its name."""
    media_type = _MEDIA_TYPES.get(os.path.splitext(filename)[1].lower())
    return media_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"


def input_named(inputs: Mapping[str, Any], name: str) -> str | None:
    """Return the input of a node whose value is the file ``name``; None if there is none."""
    return next((key for key, value in inputs.items() if value == name), None)
