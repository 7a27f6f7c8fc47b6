"""Ends a step with an outcome, in one transaction: lock, write, mark the step, notify, continue the plan.

It begins by locking the plan and checking that the attempt still holds the step; if not, nothing is written.
"""

from dataclasses import dataclass

from genlock.db.connection import Conn
from genlock.events import log
from genlock.library import sql as library_sql
from genlock.library.model import Identity, NewVersion, VersionRef
from genlock.model import Actor, Role
from genlock.regeneration.model import PlanNote, StepError, StepState
from genlock.regeneration.plans import plan_write_sql, progress, queue_sql, step_sql
from genlock.regeneration.plans.claimed_step import ClaimedStep
from genlock.regeneration.plans.claiming import sources_of, used
from genlock.regeneration.plans.step_outcome import (
    CutOffByTake,
    CutOffByVersion,
    Failed,
    GivenBack,
    RecordedTake,
    RecordedVersion,
    RenderResult,
    RestoredTake,
    StepEnd,
    StepOutcome,
    is_activated,
    is_selected,
    not_activated_note,
    not_selected_note,
)
from genlock.staleness import activation
from genlock.staleness.activation import ActiveChange
from genlock.takes import record, selection
from genlock.takes.parts import Parts
from genlock.takes.record import Recording
from genlock.takes.record_sql import lock_scenes

WORKER = Actor(token_id=None, name="genlock-worker", role=Role.CREATOR)


@dataclass(frozen=True, slots=True)
class Applied:
    """The end of a step, what a person should know about it, and the active version that it changed."""

    end: StepEnd
    notes: tuple[PlanNote, ...] = ()
    change: ActiveChange | None = None


async def apply(conn: Conn, claimed: ClaimedStep, outcome: StepOutcome, actor: Actor) -> Applied | None:
    """End a step; return ``None``, and write nothing, if this attempt no longer holds it.

    A change of an active version is to be published after the commit.
    """
    if not await step_sql.lock_if_current_attempt(conn, claimed):
        return None
    applied = await _write(conn, claimed, outcome, actor)
    await step_sql.mark_ended(conn, claimed.step_id, applied.end)
    if applied.end.state is StepState.QUEUED:
        await queue_sql.hand_over(conn, claimed.plan_id)
        return applied
    if applied.end.state is StepState.FAILED:
        reason = f"step {claimed.position}, which it needs, failed."
        await plan_write_sql.cancel_dependents(conn, claimed.plan_id, claimed.position, reason)
    if applied.notes:
        await plan_write_sql.add_notes(conn, claimed.plan_id, applied.notes)
    await log.append(
        conn,
        f"step.{applied.end.state.value}",
        actor,
        project_id=claimed.project_id,
        subject=f"step/{claimed.step_id}",
        data={**claimed.event_data, **applied.end.event_data},
    )
    await progress.continue_plan(conn, claimed.plan_id, actor, behind=claimed.position)
    return applied


async def _write(conn: Conn, claimed: ClaimedStep, outcome: StepOutcome, actor: Actor) -> Applied:
    match outcome:
        case RecordedTake(segment_id, result):
            return await _record_take(conn, claimed, segment_id, result, actor)
        case RecordedVersion(asset_id, result, identity):
            return await _record_version(conn, claimed, asset_id, result, identity, actor)
        case RestoredTake(segment_id, take_id) | CutOffByTake(segment_id, take_id):
            notes = await _select(conn, claimed, segment_id, take_id, actor)
            return Applied(StepEnd(outcome.state, take_id=take_id), notes)
        case CutOffByVersion(asset_id, version):
            change = await _activate(conn, claimed, asset_id, version, actor)
            return Applied(StepEnd(StepState.SKIPPED, version=version), change=change)
        case Failed(error):
            failure = StepError(code=error.code, message=error.message, hint=error.hint)
            return Applied(StepEnd(StepState.FAILED, error=failure))
        case GivenBack():
            return Applied(StepEnd(StepState.QUEUED))


async def _record_take(
    conn: Conn, claimed: ClaimedStep, segment_id: int, result: RenderResult, actor: Actor
) -> Applied:
    """Record a new take, and select it if the take from the start of the plan still is selected."""
    (recorded,) = await record.record_takes(
        conn,
        [Recording(segment_id, result.claim, _parts(result), claimed.step_id)],
        actor,
        select=not claimed.review,
        only_if={segment_id: claimed.selected_take_id},
    )
    end = StepEnd(StepState.SUCCEEDED, take_id=recorded.take_id, take=recorded.take)
    if claimed.review or await step_sql.selected_take(conn, segment_id) == recorded.take_id:
        return Applied(end)
    return Applied(end, (not_selected_note(claimed, recorded.take),))


async def _record_version(
    conn: Conn, claimed: ClaimedStep, asset_id: int, result: RenderResult, identity: Identity, actor: Actor
) -> Applied:
    """Record a new version with its derivation and receipt; activate it if the one from the start still is active."""
    await library_sql.lock(conn)
    asset = await library_sql.get_asset(conn, asset_id)
    new = NewVersion(
        digest=identity.digest,
        effective_digest=identity.effective_digest,
        size_bytes=identity.size_bytes,
        media_type=identity.media_type,
        filename=f"{asset.name}_v{asset.versions_total + 1}.png",
        note=f"made by plan {claimed.plan_id}",
        details=identity.details,
        derived_from=sources_of(used(result.recipe, result.rendered)),
    )
    activate = is_activated(claimed, asset.active_version)
    added, change = await activation.add_version(conn, asset.id, new, actor, activate=activate)
    number = added.version.number
    await record.record_version(
        conn,
        VersionRef(asset_id=asset.id, number=number),
        added.derivation_id,
        result.claim,
        _parts(result),
        claimed.step_id,
        actor,
        claimed.project_id,
    )
    end = StepEnd(StepState.SUCCEEDED, version=number)
    if activate or claimed.review:
        return Applied(end, change=change)
    return Applied(end, (not_activated_note(claimed, asset.name, number, asset.active_version),), change)


def _parts(result: RenderResult) -> Parts:
    return Parts(result.outputs, result.graph, {part: output.digest for part, output in result.outputs.items()})


async def _activate(conn: Conn, claimed: ClaimedStep, asset_id: int, version: int, actor: Actor) -> ActiveChange | None:
    """Activate an earlier version if the one from the start of the plan still is active."""
    await library_sql.lock(conn)
    asset = await library_sql.get_asset(conn, asset_id)
    if not is_activated(claimed, asset.active_version):
        return None
    note = f"made earlier from the same inputs; reused by plan {claimed.plan_id}"
    return await activation.activate(conn, asset_id, version, actor, note)


async def _select(
    conn: Conn, claimed: ClaimedStep, segment_id: int, take_id: int, actor: Actor
) -> tuple[PlanNote, ...]:
    """Select an earlier take if the take from the start of the plan still is selected; return a note if it is not."""
    if claimed.review or claimed.scene_id is None:
        return ()
    await lock_scenes(conn, [segment_id])
    if not is_selected(claimed, await step_sql.selected_take(conn, segment_id), take_id):
        return (not_selected_note(claimed, None),)
    if await selection.select(conn, {segment_id: take_id}, [claimed.scene_id], actor):
        await log.append(
            conn,
            "take.selected",
            actor,
            project_id=claimed.project_id,
            subject=f"segment/{segment_id}",
            data={"take_id": take_id, "plan_id": claimed.plan_id},
        )
    return ()
