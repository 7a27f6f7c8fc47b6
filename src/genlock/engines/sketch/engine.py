"""The `sketch` engine: binds a graph, runs it in a thread, reports progress, and can be stopped between steps."""

import asyncio
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from threading import Event
from time import perf_counter

import numpy as np

from genlock.digest import digest_of
from genlock.engines.inputs import read_input, read_workflow
from genlock.engines.model import EngineInfo, Rendered, RenderSpec, Report
from genlock.engines.sketch.binding import bind
from genlock.engines.sketch.graph import MAX_GRAPH_BYTES, read_graph
from genlock.engines.sketch.nodes import Content, Stage, run
from genlock.engines.sketch.offer import OFFER
from genlock.engines.stops import Stops
from genlock.errors import Conflict, Unavailable

VERSION = "1"
"""Incremented whenever the same spec and files would give other frames."""

MAX_INPUT_BYTES = 64 * 2**20


class SketchEngine:
    """The built-in engine; many runs can be in progress at once."""

    name = OFFER.name

    def __init__(self) -> None:
        self._stops = Stops(Event)

    async def describe(self) -> EngineInfo:
        """Return the engine's version, its offer, and the libraries that its bytes depend on."""
        return EngineInfo(**OFFER.model_dump(), version=VERSION, environment=_environment())

    async def render(self, spec: RenderSpec, inputs: Mapping[str, Path], report: Report) -> Rendered:
        """Run ``spec`` in a thread, so that the event loop stays free; see ``Engine.render``."""
        loop = asyncio.get_running_loop()

        def report_from_thread(progress: float, message: str) -> None:
            loop.call_soon_threadsafe(report, progress, message)

        with self._stops.under_way(spec.run) as stop:
            working = asyncio.ensure_future(asyncio.to_thread(_render, spec, inputs, stop, report_from_thread))
            try:
                return await asyncio.shield(working)
            except asyncio.CancelledError:
                # A thread cannot be killed: ask it to stop, and wait, so that nothing is written afterwards.
                stop.set()
                await asyncio.gather(working, return_exceptions=True)
                raise

    async def cancel(self, run: str) -> None:
        """Stop the run before its next step, at most some hundredths of a second away."""
        self._stops.stop(run)


def _render(spec: RenderSpec, inputs: Mapping[str, Path], stop: Event, report: Report) -> Rendered:
    """Run ``spec`` and return the result. Blocks."""
    started = perf_counter()

    def checkpoint() -> None:
        if stop.is_set():
            raise Conflict(f"The run {spec.run} was cancelled.", hint="Start it again.", code="cancelled")

    report(0.0, "reading inputs")
    workflows = spec.in_role("workflow")
    bound = bind(read_graph(read_workflow(spec, inputs, MAX_GRAPH_BYTES)), spec)
    contents = {
        node_id: Content(read_input(item, inputs, MAX_INPUT_BYTES), item.label) for node_id, item in bound.files.items()
    }
    # Files are named by digest: names must have no effect, and the graph should record what it loaded.
    graph = bound.naming({node_id: digest_of(content.content) for node_id, content in contents.items()})
    stage = Stage(
        workdir=spec.workdir,
        contents=contents,
        still=spec.produces == "image",
        checkpoint=checkpoint,
        drawn=lambda done, count: report(0.02 + 0.96 * done / count, f"frame {done} of {count}"),
    )
    try:
        spec.workdir.mkdir(parents=True, exist_ok=True)
        run(graph, stage)
    except OSError as error:
        raise Unavailable(
            f"The outputs of the run {spec.run} could not be written: {error.strerror or error}.",
            hint="Check whether the disk is full and the folder can be written to.",
            code="outputs_not_written",
        ) from error
    report(1.0, "done")
    loaded = (*(workflows if spec.graph is None else ()), *bound.files.values())
    return Rendered(
        produces=spec.produces,
        outputs=stage.outputs,
        frames_digest=stage.frames_digest,
        graph=graph.written(),
        parameters=dict(bound.parameters),
        inputs=tuple(sorted(loaded, key=lambda item: (item.role, item.ordinal))),
        environment=_environment(),
        per_node_s={node_id: round(seconds, 6) for node_id, seconds in stage.per_node_s.items()},
        duration_s=perf_counter() - started,
    )


def _environment() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "av": version("av"),
        "pillow": version("pillow"),
        "safetensors": version("safetensors"),
        "platform": f"{platform.system().lower()}-{platform.machine()}",
        "device": "cpu",
    }
