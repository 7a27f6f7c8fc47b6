"""The `comfyui` engine: binds a graph, brings its files to the server, follows the run and fetches its outputs.

bind ─▶ place files ─▶ submit under our own id ─▶ follow ─▶ refuse cached outputs ─▶ fetch ─▶ verify the files again
"""

import asyncio
import json
from asyncio import Event
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any, cast
from uuid import UUID, uuid4, uuid5

from genlock.engines.comfyui.binding import Bound, Graph, bind, written
from genlock.engines.comfyui.bindings import find
from genlock.engines.comfyui.client import ComfyClient, connected
from genlock.engines.comfyui.follow import Finished, Following, Patience
from genlock.engines.comfyui.offer import OFFER
from genlock.engines.comfyui.outputs import fetch
from genlock.engines.comfyui.placing import Placed, placed
from genlock.engines.comfyui.staging import Staging
from genlock.engines.inputs import read_workflow
from genlock.engines.model import DEFINITIONS, EDITOR, EngineInfo, EngineInput, Rendered, RenderSpec, Report
from genlock.engines.stops import Stops
from genlock.errors import Conflict, Invalid, Unavailable
from genlock.graphs.editor_filling import filled
from genlock.graphs.node_definitions import read_definitions
from genlock.graphs.strict_json import read_json

MAX_GRAPH_BYTES = 8 * 2**20
_BOUND, _PLACED, _GENERATED = 0.02, 0.05, 0.95
_PACKS = "custom_nodes."
_TRIES = 4
_PROMPTS = UUID("6f2c6f0e-8f0b-5c57-9d53-8a1f0a2b7e41")


class ComfyUIEngine:
    """A ComfyUI server. Many runs may be in progress at once; the server does them one after another."""

    name = OFFER.name

    def __init__(
        self,
        url: str,
        staging: Staging | None = None,
        patience: Patience | None = None,
        *,
        secret: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._staging, self._secret = staging, secret
        self._patience = patience or Patience()
        self._stops = Stops(Event)

    async def describe(self) -> EngineInfo:
        """Return the server's version, environment, flags and packs. Raise ``Unavailable`` if it does not answer."""
        async with connected(self._url) as client:
            version, environment = await _environment(client, await client.object_info())
        return EngineInfo(**OFFER.model_dump(), version=version, environment=environment)

    async def render(self, spec: RenderSpec, inputs: Mapping[str, Path], report: Report) -> Rendered:
        """Run ``spec`` on the server; see ``Engine.render``. ``Unavailable`` (``engine_away``) if it goes away."""
        with self._stops.under_way(spec.run) as stop:
            async with connected(self._url) as client:
                run = _Run(client, self._staging, self._secret, self._patience, spec, inputs, report, stop)
                return await run.render()

    async def cancel(self, run: str) -> None:
        """Remove the run from the server's queue, or interrupt it: never another one."""
        self._stops.stop(run)


class _Run:
    """A render."""

    def __init__(
        self,
        client: ComfyClient,
        staging: Staging | None,
        secret: str | None,
        patience: Patience,
        spec: RenderSpec,
        inputs: Mapping[str, Path],
        report: Report,
        stop: Event,
    ) -> None:
        self._client, self._staging, self._secret, self._patience = client, staging, secret, patience
        self._spec, self._inputs, self._report, self._stop = spec, inputs, report, stop
        self._work = spec.work or f"{spec.run} {uuid4()}"
        self._reported, self._submitted = 0.0, 0
        self._editor: bytes | None = None

    async def render(self) -> Rendered:
        """Render and return the result."""
        started = perf_counter()
        self._report_progress(0.0, "binding")
        self._checkpoint()
        classes = await self._client.object_info()
        bound, workflow = await asyncio.to_thread(self._bind, classes)
        await self._withdraw_left_over()
        self._report_progress(_BOUND, "bringing files to ComfyUI")
        _, environment = await _environment(self._client, classes)
        environment |= bound.services
        async with placed(self._client, self._staging, bound.files, self._inputs, self._secret) as places:
            named = bound.naming(places.names)
            graph = written(named)
            self._editor = await asyncio.to_thread(self._editor_form, named)
            self._checkpoint()
            self._report_progress(_PLACED, "queued in ComfyUI")
            finished = await self._generate(graph, bound, places)
            fetched = await fetch(self._client, bound.output, finished.outputs, self._spec.produces, self._spec.workdir)
            await places.recheck(self._client, self._spec.workdir)
            evidence = places.evidence
        if self._staging is not None:
            await self._tidy(self._staging)
        self._report_progress(1.0, "done")
        loaded = (*workflow, *(item for _, item in bound.files))
        return Rendered(
            produces=self._spec.produces,
            outputs=fetched.outputs,
            frames_digest=fetched.frames_digest,
            graph=graph,
            parameters=dict(bound.parameters),
            inputs=tuple(sorted(loaded, key=lambda item: (item.role, item.ordinal))),
            environment=environment,
            per_node_s={node: round(finished.per_node_s.get(node, 0.0), 6) for node in bound.graph},
            duration_s=perf_counter() - started,
            evidence=evidence,
        )

    def _bind(self, classes: Mapping[str, Any]) -> tuple[Bound, tuple[EngineInput, ...]]:
        """Return the graph with the spec bound to it, and the workflow if the graph came from one. Blocks."""
        workflows = self._spec.in_role("workflow")
        declared = workflows[0].bindings if workflows else None
        content = read_workflow(self._spec, self._inputs, MAX_GRAPH_BYTES)
        read = workflows if self._spec.graph is None else ()
        name = (read[0].filename or "The workflow") if read else "The graph"
        graph = cast("dict[str, Any]", read_json(content, name))
        definitions = read_definitions(classes)
        resolved = find(graph, declared, self._spec.produces, name, definitions)
        return bind(graph, resolved, self._spec, name, definitions), read

    def _editor_form(self, graph: Graph) -> bytes | None:
        """Return the workflow as the page saved it, with the values of ``graph``; None where there is none. Blocks.

        It is for people who open the take in the page, and changes nothing that is generated.
        """
        workflows = self._spec.in_role("workflow")
        key = workflows[0].key if len(workflows) == 1 else ""
        if not {key + EDITOR, key + DEFINITIONS} <= self._inputs.keys():
            return None
        saved, object_info = (
            read_json(self._inputs[key + part].read_bytes(), "The workflow") for part in (EDITOR, DEFINITIONS)
        )
        with suppress(Invalid):  # converted with definitions that a later version of Genlock reads differently
            form = filled(saved, read_definitions(object_info), graph, "The workflow")
            return None if form is None else json.dumps(form).encode()
        return None

    async def _generate(self, graph: bytes, bound: Bound, places: Placed) -> Finished:
        """Run the graph, without cached results of other runs: the output was generated with these files.

        The server's cache may hold results of other runs, or of other bytes under the same names. The server drops it
        between two prompts; a prompt that arrives before that still gets cached results, and the next one does not.
        """
        if places.fresh:
            await self._forget()
        finished = await self._follow(graph, bound)
        for _ in range(_TRIES - 1):
            if bound.output not in finished.cached and not (places.fresh and finished.cached):
                return finished
            await self._forget()
            finished = await self._follow(graph, bound)
        if bound.output in finished.cached:
            raise Conflict(
                "ComfyUI generated nothing: it returned the cached result of an earlier run.",
                hint="Start ComfyUI with --cache-none, or retry when nothing else runs there.",
                code="cached_output",
            )
        if places.fresh and finished.cached:
            places.evidence = "declared"
        return finished

    async def _forget(self) -> None:
        await self._client.free()
        await asyncio.sleep(self._patience.poll_s / 10)  # by then it has usually dropped the cache

    async def _follow(self, graph: bytes, bound: Bound) -> Finished:
        """Submit and wait; withdraw the prompt if the wait ends early."""
        self._submitted += 1
        prompt_id, client_id = self._prompt_id(self._spec.attempt, self._submitted), uuid4().hex
        following = Following(
            client=self._client,
            prompt_id=prompt_id,
            nodes=frozenset(bound.graph),
            report=lambda done, message: self._report_progress(_PLACED + (_GENERATED - _PLACED) * done, message),
            stop=self._stop,
            patience=self._patience,
        )
        async with following.listening(client_id):
            try:
                await self._client.submit(graph, prompt_id, client_id, self._editor)
                return await following.to_its_end()
            except BaseException:
                await asyncio.shield(self._withdraw(prompt_id))
                raise

    def _prompt_id(self, attempt: int, number: int) -> str:
        """Return the id of a prompt, which a later attempt at the same work can compute."""
        return str(uuid5(_PROMPTS, f"{self._work}/{attempt}/{number}"))

    async def _withdraw_left_over(self) -> None:
        """Stop the prompts of earlier attempts at this work, whose workers were killed."""
        if self._spec.attempt == 1:
            return
        waiting = {prompt_id for prompt_id, _ in await self._client.queue()}
        numbers = range(1, _TRIES + 1)
        left = {self._prompt_id(attempt, number) for attempt in range(1, self._spec.attempt) for number in numbers}
        for prompt_id in waiting & left:
            await self._client.withdraw(prompt_id)

    async def _withdraw(self, prompt_id: str) -> None:
        """Withdraw the prompt, if the server responds, and wait a little until it is gone."""
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(self._patience.withdrawal_s):
                await self._client.withdraw(prompt_id)
                while True:
                    if not await self._client.is_queued(prompt_id):
                        return
                    await asyncio.sleep(self._patience.poll_s / 10)

    async def _tidy(self, staging: Staging) -> None:
        in_use = {
            value
            for _, graph in await self._client.queue()
            for node in graph.values()
            for value in node.get("inputs", {}).values()
            if isinstance(value, str)
        }
        await asyncio.to_thread(staging.tidy, in_use)

    def _checkpoint(self) -> None:
        if self._stop.is_set():
            raise Conflict(f"The run {self._spec.run} was cancelled.", hint="Start it again.", code="cancelled")

    def _report_progress(self, progress: float, message: str) -> None:
        self._reported = max(self._reported, progress)
        self._report(self._reported, message)


async def _environment(client: ComfyClient, classes: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the server's version, and the rest of the environment that frames may depend on."""
    stats = await client.system_stats()
    system = cast("dict[str, Any]", stats.get("system") or {})
    devices = cast("list[dict[str, Any]]", stats.get("devices") or [])
    version = system.get("comfyui_version")
    if not isinstance(version, str):
        raise Unavailable(
            f"ComfyUI at {client.url} does not report its version.",
            hint="Set GENLOCK_COMFYUI_URL to the address of ComfyUI's page.",
            code="not_comfyui",
        )
    packs = {
        str(node.get("python_module", "")).removeprefix(_PACKS).split(".")[0]
        for node in classes.values()
        if str(node.get("python_module", "")).startswith(_PACKS)
    }
    return version, {
        "comfyui": version,
        "python": str(system.get("python_version", "")).split(" ")[0],
        "torch": str(system.get("pytorch_version", "")),
        "os": str(system.get("os", "")),
        "device": ", ".join(str(device.get("name", "")) for device in devices),
        "flags": " ".join(map(str, cast("list[Any]", system.get("argv") or [])[1:])),
        "node_packs": ", ".join(sorted(packs)),
    }
