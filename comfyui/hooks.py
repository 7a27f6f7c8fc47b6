"""The hooks: wrappers around ComfyUI's functions, each tested when ComfyUI starts.

    folder_paths.get_full_path, get_annotated_filepath    which file a node means
    comfy.utils.load_torch_file, open (an audit hook)     that it was read
    execution.get_input_data                              strings and numbers as they reach a node
    execution.execute                                     which node runs, for how long
    execution.CacheEntry                                  the node runs behind a cached output
    PromptExecutor.execute_async                          the start and end of a run
    PromptQueue.task_done                                 its status and its outputs

None of them is a public interface. A function that is not as expected is left alone and reported in ``sees``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from .quiet import Quiet, log_once
from .runs import Finished, Output, Run, unloaded_choices
from .watching import INPUT, NodeRun, Watch, scalars

Deliver = Callable[[Finished], None]
_NODE_PARAMETERS = ("server", "dynprompt", "caches", "current_item")


class Hooks:
    """All hooks of one ComfyUI process. ``sees`` says which of them work."""

    def __init__(self, watch: Watch, environment: Callable[[], Mapping[str, Any]], deliver: Deliver) -> None:
        self._watch, self._environment, self._deliver = watch, environment, deliver
        self.sees: dict[str, bool] = {}
        self._run: Run | None = None
        self._ended: dict[str, Run] = {}
        self._names: tuple[Any, Any] = (None, None)
        self._spent_before = 0.0
        self._folder_paths: Any = importlib.import_module("folder_paths")
        self._execution: Any = importlib.import_module("execution")
        self._utils: Any = importlib.import_module("comfy.utils")

    def install(self) -> None:
        """Install each hook independently; ``sees`` is false for a hook that could not be installed."""
        for name, put in (
            ("file_names", self._hook_names),
            ("loads", self._hook_loads),
            ("opens", self._hook_opens),
            ("inputs", self._hook_inputs),
            ("nodes", self._hook_nodes),
            ("cached_nodes", self._hook_cache),
            ("runs", self._hook_runs),
            ("results", self._hook_results),
        ):
            self.sees[name] = False
            with Quiet(f"the hook for {name}"):
                self.sees[name] = put()

    # files ---------------------------------------------------------------------------------------

    def _hook_names(self) -> bool:
        folders, watch = self._folder_paths, self._watch
        full_path, annotated = folders.get_full_path, folders.get_annotated_filepath

        @functools.wraps(full_path)
        def get_full_path(folder_name: str, filename: str, *more: Any, **named: Any) -> Any:
            path = full_path(folder_name, filename, *more, **named)
            with Quiet("seeing a file's name"), watch.meter.running():
                watch.named(folder_name, filename, path)
            return path

        @functools.wraps(annotated)
        def get_annotated_filepath(name: str, *more: Any, **named: Any) -> Any:
            path = annotated(name, *more, **named)
            with Quiet("seeing an input's name"), watch.meter.running():
                watch.named(INPUT, name, path)
            return path

        _replace_everywhere("get_full_path", full_path, get_full_path)
        _replace_everywhere("get_annotated_filepath", annotated, get_annotated_filepath)
        self._names = (full_path, annotated)
        with _probe(watch) as node, _tiny_file(folders.get_input_directory()) as path:
            folders.get_annotated_filepath(os.path.basename(path))
            return len(node.files) == 1

    def _hook_loads(self) -> bool:
        utils, watch = self._utils, self._watch
        load = utils.load_torch_file

        @functools.wraps(load)
        def load_torch_file(ckpt: Any, *more: Any, **named: Any) -> Any:
            held = None
            with Quiet("seeing a load begin"), watch.meter.running():
                held = watch.before_load(str(ckpt))
            weights = load(ckpt, *more, **named)
            with Quiet("seeing a load end"), watch.meter.running():
                watch.after_load(held)
            return weights

        _replace_everywhere("load_torch_file", load, load_torch_file)
        with _probe(watch) as node, _tiny_file(None) as path:
            utils.load_torch_file(path)
            return any(node_file.loaded is not None for node_file in node.files.values())

    def _hook_opens(self) -> bool:
        watch = self._watch

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            if event == "open":
                watch.opened(arguments[0])

        sys.addaudithook(audit)
        with _probe(watch) as node, _tiny_file(None) as path:
            node.named(path, INPUT, None)
            with open(path, "rb"):
                return node.files[path].read

    # nodes ---------------------------------------------------------------------------------------

    def _hook_inputs(self) -> bool:
        execution, watch = self._execution, self._watch
        get = execution.get_input_data

        @functools.wraps(get)
        def get_input_data(inputs: Any, class_def: Any, unique_id: Any, *more: Any, **named: Any) -> Any:
            result = get(inputs, class_def, unique_id, *more, **named)
            node = watch.current.get()
            if node is not None:
                with Quiet("seeing inputs"), watch.meter.running():
                    hidden = _hidden_of(class_def)
                    visible = {name: value for name, value in scalars(result[0]).items() if name not in hidden}
                    node.resolved.update(visible)
            return result

        execution.get_input_data = get_input_data
        return tuple(inspect.signature(get).parameters)[:3] == ("inputs", "class_def", "unique_id")

    def _hook_nodes(self) -> bool:
        execution = self._execution
        run_node = execution.execute
        parameters = tuple(inspect.signature(run_node).parameters)
        if not inspect.iscoroutinefunction(run_node) or parameters[:4] != _NODE_PARAMETERS:
            return False

        @functools.wraps(run_node)
        async def execute(server: Any, dynprompt: Any, caches: Any, current_item: Any, *more: Any, **named: Any) -> Any:
            node, token = None, None
            with Quiet("seeing a node begin"), self._watch.meter.running():
                node = self._begin_node(dynprompt, caches, current_item)
                token = self._watch.current.set(node)
            began = time.perf_counter()
            try:
                result = await run_node(server, dynprompt, caches, current_item, *more, **named)
            finally:
                spent_s = time.perf_counter() - began
                with Quiet("seeing a node end"), self._watch.meter.running():
                    if token is not None:
                        self._watch.current.reset(token)
                    if node is not None:
                        node.seconds += spent_s
                        self._end_node(node, dynprompt, caches, current_item)
            return result

        execution.execute = execute
        return True

    def _begin_node(self, dynprompt: Any, caches: Any, item: str) -> NodeRun | None:
        if self._run is None or caches.outputs.get(item) is not None:
            return None
        node = self._run.nodes.get(item)
        if node is None:  # a node may begin several times: it is suspended while it waits for others
            node = self._run.nodes[item] = NodeRun(item, str(dynprompt.get_node(item)["class_type"]))
        return node

    def _end_node(self, node: NodeRun, dynprompt: Any, caches: Any, item: str) -> None:
        self._watch.end(node, caches.objects.get(item))
        unloaded_choices(self._watch.files, node, self._folder_paths.folder_names_and_paths, self._names[0])
        entry = caches.outputs.get(item)
        if entry is not None and hasattr(entry, "__dict__"):
            entry.genlock = tuple(node.everything())
        parent = dynprompt.get_parent_node_id(item)
        if parent is not None and self._run is not None:
            above = self._run.nodes.get(parent)
            if above is not None and node not in above.inner:
                above.inner.append(node)

    def _hook_cache(self) -> bool:
        """Let entries of ComfyUI's cache carry the node runs behind them, which then live exactly as long."""
        plain = self._execution.CacheEntry
        entry_class = type("CacheEntry", (plain,), {"__doc__": plain.__doc__})
        entry = entry_class(ui=None, outputs=[])
        entry.genlock = ()
        if tuple(entry) != tuple(plain(ui=None, outputs=[])):
            return False
        self._execution.CacheEntry = entry_class
        return self.sees["nodes"]

    # runs ----------------------------------------------------------------------------------------

    def _hook_runs(self) -> bool:
        executor = self._execution.PromptExecutor
        run_all = executor.execute_async
        if tuple(inspect.signature(run_all).parameters)[:3] != ("self", "prompt", "prompt_id"):
            return False

        @functools.wraps(run_all)
        async def execute_async(this: Any, prompt: Any, prompt_id: Any, *more: Any, **named: Any) -> Any:
            with Quiet("seeing a run begin"):
                self._spent_before = self._watch.meter.spent_s
                with self._watch.meter.running():
                    self._run = Run(str(prompt_id), prompt)
            try:
                return await run_all(this, prompt, prompt_id, *more, **named)
            finally:
                with Quiet("seeing a run end"):
                    self._end_run(this, prompt)

        executor.execute_async = execute_async
        return True

    def _end_run(self, executor: Any, prompt: Mapping[str, Any]) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        with self._watch.meter.running():
            for key in list(run.nodes):
                if key not in prompt:
                    self._fold(run, key)
            for key in prompt if self.sees["nodes"] else ():
                if key not in run.nodes and (entry := executor.caches.outputs.get(key)) is not None:
                    run.cached[key] = getattr(entry, "genlock", ())
        run.end(self._watch.meter.spent_s - self._spent_before)
        self._ended[run.prompt_id] = run
        while len(self._ended) > 4:  # runs whose end was never reported
            del self._ended[next(iter(self._ended))]

    def _fold(self, run: Run, key: str) -> None:
        """Remove a node that another one was expanded into: the other one's record contains it."""
        node = run.nodes[key]
        if any(node in other.inner for other in run.nodes.values()):
            del run.nodes[key]

    def _hook_results(self) -> bool:
        queue = self._execution.PromptQueue
        done = queue.task_done
        if tuple(inspect.signature(done).parameters)[:4] != ("self", "item_id", "history_result", "status"):
            return False

        @functools.wraps(done)
        def task_done(this: Any, item_id: Any, history_result: Any, status: Any, *more: Any, **named: Any) -> Any:
            with Quiet("seeing a result"):
                began = time.perf_counter()
                prompt = this.currently_running[item_id]
                run = self._ended.pop(str(prompt[1]), None) or Run(str(prompt[1]), prompt[2])
                run.rendered_by_genlock = prompt[3].get("genlock") == "render"
                finished = self._finish(run, history_result, status)
                run.overhead_s += time.perf_counter() - began
                self._deliver(finished)
            return done(this, item_id, history_result, status, *more, **named)

        queue.task_done = task_done
        return True

    def _finish(self, run: Run, history_result: Any, status: Any) -> Finished:
        word, error = _status_of(status)
        if not self.sees["nodes"]:  # then only ComfyUI's own messages name cached nodes
            run.cached = dict.fromkeys(_cached_of(status), ())
        saved: dict[str, Any] = history_result["outputs"] if history_result else {}
        outputs = [self._output(str(node), entry) for node, shown in saved.items() for entry in _saved(shown)]
        return Finished(run, word, error, outputs, self._environment(), self.sees)

    def _output(self, node: str, entry: Mapping[str, Any]) -> Output:
        folder = self._folder_paths.get_directory_by_type(entry.get("type", "output"))
        path = os.path.abspath(os.path.join(folder or "", entry.get("subfolder", ""), entry["filename"]))
        held = None
        # Only files in ComfyUI's own folders: the names come from third-party nodes.
        if folder is not None and os.path.commonpath([os.path.abspath(folder), path]) == os.path.abspath(folder):
            try:
                held = self._watch.files.hold(path, before_use=False)
            except OSError as gone:
                log_once(f"reading an output ({gone.strerror})", gone)
        return Output(node, entry, path, held)


def _saved(shown: Any) -> list[Mapping[str, Any]]:
    """Return the files that a node reports as saved, whatever it calls the list."""
    lists = cast("dict[str, Any]", shown).values() if isinstance(shown, dict) else ()
    items = [item for values in lists if isinstance(values, (list, tuple)) for item in cast("list[Any]", values)]
    entries = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
    return [entry for entry in entries if isinstance(entry.get("filename"), str)]


def _status_of(status: Any) -> tuple[str, dict[str, Any] | None]:
    """Return ``success``, ``error`` or ``interrupted``, and for an error its node and message."""
    messages: list[tuple[str, dict[str, Any]]] = list(getattr(status, "messages", None) or [])
    words = {"execution_interrupted": "interrupted", "execution_error": "error"}
    for name, message in messages:
        if name in words:
            fields = {"node": "node_id", "type": "node_type", "message": "exception_message"}
            return words[name], {key: str(message[field])[:2000] for key, field in fields.items() if field in message}
    return ("success" if getattr(status, "status_str", "") == "success" else "error"), None


def _cached_of(status: Any) -> list[str]:
    """Return the nodes that ComfyUI reports as taken from its cache."""
    messages: list[tuple[str, dict[str, Any]]] = list(getattr(status, "messages", None) or [])
    return [str(node) for name, message in messages if name == "execution_cached" for node in message.get("nodes", ())]


@functools.lru_cache(maxsize=4096)
def _hidden_of(class_def: Any) -> frozenset[str]:
    """Return the inputs that ComfyUI adds itself, which include API keys and must not be recorded.

    Cached for each class: the INPUT_TYPES of many list a whole folder.
    """
    hidden: dict[str, Any] = class_def.INPUT_TYPES().get("hidden") or {}
    return frozenset(hidden)


def _replace_everywhere(name: str, old: Any, new: Any) -> None:
    """Replace ``old`` in every module that has it under ``name``: some import the function, not the module."""
    for module in list(sys.modules.values()):
        current = getattr(module, "__dict__", {}).get(name)
        if current is old:
            setattr(module, name, new)


class _probe:
    """A node run for testing hooks, which belongs to no graph."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def __enter__(self) -> NodeRun:
        node = NodeRun("probe", "GenlockProbe")
        self._token = self._watch.current.set(node)
        return node

    def __exit__(self, *ended: object) -> None:
        self._watch.current.reset(self._token)


class _tiny_file:
    """A safetensors file without tensors, which exists while the block runs."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        descriptor, self._path = tempfile.mkstemp(suffix=".safetensors", prefix="genlock-", dir=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(struct.pack("<Q", 2) + b"{}")
        return self._path

    def __exit__(self, *ended: object) -> None:
        os.unlink(self._path)
