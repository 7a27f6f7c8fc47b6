"""``plan``, ``render``, ``plans``: make only that again."""

from collections import Counter
from collections.abc import Callable
from typing import Annotated, Literal

import typer
from rich.console import RenderableType
from rich.text import Text

from genlock.cli.door import FAILED, Asked, command, group
from genlock.cli.following import PlanProgress
from genlock.cli.inputs import parse_input, parse_setting
from genlock.cli.words import ago, clean, heading, many, seconds_word, table
from genlock.errors import NotFound
from genlock.regeneration.model import Plan, PlanState, Step, StepKind, StepState, Substitute
from genlock.sdk.references import parse_asset
from genlock.timeline.model import Project

_PANEL = "Make again"
_STEP_STYLES = {
    StepState.SUCCEEDED: "green",
    StepState.SKIPPED: "dim",
    StepState.FAILED: "bold red",
    StepState.CANCELLED: "dim",
    StepState.RUNNING: "bold",
}

PlanArgument = Annotated[int, typer.Argument(metavar="ID", help="The plan's id.")]
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Wait until it ends, showing how far it is.")]
Review = Annotated[bool, typer.Option("--review", help="Leave it to a person which new takes go into the cut.")]

plans = group("Plans that were made: look, start, cancel, retry.", example="genlock plans show 12")


def register(app: typer.Typer) -> None:
    """Add these commands to ``app``."""
    command(app, "plan", example="genlock plan rooftop --asset lora:rain --yes", panel=_PANEL)(plan)
    example = "genlock render rooftop/night --engine sketch --input workflow:walk --input model:tiny --set seed=42"
    command(app, "render", example=example, panel=_PANEL)(render)


def plan(
    asked: Asked,
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="A project, by its slug.")],
    assets: Annotated[
        list[str] | None, typer.Option("--asset", metavar="KIND:NAME", help="Only what is stale because of this asset.")
    ] = None,
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="ID", help="Only this group of the report.")
    ] = None,
    scenes: Annotated[list[str] | None, typer.Option("--scene", metavar="SCENE", help="Only this scene.")] = None,
    segments: Annotated[
        list[str] | None, typer.Option("--segment", metavar="SCENE/3", help="Only this segment.")
    ] = None,
    cascade: Annotated[bool, typer.Option("--cascade", help="Take along what continues the chosen segments.")] = False,
    review: Review = False,
    force: Annotated[bool, typer.Option("--force", help="Render even what an earlier take would give.")] = False,
    seed: Annotated[Literal["same", "new"], typer.Option(help="Keep each segment's seed, or draw new ones.")] = "same",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start it.")] = False,
    follow: Follow = True,
) -> None:
    """Show what would be made again and what is left out; with --yes start it. Everything stale unless narrowed."""
    found = asked.gl.project(project)
    chosen = list(groups or [])
    for asset in assets or []:
        chosen += _groups_of(asked, found, asset)
    draft = asked.gl.plan(
        found,
        segments=[_within(found.slug, one, 1) for one in segments or []],
        scenes=[_within(found.slug, one, 0) for one in scenes or []],
        groups=chosen,
        cascade=cascade,
        review=review,
        force=force,
        seed=seed,
    )
    if not yes:
        _show_plan(asked, draft)
        return
    if not asked.as_json:
        _print_plan(asked, draft)
    _run(asked, asked.gl.start_plan(draft), follow)


def render(
    asked: Asked,
    place: Annotated[
        str,
        typer.Argument(metavar="PLACE", help="PROJECT/SCENE, PROJECT/SCENE/3, or KIND:NAME for a new version of it."),
    ],
    engine: Annotated[str, typer.Option(help="What renders, such as sketch.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="KIND:NAME[@N][=0.8]", help="Something to render with; a LoRA with its strength."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter, such as seed=42.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="The project whose own assets are meant, where PLACE has none.")
    ] = None,
    review: Review = False,
    follow: Follow = True,
) -> None:
    """Render a segment, every segment of a scene, or a new version of an asset such as a variant."""
    said = [parse_input(text) for text in inputs or []]
    parameters = dict(parse_setting(text) for text in settings or [])
    slug = project if ":" in place else place.partition("/")[0]
    given = [
        asked.gl.render_input(
            one.reference, strength_model=one.strength_model, strength_clip=one.strength_clip, project=slug
        )
        for one in said
    ]
    if ":" in place:
        parse_asset(place)
        made = asked.gl.render_asset(
            place, engine=engine, inputs=given, parameters=parameters, review=review, project=project
        )
    else:
        made = asked.gl.render(place, engine=engine, inputs=given, parameters=parameters, review=review)
    _run(asked, made, follow)


# plans -------------------------------------------------------------------------------------------


@command(plans, "list", example="genlock plans list --state running")
def list_plans(
    asked: Asked,
    project: Annotated[str | None, typer.Argument(metavar="PROJECT", help="Only this project's.")] = None,
    state: Annotated[PlanState | None, typer.Option(help="Only those in this state.")] = None,
) -> None:
    """List plans, newest first."""
    found = list(asked.gl.plans(project=project, state=state))
    rows = [
        (one.id, one.state.value, one.totals.steps, f"{one.progress:.0%}", one.created_by, ago(one.created_at))
        for one in found
    ]
    headings = ("id", "state", "steps", "done", "by", "when")
    asked.show({"items": found, "total": len(found)}, table(headings, rows) if rows else "None.")


@command(plans, "show", example="genlock plans show 12")
def show_plan(asked: Asked, plan_id: PlanArgument) -> None:
    """Show a plan: its steps in order, what each replaces, and what is left out and why."""
    _show_plan(asked, asked.gl.get_plan(plan_id))


@command(plans, "start", example="genlock plans start 12")
def start_plan(
    asked: Asked,
    plan_id: PlanArgument,
    as_planned: Annotated[
        bool, typer.Option("--as-planned", help="Although something it was planned on moved.")
    ] = False,
    follow: Follow = True,
) -> None:
    """Start a plan that was shown."""
    _run(asked, asked.gl.start_plan(plan_id, as_planned=as_planned), follow)


@command(plans, "follow", example="genlock plans follow 12")
def follow_plan(asked: Asked, plan_id: PlanArgument) -> None:
    """Show how far a running plan is until it ends."""
    _run(asked, asked.gl.get_plan(plan_id), follow=True)


@command(plans, "cancel", example="genlock plans cancel 12")
def cancel_plan(asked: Asked, plan_id: PlanArgument) -> None:
    """End a plan at once; what is finished stays."""
    asked.show(asked.gl.cancel_plan(plan_id), f"Plan {plan_id} is cancelled. What was finished stays.")


@command(plans, "retry", example="genlock plans retry 12")
def retry_plan(asked: Asked, plan_id: PlanArgument, follow: Follow = True) -> None:
    """Run again what failed or was cancelled, and what depends on it."""
    _run(asked, asked.gl.retry_plan(plan_id), follow)


@command(plans, "accept", example="genlock plans accept 12")
def accept_plan(asked: Asked, plan_id: PlanArgument) -> None:
    """Put every take that a reviewed plan made into the cut."""
    accepted = asked.gl.accept_plan(plan_id)
    asked.show(accepted, f"The takes of plan {plan_id} are in the cut.")


def _within(slug: str, given: str, slashes: int) -> str:
    """A scene or segment of a project, which may be named with or without the project."""
    return f"{slug}/{given}" if given.count("/") == slashes else given


def _groups_of(asked: Asked, project: Project, asset: str) -> list[str]:
    reference = parse_asset(asset)
    found = [
        group.id
        for group in asked.gl.report(project).groups
        if group.asset is not None
        and (group.asset.kind, group.asset.name) == (reference.kind, reference.name)
        and reference.version in {None, group.used}
    ]
    if not found:
        raise NotFound(
            f"Nothing in {project.slug} is stale because of {asset}.",
            hint=f"`genlock status {project.slug}` lists why.",
        )
    return found


# showing and following ---------------------------------------------------------------------------


def _run(asked: Asked, started: Plan, follow: bool) -> None:
    """Follow a plan until it ends; the exit code says whether everything was made."""
    ended = started
    if follow:
        names = _names(asked, started)
        progress = PlanProgress(asked.err, names)
        ended = progress.follow(asked.gl.follow_plan(started), lambda: asked.gl.steps(started)) or started
    _show_ended(asked, ended)
    if ended.state in {PlanState.FAILED, PlanState.CANCELLED}:
        raise typer.Exit(FAILED)


def _show_ended(asked: Asked, ended: Plan) -> None:
    if asked.as_json:
        _show_plan(asked, ended)
        return
    totals = ended.totals
    did = [
        many(totals.rendered, "segment") + " rendered" if totals.rendered else "",
        f"{totals.restored} restored without rendering" if totals.restored else "",
        f"{totals.saved} saved: they came out equal" if totals.saved else "",
        f"{totals.failed} failed" if totals.failed else "",
        f"{totals.cancelled} cancelled" if totals.cancelled else "",
        f"{totals.blocked} blocked" if totals.blocked else "",
    ]
    said = ", ".join(part for part in did if part)
    asked.out.print(f"Plan {ended.id}: {ended.state.value}" + (f" – {said}." if said else "."))
    names = _names(asked, ended)
    for step in asked.gl.steps(ended) if totals.failed or totals.blocked else ():
        if step.error is not None:
            hint = f" {step.error.hint}" if step.error.hint else ""
            asked.err.print(clean(f"  {names(step)}: {step.error.message}{hint}"), style="red")
        elif step.kind is StepKind.BLOCKED:
            asked.err.print(clean(f"  {names(step)}: {step.why}"), style="yellow")
    for note in ended.notes:
        asked.out.print(clean(f"  {note.message}"))


def _show_plan(asked: Asked, shown: Plan) -> None:
    if asked.as_json:
        left_out = list(asked.gl.left_out(shown))
        document = {
            **shown.model_dump(mode="json"),
            "steps": list(asked.gl.steps(shown)),
            "left_out_segments": left_out,
        }
        asked.show(document)
    else:
        _print_plan(asked, shown)


def _print_plan(asked: Asked, shown: Plan) -> None:
    names = _names(asked, shown)
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
            names(step),
            step.kind.value,
            Text(step.state.value, style=_STEP_STYLES.get(step.state, "")),
            ", ".join(_substitute(one) for one in step.substitutes) or (step.why or ""),
            seconds_word(step.estimate_s),
        )
        for step in asked.gl.steps(shown)
    ]
    if rows:
        lines.append(table(("", "what", "step", "state", "replaces", "estimate"), rows))
    left_out = Counter(one.why.value for one in asked.gl.left_out(shown))
    if left_out:
        why = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in left_out.most_common())
        lines.append(Text(f"Left out: {why}.", style="dim"))
    if shown.downstream_stale:
        more = f"{many(shown.downstream_stale, 'segment')} that continue them will be stale afterwards (--cascade)."
        lines.append(Text(more, style="dark_orange"))
    lines += [Text(clean(note.message)) for note in shown.notes]
    if shown.state is PlanState.DRAFT and rows:
        lines.append(Text(f"Nothing runs yet. Start it with: genlock plans start {shown.id}", style="dim"))
    for line in lines:
        asked.out.print(line)


def _substitute(one: Substitute) -> str:
    was = "–" if one.from_ is None else f"v{one.from_}"
    to = "new" if one.to is None else f"v{one.to}"
    return f"{one.asset.kind} {one.asset.name} {was} → {to}"


def _names(asked: Asked, shown: Plan) -> Callable[[Step], str]:
    """How each step of a plan is called: its segment's place, or its asset."""
    places: dict[int, str] = {}
    if shown.project_id is not None:
        scenes = {scene.id: scene.name for scene in asked.gl.scenes(shown.project_id)}
        for segment in asked.gl.segments(shown.project_id, page_size=500):
            places[segment.id] = f"{scenes.get(segment.scene_id, '')}/{segment.position}"

    def name(step: Step) -> str:
        if step.asset_id is not None:
            asset = asked.gl.asset(step.asset_id)
            return f"{asset.kind}:{asset.name}"
        return places.get(step.segment_id or 0, f"segment {step.segment_id}")

    return name
