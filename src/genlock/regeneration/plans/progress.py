"""Continues a plan when a step has ended: queues the steps that are ready, ends the plan when none is left."""

from collections.abc import Sequence

from genlock.db.connection import Conn
from genlock.events import log
from genlock.model import Actor
from genlock.regeneration.model import PlanNote, PlanState
from genlock.regeneration.plans import expected_sql, plan_sql, plan_write_sql, queue_sql, review_sql
from genlock.regeneration.plans.expected_sql import ChangedVersion
from genlock.regeneration.plans.plan_write_sql import StepCounts


async def continue_plan(conn: Conn, plan_id: int, actor: Actor, *, behind: int | None = None) -> None:
    """Queue what can start now in a locked plan (``behind``: only what waited for that step), and end it at the end."""
    changes = await expected_sql.changed_versions(conn, plan_id)
    if changes:
        await plan_write_sql.add_notes(conn, plan_id, notes_on_changes(changes))
    queued = await plan_write_sql.queue_ready(conn, plan_id, behind)
    if queued or behind is None:
        await queue_sql.hand_over(conn, plan_id, None if behind is None else queued)
    await update_plan_state(conn, plan_id, actor)


async def update_plan_state(conn: Conn, plan_id: int, actor: Actor) -> None:
    """Move a locked plan to the state that its steps are in."""
    counts = await plan_write_sql.step_counts(conn, plan_id)
    if counts.state not in (PlanState.RUNNING, PlanState.REVIEW):
        return
    state = await _state_of(conn, plan_id, counts)
    if state is counts.state:
        return
    await plan_write_sql.set_state(conn, plan_id, state)
    if not counts.unfinished:
        await plan_write_sql.release(conn, plan_id)
    verb = {PlanState.RUNNING: "plan.resumed", PlanState.REVIEW: "plan.review"}.get(state, "plan.finished")
    totals = (await plan_sql.get_plan(conn, plan_id)).totals
    await log.append(
        conn,
        verb,
        actor,
        project_id=counts.project_id,
        subject=f"plan/{plan_id}",
        data={"state": state.value, "totals": totals.model_dump(mode="json")},
    )


async def _state_of(conn: Conn, plan_id: int, counts: StepCounts) -> PlanState:
    if counts.under_way:
        return PlanState.RUNNING
    if counts.unfinished:
        return PlanState.REVIEW  # the rest waits for a person to activate a version
    if counts.failed:
        return PlanState.FAILED
    if counts.review and await review_sql.has_unused_results(conn, plan_id):
        return PlanState.REVIEW
    return PlanState.SUCCEEDED


def notes_on_changes(changes: Sequence[ChangedVersion]) -> tuple[PlanNote, ...]:
    """Return the notes about expected versions that changed while a plan keeps the ones it was made with."""
    return tuple(dict.fromkeys(_note(change) for change in changes))  # once, however many scenes expect it


def _note(change: ChangedVersion) -> PlanNote:
    if change.archived:
        message = f"{change.name} was archived after this plan was made."
    else:
        message = (
            f"{change.name} moved from v{change.was} to v{change.now} after this plan was made: it keeps "
            f"v{change.was}, so what it makes is stale."
        )
    return PlanNote(code="moved", asset_id=change.asset_id, message=message)
