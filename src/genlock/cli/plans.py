"""``plans``: show plans, start, follow, cancel and retry them."""

from typing import Annotated

import typer

from genlock.cli import plan_shown
from genlock.cli.command import command, group
from genlock.cli.planning import Follow
from genlock.cli.session import Session
from genlock.cli.tables import table
from genlock.cli.times import ago
from genlock.regeneration.model import PlanState

PlanArgument = Annotated[int, typer.Argument(metavar="ID", help="The plan's id.")]

plans = group("Plans: show, start, follow, cancel, retry.", example="genlock plans show 12")


@command(plans, "list", example="genlock plans list --state running")
def list_plans(
    session: Session,
    project: Annotated[str | None, typer.Argument(metavar="PROJECT", help="Only this project's.")] = None,
    state: Annotated[PlanState | None, typer.Option(help="Only plans in this state.")] = None,
) -> None:
    """List plans, newest first."""
    listed = list(session.gl.plans(project=project, state=state))
    rows = [
        (plan.id, plan.state.value, plan.totals.steps, f"{plan.progress:.0%}", plan.created_by, ago(plan.created_at))
        for plan in listed
    ]
    headings = ("id", "state", "steps", "done", "by", "when")
    session.show({"items": listed, "total": len(listed)}, table(headings, rows, title_columns=2) if rows else "None.")


@command(plans, "show", example="genlock plans show 12")
def show_plan(session: Session, plan_id: PlanArgument) -> None:
    """Show a plan: its steps in order, what each replaces, and what is left out and why."""
    plan_shown.show_plan(session, session.gl.get_plan(plan_id))


@command(plans, "start", example="genlock plans start 12")
def start_plan(
    session: Session,
    plan_id: PlanArgument,
    as_planned: Annotated[
        bool, typer.Option("--as-planned", help="Start it even if its expected versions or takes have changed.")
    ] = False,
    follow: Follow = True,
) -> None:
    """Start a draft plan."""
    plan_shown.follow_to_its_end(session, session.gl.start_plan(plan_id, as_planned=as_planned), follow)


@command(plans, "follow", example="genlock plans follow 12")
def follow_plan(session: Session, plan_id: PlanArgument) -> None:
    """Show the progress of a running plan until it ends."""
    plan_shown.follow_to_its_end(session, session.gl.get_plan(plan_id), follow=True)


@command(plans, "cancel", example="genlock plans cancel 12")
def cancel_plan(session: Session, plan_id: PlanArgument) -> None:
    """Cancel a plan at once; finished steps are kept."""
    session.show(session.gl.cancel_plan(plan_id), f"Plan {plan_id} is cancelled. Finished steps stay.")


@command(plans, "retry", example="genlock plans retry 12")
def retry_plan(session: Session, plan_id: PlanArgument, follow: Follow = True) -> None:
    """Retry the steps that failed or were cancelled, and those that depend on them."""
    plan_shown.follow_to_its_end(session, session.gl.retry_plan(plan_id), follow)


@command(plans, "accept", example="genlock plans accept 12")
def accept_plan(session: Session, plan_id: PlanArgument) -> None:
    """Select every take made by a plan in review."""
    accepted = session.gl.accept_plan(plan_id)
    session.show(accepted, f"The takes of plan {plan_id} are selected.")
