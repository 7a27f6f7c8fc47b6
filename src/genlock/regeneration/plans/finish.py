"""What follows when a step is over: the next ones are queued, or the plan is, and says what a person should know."""

from collections.abc import Sequence

from genlock.db.connection import Conn
from genlock.events import log
from genlock.model import Actor
from genlock.regeneration.model import PlanNote, PlanState
from genlock.regeneration.plans import expected_sql, plan_sql, plan_write_sql, queue_sql, review_sql
from genlock.regeneration.plans.expected_sql import Moved
from genlock.regeneration.plans.plan_write_sql import Standing


async def go_on(conn: Conn, plan_id: int, actor: Actor, *, behind: int | None = None) -> None:
    """Queue what can start now in a locked plan (only what waited for one step), and end it when nothing is left."""
    moved = await expected_sql.moved_versions(conn, plan_id)
    if moved:
        await plan_write_sql.add_notes(conn, plan_id, notes_on_moves(moved))
    queued = await plan_write_sql.queue_ready(conn, plan_id, behind)
    if queued or behind is None:
        await queue_sql.hand_over(conn, plan_id, None if behind is None else queued)
    await settle_plan(conn, plan_id, actor)


async def settle_plan(conn: Conn, plan_id: int, actor: Actor) -> None:
    """Move a locked plan to the state that its steps are in."""
    where = await plan_write_sql.standing(conn, plan_id)
    if where.state not in (PlanState.RUNNING, PlanState.REVIEW):
        return
    state = await _state_of(conn, plan_id, where)
    if state is where.state:
        return
    await plan_write_sql.set_state(conn, plan_id, state)
    if not where.unfinished:
        await plan_write_sql.release(conn, plan_id)
    verb = {PlanState.RUNNING: "plan.resumed", PlanState.REVIEW: "plan.review"}.get(state, "plan.finished")
    totals = (await plan_sql.get_plan(conn, plan_id)).totals
    await log.append(
        conn,
        verb,
        actor,
        project_id=where.project_id,
        subject=f"plan/{plan_id}",
        data={"state": state.value, "totals": totals.model_dump(mode="json")},
    )


async def _state_of(conn: Conn, plan_id: int, where: Standing) -> PlanState:
    if where.under_way:
        return PlanState.RUNNING
    if where.unfinished:
        return PlanState.REVIEW  # the rest waits for a person to activate a version
    if where.failed:
        return PlanState.FAILED
    if where.review and await review_sql.has_unused_results(conn, plan_id):
        return PlanState.REVIEW
    return PlanState.SUCCEEDED


def notes_on_moves(moved: Sequence[Moved]) -> tuple[PlanNote, ...]:
    """What to say of expected versions that moved while a plan keeps the ones it was made on."""
    return tuple(dict.fromkeys(_note(one) for one in moved))  # once, however many scenes expect it


def _note(moved: Moved) -> PlanNote:
    if moved.archived:
        message = f"{moved.name} was archived after this plan was made."
    else:
        message = (
            f"{moved.name} moved from v{moved.was} to v{moved.now} after this plan was made: it keeps v{moved.was}, "
            "so what it makes is stale."
        )
    return PlanNote(code="moved", asset_id=moved.asset_id, message=message)
