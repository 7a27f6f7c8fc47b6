"""The hooks that see runs: wrappers around the functions of ComfyUI's executor.

    execution.execute                 which node is reached, for how long
    execution.get_output_data         that its function is called
    execution.get_input_data          strings and numbers as they reach a node, and which links reach it
    execution.CacheEntry              the node run behind a cached output
    caches.outputs.get                that a cached output is found; it is a coroutine in newer versions
    PromptExecutor.execute_async      the start and end of a run
    PromptQueue.task_done             its status and its outputs

None of them is a public interface. A function that is not as expected is left alone, which ``sees`` and ``reasons``
report. What they observe is compared with what happened: once by the self-test (``self_test``), and for every run
(``Run.doubts``). A run that they miss is recorded from ComfyUI's history (``history``).
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import time
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, cast

from .acting import acting_nodes
from .file_hooks import hook_loads, hook_names, hook_opens, roots_of
from .quiet import Quiet, log_once
from .runs import Finished, Output, Run
from .unseen import add_files_by_name, add_named_files, texts_unseen
from .watching import NodeRun, Watch, scalars

Deliver = Callable[[Finished], None]
NAMES = ("file_names", "loads", "opens", "inputs", "nodes", "calls", "cached_nodes", "runs", "results")
"""The hooks, as records and ``doctor`` call them."""
_NODE_PARAMETERS = ("server", "dynprompt", "caches", "current_item")
_RENDERED_BY_GENLOCK = "render"
_MOST_TAKEN = 20_000


class Hooks:
    """All hooks of one ComfyUI process. ``sees`` says which of them work, ``reasons`` why the others do not."""

    def __init__(self, watch: Watch, environment: Callable[[], Mapping[str, Any]], deliver: Deliver) -> None:
        self.watch, self._environment, self.deliver = watch, environment, deliver
        self.sees: dict[str, bool] = dict.fromkeys(NAMES, False)
        self.reasons: dict[str, str] = {}
        self.self_test: str | None = "ComfyUI did not make its executor as expected"  # why it has not run; None: it has
        self.taken: dict[str, None] = {}  # the last prompts whose runs were handed to ``deliver``, oldest first
        self.taken_total = 0
        self._run: Run | None = None
        self._ended: dict[str, Run] = {}
        self._folder_paths: Any = None
        self._full_path: Any = None
        self._execution: Any = None

    def install(self) -> None:
        """Install each hook independently."""
        for name, put in (
            ("file_names", self._hook_names),
            ("loads", lambda: hook_loads(self.watch, importlib.import_module("comfy.utils"))),
            ("opens", lambda: hook_opens(self.watch)),
            ("inputs", self._hook_inputs),
            ("nodes", self._hook_nodes),
            ("calls", self._hook_calls),
            ("cached_nodes", self._hook_cache),
            ("runs", self._hook_runs),
            ("results", self._hook_results),
        ):
            self.reasons[name] = "installing it failed: ComfyUI's log has the error"
            with Quiet(f"the hook for {name}"):
                self.sees[name] = put()
                self.reasons[name] = "ComfyUI's function is not as expected"
            if self.sees[name]:
                del self.reasons[name]

    def fail(self, name: str, reason: str) -> None:
        """Note that a hook does not see what it should."""
        self.sees[name] = False
        self.reasons.setdefault(name, reason)

    def complaints(self) -> list[str]:
        """Return what does not work, in words."""
        failed = [f"the hook for {name} does not work: {why}" for name, why in self.reasons.items()]
        return failed if self.self_test is None else [*failed, f"the hooks were not tested: {self.self_test}"]

    def take_ended(self, prompt_id: str) -> Run | None:
        """Return a run whose end was seen and whose result was not, and forget it."""
        return self._ended.pop(prompt_id, None)

    def _hook_names(self) -> bool:
        return hook_names(self.watch, self._folders())

    # nodes ---------------------------------------------------------------------------------------

    def _hook_inputs(self) -> bool:
        execution, watch = self._executor(), self.watch
        get = execution.get_input_data
        if tuple(inspect.signature(get).parameters)[:3] != ("inputs", "class_def", "unique_id"):
            return False

        @functools.wraps(get)
        def get_input_data(inputs: Any, class_def: Any, unique_id: Any, *more: Any, **named: Any) -> Any:
            result = get(inputs, class_def, unique_id, *more, **named)
            node = watch.current.get()
            if node is not None and node.node == unique_id:
                with Quiet("seeing inputs"), watch.meter.running():
                    hidden = _hidden_of(class_def)
                    visible = {name: value for name, value in scalars(result[0]).items() if name not in hidden}
                    node.resolved.update(visible)
                    node.lacks = frozenset(result[1])
            return result

        execution.get_input_data = get_input_data
        return True

    def _hook_nodes(self) -> bool:
        execution = self._executor()
        run_node = execution.execute
        parameters = tuple(inspect.signature(run_node).parameters)
        if not inspect.iscoroutinefunction(run_node) or parameters[:4] != _NODE_PARAMETERS:
            return False

        @functools.wraps(run_node)
        async def execute(server: Any, dynprompt: Any, caches: Any, current_item: Any, *more: Any, **named: Any) -> Any:
            node, token = None, None
            with Quiet("seeing a node begin"), self.watch.meter.running():
                node = self._begin_node(dynprompt, current_item)
                token = self.watch.current.set(node)
            began = time.perf_counter()
            try:
                result = await run_node(server, dynprompt, caches, current_item, *more, **named)
            finally:
                spent_s = time.perf_counter() - began
                with Quiet("seeing a node end"), self.watch.meter.running():
                    if token is not None:
                        self.watch.current.reset(token)
                    if node is not None:
                        node.seconds += spent_s
                        self._end_node(node)
            return result

        execution.execute = execute
        return True

    def _begin_node(self, dynprompt: Any, item: str) -> NodeRun | None:
        run = self._run
        if run is None:
            return None
        run.reached.add(item)
        node = run.nodes.get(item)
        if node is None:  # a node may begin several times: it is suspended while it waits for others
            node = run.nodes[item] = NodeRun(item, str(dynprompt.get_node(item)["class_type"]))
            parent = dynprompt.get_parent_node_id(item)
            if parent is not None:
                run.expanded[item] = (str(parent), dynprompt.get_node(item))
        return node

    def _end_node(self, node: NodeRun) -> None:
        """Decide which files a node used; it keeps what its object loaded for later runs."""
        self.watch.end(node, node.instance)
        node.instance = None
        if node.ran:
            add_named_files(self.watch.files, node, self._folders(), self._full_path)

    def _hook_calls(self) -> bool:
        """See that a node's function is called, and on which object."""
        execution, watch = self._executor(), self.watch
        call = execution.get_output_data
        parameters = tuple(inspect.signature(call).parameters)
        if not inspect.iscoroutinefunction(call) or parameters[:3] != ("prompt_id", "unique_id", "obj"):
            return False

        @functools.wraps(call)
        async def get_output_data(prompt_id: Any, unique_id: Any, obj: Any, *more: Any, **named: Any) -> Any:
            node = watch.current.get()
            if node is not None and node.node == unique_id:
                node.ran, node.instance = True, obj
            return await call(prompt_id, unique_id, obj, *more, **named)

        execution.get_output_data = get_output_data
        return self.sees["nodes"]

    def _hook_cache(self) -> bool:
        """Let entries of ComfyUI's cache carry the node run that made them, which then lives exactly as long."""
        plain, watch = self._executor().CacheEntry, self.watch

        def new(cls: Any, *values: Any, **named: Any) -> Any:
            entry = plain.__new__(cls, *values, **named)
            node = watch.current.get()
            # An entry that is made while no node runs comes from outside, such as a cache provider.
            entry.genlock = node if node is not None and node.ran else None
            return entry

        entry_class = type("CacheEntry", (plain,), {"__doc__": plain.__doc__, "__new__": new})
        if tuple(entry_class(ui=None, outputs=[])) != tuple(plain(ui=None, outputs=[])):
            return False
        self._execution.CacheEntry = entry_class
        return self.sees["calls"]

    def _watch_cache(self, executor: Any) -> None:
        """See which cached outputs ComfyUI finds: its cache may drop them before the run ends."""
        outputs = executor.caches.outputs
        get = outputs.get
        if getattr(get, "genlock", False):
            return

        @functools.wraps(get)
        def get_cached(node_id: Any, *more: Any, **named: Any) -> Any:
            result = get(node_id, *more, **named)
            if inspect.isawaitable(result):
                return self._note_awaited(node_id, result)
            self._note_cached(node_id, result)
            return result

        cast("Any", get_cached).genlock = True
        outputs.get = get_cached

    async def _note_awaited(self, node_id: Any, awaitable: Any) -> Any:
        result = await awaitable
        self._note_cached(node_id, result)
        return result

    def _note_cached(self, node_id: Any, entry: Any) -> None:
        run = self._run
        if run is None or entry is None:
            return
        with Quiet("seeing a cached output"):
            own = run.nodes.get(node_id)
            if own is None or not own.ran:
                run.hits[str(node_id)] = getattr(entry, "genlock", None)

    # runs ----------------------------------------------------------------------------------------

    def _hook_runs(self) -> bool:
        executor = self._executor().PromptExecutor
        run_all = executor.execute_async
        if tuple(inspect.signature(run_all).parameters)[:3] != ("self", "prompt", "prompt_id"):
            return False

        @functools.wraps(run_all)
        async def execute_async(this: Any, prompt: Any, prompt_id: Any, *more: Any, **named: Any) -> Any:
            with Quiet("seeing a run begin"):
                self.watch.meter.begin_run()
                with self.watch.meter.running():
                    self._run = Run(str(prompt_id), prompt)
                    self._run.observed = True
                    self.watch.roots = roots_of(self._folders())
                    self._watch_cache(this)
            try:
                return await run_all(this, prompt, prompt_id, *more, **named)
            finally:
                with Quiet("seeing a run end"):
                    self._end_run()

        executor.execute_async = execute_async
        return True

    def _end_run(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        with self.watch.meter.running():
            if not self.sees["calls"]:
                for key, node in run.nodes.items():
                    node.ran = key not in run.hits
            acting_nodes(run)
        run.end(self.watch.meter.of_run_s())
        self._ended[run.prompt_id] = run
        while len(self._ended) > 4:  # runs whose end was never reported
            del self._ended[next(iter(self._ended))]

    def _hook_results(self) -> bool:
        queue = self._executor().PromptQueue
        done = queue.task_done
        if tuple(inspect.signature(done).parameters)[:4] != ("self", "item_id", "history_result", "status"):
            return False

        @functools.wraps(done)
        def task_done(this: Any, item_id: Any, history_result: Any, status: Any, *more: Any, **named: Any) -> Any:
            with Quiet("seeing a result"):
                began = time.perf_counter()
                prompt = this.currently_running[item_id]
                saved: dict[str, Any] = history_result["outputs"] if history_result else {}
                run = self.take_ended(str(prompt[1]))
                self.take(run, prompt, saved, list(getattr(status, "messages", None) or []), status.status_str, began)
            return done(this, item_id, history_result, status, *more, **named)

        queue.task_done = task_done
        return True

    def take(
        self,
        observed: Run | None,
        prompt: Any,
        saved: Mapping[str, Any],
        messages: list[tuple[str, dict[str, Any]]],
        status: str,
        began: float,
        reasons: Iterable[str] = (),
    ) -> None:
        """Deliver a run: ``prompt`` is ComfyUI's entry of number, id, graph and extra data, ``saved`` what nodes saved.

        Without ``observed``, or where it contradicts what happened, the record has the files that the graph
        names, as they are now, and the reasons.
        """
        prompt_id, graph, extra = str(prompt[1]), prompt[2], prompt[3]
        run = observed or Run(prompt_id, graph)
        run.rendered_by_genlock = isinstance(extra, dict) and extra.get("genlock") == _RENDERED_BY_GENLOCK  # pyright: ignore[reportUnknownMemberType]
        outputs = [self._output(str(node), entry) for node, shown in saved.items() for entry in _saved(shown)]
        run.reasons += [*reasons, *self.complaints()]
        if observed is None:
            run.set_times(messages)
            run.reasons.append(
                "this run was not observed: its files are those that its graph names, as they were after it"
            )
        doubts = run.doubts(outputs)
        run.reasons += doubts
        if observed is None or doubts or not self.sees["nodes"]:
            run.trust_only(outputs, _cached_of(messages))
            named_by: Container[str] = run.graph
        else:
            run.reasons += texts_unseen(run, self._folders())
            named_by = run.unproven
        add_files_by_name(self.watch.files, run, named_by, self._folders(), self._full_path)
        word, error = _status_of(messages, status)
        finished = Finished(run, word, error, outputs, self._environment(), self.sees)
        run.overhead_s += time.perf_counter() - began
        self.deliver(finished)
        self.taken[prompt_id] = None
        self.taken_total += 1
        while len(self.taken) > _MOST_TAKEN:
            del self.taken[next(iter(self.taken))]

    def _output(self, node: str, entry: Mapping[str, Any]) -> Output:
        folder = self._folders().get_directory_by_type(entry.get("type", "output"))
        path = os.path.abspath(os.path.join(folder or "", entry.get("subfolder", ""), entry["filename"]))
        held = None
        # Only files in ComfyUI's own folders: the names come from third-party nodes.
        if folder is not None and os.path.commonpath([os.path.abspath(folder), path]) == os.path.abspath(folder):
            try:
                held = self.watch.files.hold(path, before_use=False)
            except OSError as gone:
                log_once(f"reading an output ({gone.strerror})", gone)
        return Output(node, entry, path, held)

    def _folders(self) -> Any:
        """Return ComfyUI's module ``folder_paths``."""
        if self._folder_paths is None:
            self._folder_paths = importlib.import_module("folder_paths")
            self._full_path = self._folder_paths.get_full_path
        return self._folder_paths

    def _executor(self) -> Any:
        if self._execution is None:
            self._execution = importlib.import_module("execution")
        return self._execution


def _saved(shown: Any) -> list[Mapping[str, Any]]:
    """Return the files that a node reports as saved, whatever it calls the list."""
    lists = cast("dict[str, Any]", shown).values() if isinstance(shown, dict) else ()
    items = [item for values in lists if isinstance(values, (list, tuple)) for item in cast("list[Any]", values)]
    entries = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
    return [entry for entry in entries if isinstance(entry.get("filename"), str)]


def _status_of(messages: list[tuple[str, dict[str, Any]]], status: str) -> tuple[str, dict[str, Any] | None]:
    """Return ``success``, ``error`` or ``interrupted``, and for an error its node and message."""
    words = {"execution_interrupted": "interrupted", "execution_error": "error"}
    for name, message in messages:
        if name in words:
            fields = {"node": "node_id", "type": "node_type", "message": "exception_message"}
            return words[name], {key: str(message[field])[:2000] for key, field in fields.items() if field in message}
    return ("success" if status == "success" else "error"), None


def _cached_of(messages: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the nodes that ComfyUI reports as taken from its cache."""
    return [str(node) for name, message in messages if name == "execution_cached" for node in message.get("nodes", ())]


@functools.lru_cache(maxsize=4096)
def _hidden_of(class_def: Any) -> frozenset[str]:
    """Return the inputs that ComfyUI adds itself, which include API keys and must not be recorded.

    Cached for each class: the INPUT_TYPES of many list a whole folder.
    """
    hidden: dict[str, Any] = class_def.INPUT_TYPES().get("hidden") or {}
    return frozenset(hidden)
