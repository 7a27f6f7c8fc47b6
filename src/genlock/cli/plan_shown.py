"""Shows a plan, and follows it until it ends."""

from collections import Counter

import typer
from rich.console import RenderableType
from rich.text import Text

from genlock.cli.exit_codes import FAILED
from genlock.cli.following import PlanProgress
from genlock.cli.formatting import clean, heading, many, seconds_word
from genlock.cli.session import Session
from genlock.cli.tables import table
from genlock.regeneration.model import Plan, PlanState, StepKind, StepState, Substitute

_STEP_STYLES = {
    StepState.SUCCEEDED: "green",
    StepState.SKIPPED: "dim",
    StepState.FAILED: "bold red",
    StepState.CANCELLED: "dim",
    StepState.RUNNING: "bold",
}


def follow_to_its_end(session: Session, started: Plan, follow: bool) -> None:
    """Follow a plan until it ends. Exit with 1 if it failed or was cancelled."""
    ended = started
    if follow:
        progress = PlanProgress(session.err)
        ended = progress.follow(session.gl.follow_plan(started), lambda: session.gl.steps(started)) or started
    _show_ended(session, ended)
    if ended.state in {PlanState.FAILED, PlanState.CANCELLED}:
        raise typer.Exit(FAILED)


def _show_ended(session: Session, ended: Plan) -> None:
    if session.as_json:
        show_plan(session, ended)
        return
    totals = ended.totals
    did = [
        many(totals.rendered, _made_by(ended)) + " rendered" if totals.rendered else "",
        f"{totals.restored} restored without rendering" if totals.restored else "",
        f"{totals.saved} not rendered: their inputs were unchanged" if totals.saved else "",
        f"{totals.failed} failed" if totals.failed else "",
        f"{totals.cancelled} cancelled" if totals.cancelled else "",
        f"{totals.blocked} blocked" if totals.blocked else "",
    ]
    summary = ", ".join(part for part in did if part) or ("" if totals.steps else "there was nothing to render")
    session.out.print(f"Plan {ended.id}: {ended.state.value}" + (f" – {summary}." if summary else "."))
    for step in session.gl.steps(ended) if totals.failed or totals.blocked else ():
        if step.error is not None:
            hint = f" {step.error.hint}" if step.error.hint else ""
            session.err.print(clean(f"  {step.name}: {step.error.message}{hint}"), style="red")
        elif step.kind is StepKind.BLOCKED:
            session.err.print(clean(f"  {step.name}: {step.why}"), style="yellow")
    for note in ended.notes:
        session.out.print(clean(f"  {note.message}"))


def show_plan(session: Session, shown: Plan) -> None:
    """Show a plan with its steps and the segments that it leaves out."""
    if session.as_json:
        parts = {"steps": list(session.gl.steps(shown)), "left_out": list(session.gl.left_out(shown))}
        session.show({**shown.model_dump(mode="json"), **parts})
    else:
        print_plan(session, shown)


def print_plan(session: Session, shown: Plan, *, starts: bool = False) -> None:
    """Print a plan; with ``starts`` it is about to run."""
    totals = shown.totals
    parts = [
        many(totals.render, "render"),
        many(totals.restore, "restore") + " without rendering" if totals.restore else "",
        f"{totals.blocked} blocked" if totals.blocked else "",
        f"{totals.left_out} left out" if totals.left_out else "",
        f"about {seconds_word(totals.gpu_seconds)}" if totals.gpu_seconds is not None else "",
    ]
    lines: list[RenderableType] = [heading(f"Plan {shown.id} ({shown.state.value}): {', '.join(filter(None, parts))}")]
    rows = [
        (
            step.position,
            step.name,
            step.kind.value,
            Text(step.state.value, style=_STEP_STYLES.get(step.state, "")),
            ", ".join(_substitute(substitute) for substitute in step.substitutes) or (step.why or ""),
            seconds_word(step.estimate_s),
        )
        for step in session.gl.steps(shown)
    ]
    if rows:
        lines.append(table(("", "what", "step", "state", "replaces", "estimate"), rows, title_columns=2))
    left_out = Counter(item.why.value for item in session.gl.left_out(shown))
    if left_out:
        why = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in left_out.most_common())
        lines.append(Text(f"Left out: {why}.", style="dim"))
    if shown.downstream_stale:
        more = f"{many(shown.downstream_stale, 'segment')} that continue them will be stale (--cascade includes them)."
        lines.append(Text(more, style="dark_orange"))
    lines += [Text(clean(note.message)) for note in shown.notes]
    if shown.state is PlanState.DRAFT and rows and not starts:
        lines.append(Text(f"Nothing runs yet. To start it: genlock plans start {shown.id}", style="dim"))
    for line in lines:
        session.out.print(line)


def _made_by(plan: Plan) -> str:
    """Return what the renders of a plan produce."""
    return "version" if "asset" in plan.selection.get("render", {}) else "segment"


def _substitute(substitute: Substitute) -> str:
    was = "–" if substitute.from_ is None else f"v{substitute.from_}"
    to = "new" if substitute.to is None else f"v{substitute.to}"
    return f"{substitute.asset.kind} {substitute.asset.name} {was} → {to}"
