"""``project``, ``scene``, ``segment``: what we want."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from genlock.cli.command import command, group
from genlock.cli.formatting import heading, many, state_word
from genlock.cli.session import Session
from genlock.cli.tables import table
from genlock.errors import Invalid
from genlock.staleness.model import Cause, SegmentView, State
from genlock.timeline.model import Counts, Project, Scene

ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="A project, by its slug.")]
SceneArgument = Annotated[str, typer.Argument(metavar="PROJECT/SCENE", help="A scene.")]
SegmentArgument = Annotated[str, typer.Argument(metavar="PROJECT/SCENE/3", help="A segment, by its position from 1.")]
NewNameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The new name.")]
Archived = Annotated[bool, typer.Option("--archived", help="Those that are archived instead.")]

_COUNTS = ("segments", "fresh", "stale", "waived", "unknown", "empty")

projects = group("Projects: one for each production.", example="genlock project list")
scenes = group("Scenes: the ordered parts of a project.", example="genlock scene list rooftop")
segments = group("Segments: the ordered parts of a scene.", example="genlock segment list rooftop/night")


# projects ----------------------------------------------------------------------------------------


@command(projects, "add", example="genlock project add rooftop --name 'On the roof'")
def add_project(
    session: Session,
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="How it is referred to; it never changes.")],
    name: Annotated[str | None, typer.Option(help="What it is called; the slug unless said.")] = None,
) -> None:
    """Make a new project."""
    made = session.gl.create_project(slug, name)
    session.show(made, f"Project {made.slug} was made.")


@command(projects, "list", example="genlock project list")
def list_projects(session: Session, archived: Archived = False) -> None:
    """List all projects, with how many of their segments are in which state."""
    found = list(session.gl.projects(archived=archived))
    rows = [(project.slug, project.name, *_counted(project)) for project in found]
    session.show({"items": found, "total": len(found)}, table(("project", "name", *_COUNTS), rows) if rows else _none())


@command(projects, "show", example="genlock project show rooftop")
def show_project(session: Session, project: ProjectArgument) -> None:
    """Show a project: its scenes, what it is pinned to, and what state its segments are in."""
    found = session.gl.project(project)
    its_scenes = list(session.gl.scenes(found))
    pins = list(session.gl.pins(found))
    document = {**found.model_dump(mode="json"), "scenes": its_scenes, "pins": pins}
    rows = [(scene.position, scene.name, *_counted(scene)) for scene in its_scenes]
    shown: list[RenderableType] = [
        heading(f"{found.slug}: {found.name}"),
        table(("", "scene", *_COUNTS), rows, title_columns=2),
    ]
    names = {scene.id: scene.name for scene in its_scenes}
    for pin in pins:
        where = names.get(pin.scene_id, "the project") if pin.scene_id else "the project"
        behind = f", {pin.behind} behind" if pin.behind > 0 else ""
        shown.append(f"{where} is pinned to {pin.kind}:{pin.name}@{pin.version}{behind}: {pin.reason}")
    session.show(document, *shown)


@command(projects, "rename", example="genlock project rename rooftop 'Above the city'")
def rename_project(session: Session, project: ProjectArgument, name: NewNameArgument) -> None:
    """Give a project another name; its slug stays."""
    renamed = session.gl.rename_project(project, name)
    session.show(renamed, f"{renamed.slug} is called {renamed.name} now.")


@command(projects, "archive", example="genlock project archive rooftop")
def archive_project(session: Session, project: ProjectArgument) -> None:
    """Hide a project from lists, counts and reports. Nothing is deleted."""
    hidden = session.gl.archive_project(project)
    session.show(hidden, f"{hidden.slug} is archived. `genlock project restore {hidden.slug}` brings it back.")


@command(projects, "restore", example="genlock project restore rooftop")
def restore_project(session: Session, project: ProjectArgument) -> None:
    """Bring an archived project back as it was."""
    restored = session.gl.restore_project(project)
    session.show(restored, f"{restored.slug} is back.")


# scenes ------------------------------------------------------------------------------------------


@command(scenes, "add", example="genlock scene add rooftop/night --segments 4")
def add_scene(
    session: Session,
    project: Annotated[str, typer.Argument(metavar="PROJECT/SCENE", help="The scene's place; or its project alone.")],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Its name, where the project stands alone.")
    ] = None,
    count: Annotated[int, typer.Option("--segments", min=0, help="Make so many chained segments in it.")] = 0,
) -> None:
    """Add a scene at the end of a project."""
    if name is None:
        project, _, name = project.partition("/")
        if not name:
            raise Invalid(
                f"What is the new scene of {project!r} called?",
                hint=f"Name it after the project: {project}/night.",
                code="no_name",
            )
    made = session.gl.create_scene(project, name)
    if count:
        session.gl.create_segments(made, count)
        made = session.gl.scene(made.id)
    extra = f" with {many(count, 'segment')}" if count else ""
    session.show(made, f"Scene {project}/{made.name} was made{extra}.")


@command(scenes, "list", example="genlock scene list rooftop")
def list_scenes(session: Session, project: ProjectArgument, archived: Archived = False) -> None:
    """List a project's scenes in their order."""
    found = list(session.gl.scenes(project, archived=archived))
    rows = [(scene.position, scene.name, *_counted(scene)) for scene in found]
    session.show(
        {"items": found, "total": len(found)},
        table(("", "scene", *_COUNTS), rows, title_columns=2) if rows else _none(),
    )


@command(scenes, "rename", example="genlock scene rename rooftop/night dusk")
def rename_scene(session: Session, scene: SceneArgument, name: NewNameArgument) -> None:
    """Give a scene another name."""
    renamed = session.gl.rename_scene(scene, name)
    session.show(renamed, f"The scene is called {renamed.name} now.")


@command(scenes, "archive", example="genlock scene archive rooftop/night")
def archive_scene(session: Session, scene: SceneArgument) -> None:
    """Hide a scene from lists, counts and reports. Nothing is deleted."""
    session.show(
        session.gl.archive_scene(scene), f"{scene} is archived. `genlock scene restore {scene}` brings it back."
    )


@command(scenes, "restore", example="genlock scene restore rooftop/night")
def restore_scene(session: Session, scene: SceneArgument) -> None:
    """Bring an archived scene back as it was."""
    session.show(session.gl.restore_scene(scene), f"{scene} is back.")


# segments ----------------------------------------------------------------------------------------


@command(segments, "add", example="genlock segment add rooftop/night --count 4")
def add_segments(
    session: Session,
    scene: SceneArgument,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many.")] = 1,
    name: Annotated[str | None, typer.Option(help="What they are called; numbered unless said.")] = None,
    position: Annotated[int | None, typer.Option(min=1, help="Where they begin; at the end unless said.")] = None,
    chained: Annotated[bool, typer.Option(help="Each continues the segment before it.")] = True,
) -> None:
    """Add segments to a scene. Those behind an inserted one move."""
    made = session.gl.create_segments(scene, count, name=name, position=position, chained=chained)
    places = [one.position for one in made if one.position is not None]
    where = f"{places[0]}" if len(places) == 1 else f"{places[0]} to {places[-1]}" if places else ""
    session.show({"items": made, "total": len(made)}, f"{many(len(made), 'segment')} made in {scene}: {where}.")


@command(segments, "list", example="genlock segment list rooftop/night --state stale")
def list_segments(
    session: Session,
    place: Annotated[str, typer.Argument(metavar="PROJECT[/SCENE]", help="A project, or a scene of it.")],
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    name: Annotated[str | None, typer.Option(help="Only those whose name begins so.")] = None,
) -> None:
    """List segments in their order, with their state and why they are in it."""
    project, _, scene = place.partition("/")
    found = session.gl.segments(project, state=state, scene=place if scene else None, name=name, page_size=500)
    names = {scene.id: scene.name for scene in session.gl.scenes(project)}
    session.show(found, _segment_table(list(found), names) if not session.as_json else "")


@command(segments, "change", example="genlock segment change rooftop/night/3 --to 1 --not-chained")
def change_segment(
    session: Session,
    segment: SegmentArgument,
    name: Annotated[str | None, typer.Option(help="Call it so.")] = None,
    to: Annotated[int | None, typer.Option(min=1, help="Move it to this position of its scene.")] = None,
    chained: Annotated[
        bool | None, typer.Option("--chained/--not-chained", help="Whether it continues the one before it.")
    ] = None,
) -> None:
    """Rename a segment, move it within its scene, or chain or unchain it. No take is touched."""
    changed = session.gl.change_segment(segment, name=name, position=to, chained=chained)
    chain = "continues the one before it" if changed.chained else "stands on its own"
    session.show(changed, f"{changed.name}: position {changed.position}, {chain}.")


@command(segments, "archive", example="genlock segment archive rooftop/night/3")
def archive_segment(session: Session, segment: SegmentArgument) -> None:
    """Take a segment out of its scene's order. Nothing is deleted."""
    hidden = session.gl.archive_segment(segment)
    session.show(hidden, f"{hidden.name} is archived. `genlock segment restore {hidden.id}` brings it back.")


@command(segments, "restore", example="genlock segment restore 42")
def restore_segment(
    session: Session,
    segment: Annotated[int, typer.Argument(metavar="ID", help="The segment's id: archived ones have no position.")],
) -> None:
    """Put an archived segment back where it stood."""
    restored = session.gl.restore_segment(segment)
    session.show(restored, f"{restored.name} is back at position {restored.position}.")


def _counted(one: Project | Scene) -> tuple[int, ...]:
    counts = one.counts or Counts(segments=0, fresh=0, stale=0, waived=0, unknown=0, empty=0)
    return tuple(getattr(counts, name) for name in _COUNTS)


def _segment_table(found: list[SegmentView], names: dict[int, str]) -> RenderableType:
    if not found:
        return _none()
    rows = [
        (
            names.get(one.scene_id, ""),
            one.position,
            one.name,
            state_word(one.state),
            one.selected_take.number if one.selected_take else None,
            "; ".join(because(one.causes, one.unknown_because)),
        )
        for one in found
    ]
    return table(("scene", "", "segment", "state", "take", "why"), rows, title_columns=4)


def because(causes: Iterable[Cause], unknown: Iterable[str] = ()) -> list[str]:
    """Why a segment is in its state, in a few words for each cause."""
    words = [
        f"{cause.path[0].name if cause.path else cause.role} v{cause.root.used} → v{cause.root.expected}"
        if cause.root.used and cause.root.expected
        else cause.kind.value
        for cause in causes
    ]
    return [*dict.fromkeys(words), *unknown]


def _none() -> Text:
    return Text("None.", style="dim")
