"""``plans``: look at plans that were made, start, cancel and retry them."""

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
    state: Annotated[PlanState | None, typer.Option(help="Only those in this state.")] = None,
) -> None:
    """List plans, newest first."""
    found = list(session.gl.plans(project=project, state=state))
    rows = [
        (one.id, one.state.value, one.totals.steps, f"{one.progress:.0%}", one.created_by, ago(one.created_at))
        for one in found
    ]
    headings = ("id", "state", "steps", "done", "by", "when")
    session.show({"items": found, "total": len(found)}, table(headings, rows, title_columns=2) if rows else "None.")


@command(plans, "show", example="genlock plans show 12")
def show_plan(session: Session, plan_id: PlanArgument) -> None:
    """Show a plan: its steps in order, what each replaces, and what is left out and why."""
    plan_shown.show_plan(session, session.gl.get_plan(plan_id))


@command(plans, "start", example="genlock plans start 12")
def start_plan(
    session: Session,
    plan_id: PlanArgument,
    as_planned: Annotated[
        bool, typer.Option("--as-planned", help="Although something it was planned on moved.")
    ] = False,
    follow: Follow = True,
) -> None:
    """Start a plan that was shown."""
    plan_shown.follow_to_its_end(session, session.gl.start_plan(plan_id, as_planned=as_planned), follow)


@command(plans, "follow", example="genlock plans follow 12")
def follow_plan(session: Session, plan_id: PlanArgument) -> None:
    """Show how far a running plan is until it ends."""
    plan_shown.follow_to_its_end(session, session.gl.get_plan(plan_id), follow=True)


@command(plans, "cancel", example="genlock plans cancel 12")
def cancel_plan(session: Session, plan_id: PlanArgument) -> None:
    """End a plan at once; what is finished stays."""
    session.show(session.gl.cancel_plan(plan_id), f"Plan {plan_id} is cancelled. What was finished stays.")


@command(plans, "retry", example="genlock plans retry 12")
def retry_plan(session: Session, plan_id: PlanArgument, follow: Follow = True) -> None:
    """Run again what failed or was cancelled, and what depends on it."""
    plan_shown.follow_to_its_end(session, session.gl.retry_plan(plan_id), follow)


@command(plans, "accept", example="genlock plans accept 12")
def accept_plan(session: Session, plan_id: PlanArgument) -> None:
    """Put every take that a reviewed plan made into the cut."""
    accepted = session.gl.accept_plan(plan_id)
    session.show(accepted, f"The takes of plan {plan_id} are in the cut.")
