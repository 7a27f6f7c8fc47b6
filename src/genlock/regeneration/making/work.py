"""Runs one step: from the claim of its job to its outcome.

    claim ─▶ resolve ─▶ equal take? ─▶ write inputs ─▶ render ─▶ store outputs ─▶ one transaction:
                          │ yes                                                  take, receipt, step, next steps
                          └─▶ select it, saved                                   selected unless a user chose another

No transaction is open while an engine renders. If any process is killed, a step is still recorded once: the receipt
names the step, and only the attempt that holds the fence may write it.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from genlock.blobs import sql as blobs_sql
from genlock.blobs.store import Store
from genlock.db.connection import Conn
from genlock.engines.model import AWAY, IMAGE, LOST, Engine, Rendered, RenderSpec
from genlock.errors import Conflict, GenlockError, NotFound, Tampered, Unavailable
from genlock.library.identify import identify_file
from genlock.model import Actor, Kind, Role
from genlock.regeneration import recipe as recipes
from genlock.regeneration.making import materialise
from genlock.regeneration.making.patience import patiently
from genlock.regeneration.making.rendering import render_watched
from genlock.regeneration.making.worker_context import WorkerContext
from genlock.regeneration.model import StepKind
from genlock.regeneration.plans import step_sql
from genlock.regeneration.plans.apply import WORKER, Applied, apply
from genlock.regeneration.plans.claimed_step import ClaimedStep
from genlock.regeneration.plans.claiming import claim_of
from genlock.regeneration.plans.step_outcome import (
    CutOffByTake,
    CutOffByVersion,
    Failed,
    GivenBack,
    RecordedTake,
    RecordedVersion,
    RenderResult,
    RestoredTake,
    StepOutcome,
)
from genlock.regeneration.recipe import Recipe, ResolvedInput
from genlock.staleness import what_if

logger = logging.getLogger(__name__)
_UNREACHABLE = frozenset({AWAY, LOST})
"""Codes of errors that are not the step's fault: it may be tried again, by this worker or another."""
_MOST_ATTEMPTS = 8
"""A step that was started this often is not returned to the queue: it may be what makes engines unreachable."""


async def do_step(context: WorkerContext, step_id: int) -> None:
    """Run a step to its end; do nothing if it must not run (any more)."""

    async def claim(conn: Conn) -> ClaimedStep | None:
        return await step_sql.claim(conn, step_id, context.name)

    claimed = await patiently(context.db, claim)
    if claimed is None:
        return
    context.fault("claimed")
    try:
        await _do(context, claimed)
    except asyncio.CancelledError:
        await asyncio.shield(patiently(context.db, lambda conn: apply(conn, claimed, GivenBack(), WORKER)))
        raise
    except GenlockError as error:
        if error.code in _UNREACHABLE and claimed.attempt < _MOST_ATTEMPTS:
            if error.code == AWAY:
                context.health.mark_unreachable(claimed.recipe.engine)
            await patiently(context.db, lambda conn: apply(conn, claimed, GivenBack(), WORKER))
            return
        failure = error
        await patiently(context.db, lambda conn: apply(conn, claimed, Failed(failure), WORKER))
    except Exception as error:  # an engine may raise anything: the step records it, and the worker goes on
        logger.exception("Step %d of plan %d failed unexpectedly.", claimed.position, claimed.plan_id)
        failure = Unavailable(
            f"{claimed.recipe.engine} failed: {type(error).__name__}: {error}",
            hint=f"The worker's log has the details. Then retry: `genlock plans retry {claimed.plan_id}`.",
            code="engine_failed",
        )
        await patiently(context.db, lambda conn: apply(conn, claimed, Failed(failure), WORKER))


async def _do(context: WorkerContext, claimed: ClaimedStep) -> None:
    actor = Actor(token_id=None, name=claimed.started_by, role=Role.CREATOR)
    if claimed.kind is StepKind.RESTORE and claimed.segment_id is not None and claimed.take_id is not None:
        await _end(context, claimed, RestoredTake(claimed.segment_id, claimed.take_id), actor)
        return
    recipe = await patiently(context.db, lambda conn: _resolve(conn, claimed))
    earlier = None if claimed.force else await patiently(context.db, lambda conn: _find_equal(conn, claimed, recipe))
    if earlier is not None:
        await _end(context, claimed, earlier, actor)
        return
    folder = context.scratch / f"{claimed.step_id}-{claimed.attempt}"
    try:
        outcome = await _render(context, claimed, recipe, folder)
    finally:
        await asyncio.to_thread(materialise.remove, folder)
    await _end(context, claimed, outcome, actor)


async def _end(context: WorkerContext, claimed: ClaimedStep, outcome: StepOutcome, actor: Actor) -> None:
    """End the step with an outcome, and publish the active version that this changed."""
    is_new = isinstance(outcome, (RecordedTake, RecordedVersion))

    async def end(conn: Conn) -> Applied | None:
        applied = await apply(conn, claimed, outcome, actor)
        if is_new:
            context.fault("recording")
        return applied

    applied = await patiently(context.db, end)
    if is_new:
        context.fault("recorded")
    if applied is not None and applied.change is not None:
        change = applied.change
        await patiently(context.db, lambda conn: what_if.publish_change(conn, change))


async def _find_equal(conn: Conn, claimed: ClaimedStep, recipe: Recipe) -> CutOffByTake | CutOffByVersion | None:
    """Return the existing take or version with the same inputs, if any: the step need not render."""
    digest = recipes.inputs_digest(recipe)
    if digest is None:
        return None
    if claimed.asset_id is not None:
        version = await step_sql.equal_version(conn, claimed.asset_id, digest, recipe.graph)
        return None if version is None else CutOffByVersion(claimed.asset_id, version)
    if claimed.segment_id is not None:
        take_id = await step_sql.equal_take(conn, claimed.segment_id, digest, recipe.graph)
        return None if take_id is None else CutOffByTake(claimed.segment_id, take_id)
    return None


async def _resolve(conn: Conn, claimed: ClaimedStep) -> Recipe:
    """Return the step's recipe with the versions that earlier steps made and the frame that it continues."""
    versions = await step_sql.made_versions(conn, claimed.plan_id) if claimed.recipe.open_assets else {}
    before = None
    if claimed.segment_id is not None and claimed.recipe.frame is not None:
        before = await step_sql.frame_before(conn, claimed.plan_id, claimed.segment_id)

    def frame(part: str) -> ResolvedInput | None:
        digest = before[1].get(part) if before else None
        return None if before is None or digest is None else ResolvedInput(digest=digest, take=before[0])

    recipe = recipes.resolve(claimed.recipe, versions, frame)
    if recipe.is_open:
        raise Conflict(
            "The previous segment has no take with a frame to continue."
            if recipe.frame is not None and recipe.frame.open
            else "A version that this step needs was not made.",
            hint="Make a new plan with `genlock plan`.",
            code="not_ready",
        )
    return recipe


async def _render(context: WorkerContext, claimed: ClaimedStep, recipe: Recipe, folder: Path) -> StepOutcome:
    """Render, store what was rendered, and return the outcome."""
    engine = context.engines.get(recipe.engine)
    if engine is None:
        raise Unavailable(
            f"This worker has no engine {recipe.engine}.", hint="Start a worker that has it: `genlock worker`."
        )
    refs = [(line.asset, line.version) for line in recipe.inputs if line.asset is not None and line.version is not None]
    places = await patiently(context.db, lambda conn: step_sql.places_of(conn, refs))
    try:
        inputs, files = await asyncio.to_thread(
            materialise.write_inputs, recipe, context.store, places, folder / "inputs"
        )
        graph = await asyncio.to_thread(context.store.read_verified, recipe.graph) if recipe.graph else None
    except (NotFound, Tampered) as error:
        await patiently(context.db, lambda conn: note_loss(conn, context.store, recipe))
        raise error
    spec = RenderSpec(
        run=f"step-{claimed.step_id}-{claimed.attempt}",
        work=claimed.work,
        attempt=claimed.attempt,
        workdir=folder / "outputs",
        produces=recipe.produces,
        inputs=inputs,
        parameters={name: value for name, value in recipe.parameters.items() if value is not None},
        graph=graph,
    )
    info = await engine.describe()
    started_at = datetime.now(UTC)
    rendered = await _render_with_heartbeat(context, claimed, engine, spec, files)
    if rendered is None:  # stopped: its result is discarded
        return GivenBack()
    finished_at = datetime.now(UTC)
    outputs, graph_output = await asyncio.to_thread(materialise.store_outputs, rendered, context.store)
    context.fault("stored")
    claim = claim_of(
        recipe,
        rendered,
        graph_output.digest,
        engine_version=info.version,
        recorder_version=context.version,
        worker=context.name,
        started_at=started_at,
        finished_at=finished_at,
    )
    result = RenderResult(claim=claim, outputs=outputs, graph=graph_output, recipe=recipe, rendered=rendered)
    if claimed.asset_id is not None:
        picture = rendered.outputs[IMAGE].path
        identity = await asyncio.to_thread(identify_file, picture, claimed.asset_kind or Kind.OTHER)
        return RecordedVersion(claimed.asset_id, result, identity)
    if claimed.segment_id is not None:
        return RecordedTake(claimed.segment_id, result)
    raise NotFound("The segment or asset of this step does not exist.", hint="Make a new plan with `genlock plan`.")


async def _render_with_heartbeat(
    context: WorkerContext, claimed: ClaimedStep, engine: Engine, spec: RenderSpec, files: Mapping[str, Path]
) -> Rendered | None:
    """Render; return ``None`` if it was stopped: the step was cancelled or lost, or this worker ends."""

    async def still_ours(progress: float) -> bool:
        async with context.db.transaction() as conn:
            return await step_sql.keep_alive(conn, claimed.step_id, claimed.attempt, progress)

    return await render_watched(context, engine, spec, files, still_ours)


async def note_loss(conn: Conn, store: Store, recipe: Recipe) -> None:
    """Record which bytes the store has lost, so that the next plan reports them."""
    for digest in {line.digest for line in recipe.inputs} | {recipe.graph}:
        if digest is not None and not store.exists(digest):
            await blobs_sql.mark_gone(conn, digest)
