"""The self-test: a tiny graph through ComfyUI's real executor, and what was observed compared with what happened.

    first run     two nodes run, one loads a file by name and opens another, a third is not needed
    second run    the same again: ComfyUI may answer from its cache, and the nodes count how often they really ran

It runs in the thread that runs prompts, when that thread makes its executor: with the same cache and before any prompt.
Nothing of it is sent anywhere, and no client of ComfyUI sees it.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Callable
from typing import Any, ClassVar

from .file_hooks import EMPTY_WEIGHTS
from .hooks import Hooks
from .quiet import Quiet, log_once
from .runs import Finished

_PROMPT = "genlock-self-test"
_LOADER, _SWITCH, _SAVER, _UNUSED = "load", "switch", "save", "unused"
_NOT_RUN = "the self-test could not be run: ComfyUI's log has the error"


class _Count:
    """How often each node of the self-test really ran."""

    runs: ClassVar[dict[str, int]] = {}


def install(hooks: Hooks, on_tested: Callable[[], None]) -> None:
    """Run the self-test as soon as ComfyUI makes its executor, and call ``on_tested`` after it."""
    executor: Any = importlib.import_module("execution").PromptExecutor
    plain = executor.__init__
    tested: list[bool] = []

    def initialise(this: Any, *values: Any, **named: Any) -> None:
        plain(this, *values, **named)
        if not tested:
            tested.append(True)
            with Quiet("the self-test"):
                run(hooks, lambda server: executor(server, *values[1:], **named))
            on_tested()

    executor.__init__ = initialise


def run(hooks: Hooks, make_executor: Callable[[Any], Any]) -> None:
    """Run the self-test, and note in ``hooks`` what does not see what happened."""
    finished: list[Finished] = []
    deliver, hooks.deliver = hooks.deliver, finished.append
    hooks.self_test = _NOT_RUN
    nodes: dict[str, Any] = importlib.import_module("nodes").NODE_CLASS_MAPPINGS
    classes = {"GenlockTestLoad": _Load, "GenlockTestSwitch": _Switch, "GenlockTestSave": _Save}
    folders: Any = importlib.import_module("folder_paths")
    try:
        nodes.update(classes)
        with tempfile.TemporaryDirectory(prefix="genlock-", dir=folders.get_input_directory()) as folder:
            _run_twice(hooks, make_executor(_Silent()), folder, finished)
        hooks.self_test = None
    except Exception as error:  # noqa: BLE001 - ComfyUI must start, and records say that nothing was tested
        log_once("the self-test", error)
    finally:
        hooks.deliver = deliver
        hooks.taken.clear()
        hooks.taken_total = 0
        for name in classes:
            del nodes[name]


def _run_twice(hooks: Hooks, executor: Any, folder: str, finished: list[Finished]) -> None:
    named, opened = (os.path.join(folder, name) for name in ("named.safetensors", "opened.txt"))
    for path in (named, opened):
        with open(path, "wb") as file:
            file.write(EMPTY_WEIGHTS)
    graph = {
        _LOADER: {"class_type": "GenlockTestLoad", "inputs": {"named": _below_input(named), "opened": opened}},
        _UNUSED: {"class_type": "GenlockTestLoad", "inputs": {"named": _below_input(named), "opened": opened}},
        _SWITCH: {"class_type": "GenlockTestSwitch", "inputs": {"first": [_LOADER, 0], "other": [_UNUSED, 0]}},
        _SAVER: {"class_type": "GenlockTestSave", "inputs": {"value": [_SWITCH, 0]}},
    }
    queue: Any = importlib.import_module("execution").PromptQueue(_Silent())
    for number in (1, 2):
        _Count.runs = {}
        prompt_id = f"{_PROMPT}-{number}"
        queue.put((number, prompt_id, graph, {}, [_SAVER], {}))
        item, item_id = queue.get()
        executor.execute(item[2], prompt_id, {}, [_SAVER])
        if not executor.success:
            raise RuntimeError(f"ComfyUI did not run the graph: {executor.status_messages}")
        status = queue.ExecutionStatus("success", completed=True, messages=executor.status_messages)
        queue.task_done(item_id, executor.history_result, status)
        _compare(hooks, prompt_id, finished.pop() if finished else None, (named, opened))


def _compare(hooks: Hooks, prompt_id: str, finished: Finished | None, paths: tuple[str, str]) -> None:
    """Compare what was observed of a run with what happened."""
    ran = {key for key in (_LOADER, _SWITCH, _SAVER) if key in _Count.runs}
    if finished is None:
        hooks.fail("results", "self-test: the result of a run was not observed")
    run = hooks.take_ended(prompt_id) if finished is None else finished.run
    if run is None or not run.observed:
        hooks.fail("runs", "self-test: a run was not observed")
        return
    if not ran <= run.reached:
        hooks.fail("nodes", f"self-test: {sorted(ran)} ran, and {sorted(run.reached)} were observed")
        return
    if set(run.nodes) != ran:
        hooks.fail("calls", f"self-test: {sorted(ran)} ran, and {sorted(run.nodes)} were taken for nodes that ran")
        return
    if set(run.cached) != {_LOADER, _SWITCH, _SAVER} - ran or run.unproven:
        hooks.fail("cached_nodes", f"self-test: {sorted(ran)} ran, and {sorted(run.cached)} were taken for cached")
        return
    values = dict(run.resolved()).get(_LOADER, {})
    if values.get("opened") != paths[1] or run.idle != (_UNUSED,) or run.idle_inputs != {_SWITCH: ["other"]}:
        hooks.fail("inputs", f"self-test: {values} and {run.idle_inputs} were observed of its inputs")
    files = {node_file.path: node_file for key, *_, node_file in run.node_files() if key == _LOADER}
    by_name, by_path = (files.get(path) for path in paths)
    if by_name is None or by_name.used is None or not by_name.looked_up:
        hooks.fail("file_names", "self-test: a file was looked up and not observed")
    if by_path is None or by_path.used is None or not by_path.read:
        hooks.fail("opens", "self-test: a file was opened and not observed")
    if by_name is None or by_name.loaded is None:
        hooks.fail("loads", "self-test: a file was loaded and not observed")


def _below_input(path: str) -> str:
    folders: Any = importlib.import_module("folder_paths")
    return os.path.relpath(path, folders.get_input_directory()).replace(os.sep, "/")


class _Silent:
    """Takes the place of ComfyUI's server: no client is notified."""

    client_id = None
    last_node_id = None
    last_prompt_id = None

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *values, **named: None


class _Node:
    """A node of the self-test, which counts its runs."""

    CATEGORY = "Genlock"
    RETURN_TYPES: tuple[str, ...] = ("INT",)
    FUNCTION = "compute"


class _Load(_Node):
    """Loads one file by name, and opens another by its path."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"named": ("STRING", {}), "opened": ("STRING", {})}}

    def compute(self, named: str, opened: str) -> tuple[int]:
        _Count.runs[_LOADER] = _Count.runs.get(_LOADER, 0) + 1
        folders: Any = importlib.import_module("folder_paths")
        importlib.import_module("comfy.utils").load_torch_file(folders.get_annotated_filepath(named))
        with open(opened, "rb") as file:
            return (len(file.read()),)


class _Switch(_Node):
    """Takes the first of two lazy inputs."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        lazy: dict[str, Any] = {"lazy": True}
        return {"required": {"first": ("INT", lazy), "other": ("INT", lazy)}}

    def check_lazy_status(self, first: Any = None, other: Any = None) -> list[str]:
        return ["first"] if first is None else []

    def compute(self, first: int, other: Any = None) -> tuple[int]:
        _Count.runs[_SWITCH] = _Count.runs.get(_SWITCH, 0) + 1
        return (first,)


class _Save(_Node):
    """Ends the graph."""

    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"value": ("INT", {})}}

    def compute(self, value: int) -> dict[str, Any]:
        _Count.runs[_SAVER] = _Count.runs.get(_SAVER, 0) + 1
        return {"ui": {"value": [value]}}
