"""``plan`` and ``render``: render what is stale, or something new."""

from typing import Annotated, Literal

import typer

from genlock.cli.command import command
from genlock.cli.inputs import parse_input, parse_setting
from genlock.cli.plan_shown import follow_to_its_end, print_plan, show_plan
from genlock.cli.session import Session
from genlock.errors import NotFound
from genlock.sdk.references import parse_asset
from genlock.timeline.model import Project

Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Wait until it ends and show its progress.")]
Review = Annotated[bool, typer.Option("--review", help="Review new takes before they are selected.")]

app = typer.Typer()


@command(app, "plan", example="genlock plan rooftop --asset lora:rain --yes")
def plan(
    session: Session,
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="A project, by its slug.")],
    assets: Annotated[
        list[str] | None, typer.Option("--asset", metavar="KIND:NAME", help="Only segments that this asset made stale.")
    ] = None,
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="ID", help="Only this group of the report.")
    ] = None,
    scenes: Annotated[list[str] | None, typer.Option("--scene", metavar="SCENE", help="Only this scene.")] = None,
    segments: Annotated[
        list[str] | None, typer.Option("--segment", metavar="SCENE/3", help="Only this segment.")
    ] = None,
    cascade: Annotated[bool, typer.Option("--cascade", help="Include the segments that continue them.")] = False,
    review: Review = False,
    force: Annotated[bool, typer.Option("--force", help="Render even if an earlier take could be restored.")] = False,
    seed: Annotated[Literal["same", "new"], typer.Option(help="Keep each segment's seed, or use new ones.")] = "same",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start it.")] = False,
    follow: Follow = True,
) -> None:
    """Show what would be rendered again and what is left out; --yes starts it. Covers everything stale by default."""
    target = session.gl.project(project)
    group_ids = list(groups or [])
    for asset in assets or []:
        group_ids += _groups_of(session, target, asset)
    draft = session.gl.plan(
        target,
        segments=[_within(target.slug, segment, 1) for segment in segments] if segments else None,
        scenes=[_within(target.slug, scene, 0) for scene in scenes] if scenes else None,
        groups=group_ids or None,
        cascade=cascade,
        review=review,
        force=force,
        seed=seed,
    )
    if not yes:
        show_plan(session, draft)
        return
    if not session.as_json:
        print_plan(session, draft, starts=True)
    follow_to_its_end(session, session.gl.start_plan(draft), follow)


@command(
    app,
    "render",
    example="genlock render rooftop/night --engine sketch --input workflow:walk --input model:tiny --set seed=42",
)
def render(
    session: Session,
    place: Annotated[
        str,
        typer.Argument(metavar="PLACE", help="PROJECT/SCENE, PROJECT/SCENE/3, or KIND:NAME for a new version of it."),
    ],
    engine: Annotated[str, typer.Option(help="The engine, such as sketch.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="KIND:NAME[@N][=0.8]", help="An input; a LoRA with its strength."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter, such as seed=42.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Use this project's own assets, if PLACE does not name a project.")
    ] = None,
    review: Review = False,
    follow: Follow = True,
) -> None:
    """Render a segment, every segment of a scene, or a new version of an asset such as a variant."""
    given_inputs = [parse_input(text) for text in inputs or []]
    parameters = dict(parse_setting(text) for text in settings or [])
    slug = project if ":" in place else place.partition("/")[0]
    given = [
        session.gl.render_input(
            item.reference, strength_model=item.strength_model, strength_clip=item.strength_clip, project=slug
        )
        for item in given_inputs
    ]
    if ":" in place:
        parse_asset(place)
        started = session.gl.render_asset(
            place, engine=engine, inputs=given, parameters=parameters, review=review, project=project
        )
    else:
        started = session.gl.render(place, engine=engine, inputs=given, parameters=parameters, review=review)
    follow_to_its_end(session, started, follow)


def _within(slug: str, given: str, slashes: int) -> str:
    """Return a scene or segment of a project with the project's name, which is optional in ``given``."""
    return f"{slug}/{given}" if given.count("/") == slashes else given


def _groups_of(session: Session, project: Project, asset: str) -> list[str]:
    reference = parse_asset(asset)
    group_ids = [
        group.id
        for group in session.gl.report(project).groups
        if group.asset is not None
        and (group.asset.kind, group.asset.name) == (reference.kind, reference.name)
        and reference.version in {None, group.used}
    ]
    if not group_ids:
        raise NotFound(
            f"Nothing in {project.slug} is stale because of {asset}.",
            hint=f"`genlock status {project.slug}` shows the causes.",
        )
    return group_ids
