"""Runs a receipt again: what a worker does with a reproduction.

    claim ─▶ lay out ─▶ render, once or twice ─▶ compare with the original (and with each other) ─▶ one transaction:
                           ▲                         │                                 result, written once, and event
                           └── frames differ, once ──┘

No transaction is open while an engine renders or frames are compared. If a process is killed, one result is recorded.
"""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genlock.blobs import sql as blobs_sql
from genlock.blobs.store import Store
from genlock.db.connection import Conn
from genlock.digest import Digest
from genlock.engines.comparison import compare
from genlock.engines.model import Engine, EngineInfo, EngineInput, Rendered, RenderSpec
from genlock.errors import GenlockError, NotFound, Tampered, Unavailable
from genlock.events import log
from genlock.model import Actor, Model, Role
from genlock.regeneration.making import materialise
from genlock.regeneration.making.materialise import OCTETS, PNG
from genlock.regeneration.making.patience import patiently
from genlock.regeneration.making.rendering import render_watched
from genlock.regeneration.making.work import note_loss
from genlock.regeneration.making.worker_context import WorkerContext
from genlock.regeneration.model import StepError
from genlock.regeneration.plans import step_sql
from genlock.regeneration.recipe import Recipe
from genlock.regeneration.reproduction import sql as reproduce_sql
from genlock.regeneration.reproduction import verdicts
from genlock.regeneration.reproduction.asking import outputs_of, recipe_of, refs_of, runnable
from genlock.regeneration.reproduction.model import (
    Comparison,
    ReproductionResult,
    ReproductionRun,
    Thresholds,
    Verdict,
)
from genlock.regeneration.reproduction.sql import ClaimedReproduction
from genlock.takes import receipt_sql
from genlock.takes.claim import Output
from genlock.takes.difference import environment_difference
from genlock.takes.model import Receipt

logger = logging.getLogger(__name__)
_COMPARING = 0.05
"""The share of the progress that comparing takes."""


class _Laid(Model):
    """A recipe with its inputs as files for the engine."""

    recipe: Recipe
    inputs: tuple[EngineInput, ...]
    files: dict[str, Path]
    graph: bytes | None


class _Ran(Model):
    """A run whose outputs are stored; ``path`` is its main output."""

    run: ReproductionRun
    digests: dict[str, Digest]
    path: Path
    rendered: Rendered


async def do_reproduction(context: WorkerContext, reproduction_id: int) -> None:
    """Run a reproduction to its end; do nothing if it must not run (any more)."""
    claimed = await patiently(context.db, lambda conn: reproduce_sql.claim(conn, reproduction_id, context.name))
    if claimed is None:
        return
    context.fault("claimed")
    folder = context.scratch / f"reproduction-{claimed.id}-{claimed.attempt}"
    try:
        await _do(context, claimed, folder)
    except asyncio.CancelledError:
        await asyncio.shield(patiently(context.db, lambda conn: reproduce_sql.give_back(conn, claimed)))
        raise
    except GenlockError as error:
        await _fail(context, claimed, StepError(code=error.code, message=error.message, hint=error.hint))
    except Exception as error:  # an engine may raise anything: the record has the error, and the worker goes on
        logger.exception("Reproduction %d failed unexpectedly.", claimed.id)
        hint = f"The worker's log has the details. Then try again: `genlock reproduce {claimed.receipt_id}`."
        failure = StepError(code="engine_failed", message=f"{type(error).__name__}: {error}", hint=hint)
        await _fail(context, claimed, failure)
    finally:
        await asyncio.to_thread(materialise.remove, folder)


async def _do(context: WorkerContext, claimed: ClaimedReproduction, folder: Path) -> None:
    receipt = await patiently(context.db, lambda conn: receipt_sql.get_receipt(conn, claimed.receipt_id))
    laid = await _lay_out(context, receipt, folder)
    engine = context.engines.get(laid.recipe.engine)
    if engine is None:
        raise Unavailable(
            f"This worker has no engine {laid.recipe.engine}.", hint="Start a worker that has it: `genlock worker`."
        )
    info = await engine.describe()
    ran: list[_Ran] = []
    result: ReproductionResult | None = None
    while result is None:
        run = await _run(context, claimed, engine, laid, folder, len(ran))
        if run is None:  # stopped: its result is discarded, and another worker starts over
            await patiently(context.db, lambda conn: reproduce_sql.give_back(conn, claimed))
            return
        ran.append(run)
        if len(ran) >= claimed.runs:
            judged = await asyncio.to_thread(
                _judge, context.store, receipt, laid.recipe, info, ran, claimed.thresholds, folder
            )
            result = None if len(ran) == 1 and verdicts.needs_confirmation(judged.comparison) else judged
    context.fault("stored")
    await patiently(context.db, lambda conn: _record(conn, context, claimed, result))
    context.fault("recorded")


async def _lay_out(context: WorkerContext, receipt: Receipt, folder: Path) -> _Laid:
    recipe = recipe_of(receipt)
    places = await patiently(context.db, lambda conn: step_sql.places_of(conn, refs_of(recipe)))
    recipe = await asyncio.to_thread(runnable, recipe, context.store, places)
    try:
        inputs, files = await asyncio.to_thread(
            materialise.write_inputs, recipe, context.store, places, folder / "inputs"
        )
        graph = await asyncio.to_thread(context.store.read_verified, recipe.graph) if recipe.graph else None
    except (NotFound, Tampered):
        await patiently(context.db, lambda conn: note_loss(conn, context.store, recipe))
        raise
    return _Laid(recipe=recipe, inputs=inputs, files=files, graph=graph)


async def _run(
    context: WorkerContext, claimed: ClaimedReproduction, engine: Engine, laid: _Laid, folder: Path, number: int
) -> _Ran | None:
    share = (1 - _COMPARING) / claimed.runs
    spec = RenderSpec(
        run=f"reproduction-{claimed.id}-{claimed.attempt}-{number}",
        workdir=folder / f"outputs-{number}",
        produces=laid.recipe.produces,
        inputs=laid.inputs,
        parameters={name: value for name, value in laid.recipe.parameters.items() if value is not None},
        graph=laid.graph,
    )

    async def still_ours(progress: float) -> bool:
        async with context.db.transaction() as conn:
            # A run that confirms a difference was not expected: the progress waits for it.
            return await reproduce_sql.keep_alive(conn, claimed, min(share * (number + progress), 1 - _COMPARING))

    rendered = await render_watched(context, engine, spec, laid.files, still_ours)
    if rendered is None:
        return None
    outputs, graph = await asyncio.to_thread(materialise.store_outputs, rendered, context.store)
    run = ReproductionRun(outputs=outputs, graph=graph.digest, duration_s=rendered.duration_s)
    digests = {part: output.digest for part, output in outputs.items()}
    return _Ran(run=run, digests=digests, path=rendered.outputs[laid.recipe.produces].path, rendered=rendered)


def _judge(
    store: Store,
    receipt: Receipt,
    recipe: Recipe,
    info: EngineInfo,
    ran: list[_Ran],
    least: Thresholds,
    folder: Path,
) -> ReproductionResult:
    """Return the result: runs compared with the original until one is not different, and with each other. Blocks."""
    first, *others = ran
    part = recipe.produces
    comparisons = [_compared(store, outputs_of(receipt), None, first, recipe, least, folder)]
    noise = None
    for other in others:
        noise = _compared(store, first.digests, first.path, other, recipe, least, folder)
        if comparisons[-1].verdict is Verdict.DIFFERENT:
            comparisons.append(_compared(store, outputs_of(receipt), None, other, recipe, least, folder))
    comparison = verdicts.of_runs(comparisons)
    engine = {"name": recipe.engine, "version": info.version, "environment": dict(first.rendered.environment)}
    logger.info("Receipt %d run again: the %s is %s.", receipt.id, part, comparison.verdict.value)
    return ReproductionResult(
        comparison=comparison,
        noise=noise,
        within_noise=None if noise is None else verdicts.within_noise(comparison, noise),
        surroundings=environment_difference(receipt.document, engine, first.run.graph),
        runs=tuple(each.run for each in ran),
    )


def _compared(
    store: Store,
    before: Mapping[str, Digest],
    at: Path | None,
    after: _Ran,
    recipe: Recipe,
    least: Thresholds,
    folder: Path,
) -> Comparison:
    """Compare a run with ``before``, whose bytes are in the file ``at``, else in the store."""
    part = recipe.produces
    decided = verdicts.by_digest(before, after.digests, part)
    if decided is not None:
        return decided
    digest = before.get(part)
    if at is None:
        if digest is None or not store.exists(digest):
            return verdicts.unseen(part)
        at = folder / f"original{after.path.suffix}"
        store.copy_out(digest, at)
    likeness, picture = compare(at, after.path, part)
    comparison = verdicts.by_frames(likeness, least)
    return comparison if picture is None else comparison.model_copy(update={"difference": store.put(picture).digest})


async def _record(conn: Conn, context: WorkerContext, claimed: ClaimedReproduction, result: ReproductionResult) -> None:
    if not await reproduce_sql.finish(conn, claimed, result):
        return
    await blobs_sql.note_blobs(conn, await asyncio.to_thread(_blobs, context.store, result))
    context.fault("recording")
    await _append_event(conn, claimed, "reproduction.finished", {"verdict": result.comparison.verdict.value})


def _blobs(store: Store, result: ReproductionResult) -> list[tuple[Digest, int, str]]:
    """Return digest, size and media type of each stored output of a result."""
    outputs: list[Output] = [output for run in result.runs for output in run.outputs.values()]
    graphs = [Output(digest=run.graph, media_type=materialise.JSON) for run in result.runs]
    pictures = [each.difference for each in (result.comparison, result.noise) if each is not None]
    outputs += graphs + [Output(digest=picture, media_type=PNG) for picture in pictures if picture is not None]
    blobs: list[tuple[Digest, int, str]] = []
    for output in outputs:
        held = store.stat(output.digest)  # the digest of decoded frames has no stored bytes
        if held is not None:
            blobs.append((output.digest, held.size_bytes, output.media_type or OCTETS))
    return blobs


async def _fail(context: WorkerContext, claimed: ClaimedReproduction, error: StepError) -> None:
    async def fail(conn: Conn) -> None:
        if await reproduce_sql.fail(conn, claimed, error):
            await _append_event(conn, claimed, "reproduction.failed", {"error": error.code, "message": error.message})

    await patiently(context.db, fail)


async def _append_event(conn: Conn, claimed: ClaimedReproduction, verb: str, details: dict[str, Any]) -> None:
    actor = Actor(token_id=None, name=claimed.created_by, role=Role.CREATOR)
    subject, data = f"reproduction/{claimed.id}", {"receipt_id": claimed.receipt_id, **details}
    await log.append(conn, verb, actor, project_id=claimed.project_id, subject=subject, data=data)
