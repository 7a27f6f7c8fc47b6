"""What follows when a step is over: the next ones are queued, or the plan is, and says what a person should know."""

from collections.abc import Sequence

from genlock.db.connection import Conn
from genlock.events import log
from genlock.model import Actor
from genlock.regeneration import expected_sql, plan_sql, plan_write_sql, queue_sql
from genlock.regeneration.expected_sql import Moved
from genlock.regeneration.model import PlanNote, PlanState


async def go_on(conn: Conn, plan_id: int, actor: Actor) -> None:
    """Queue what can start now in a locked plan, and end the plan when nothing is left."""
    moved = await expected_sql.moved_versions(conn, plan_id)
    if moved:
        await plan_write_sql.add_notes(conn, plan_id, notes_on_moves(moved))
    await plan_write_sql.queue_ready(conn, plan_id)
    await queue_sql.hand_over(conn, plan_id)
    await settle_plan(conn, plan_id, actor)


async def settle_plan(conn: Conn, plan_id: int, actor: Actor) -> None:
    """Move a locked plan to the state that its steps are in."""
    plan = await plan_sql.get_plan(conn, plan_id)
    if plan.state not in (PlanState.RUNNING, PlanState.REVIEW):
        return
    where = await plan_write_sql.standing(conn, plan_id)
    if where.under_way:
        state = PlanState.RUNNING
    elif where.unfinished or (plan.review and where.to_review and not where.failed):
        state = PlanState.REVIEW  # steps wait for a person to activate a version, or everything waits to be accepted
    else:
        state = PlanState.FAILED if where.failed else PlanState.SUCCEEDED
    if state is plan.state:
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
        project_id=plan.project_id,
        subject=f"plan/{plan_id}",
        data={"state": state.value, "totals": totals.model_dump(mode="json")},
    )


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
