"""``project``, ``scene``, ``segment``: the structure of a production."""

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
Archived = Annotated[bool, typer.Option("--archived", help="List archived ones.")]

_COUNTS = ("segments", "fresh", "stale", "waived", "unknown", "empty")

projects = group("Projects: one for each production.", example="genlock project list")
scenes = group("Scenes: the ordered parts of a project.", example="genlock scene list rooftop")
segments = group("Segments: the ordered parts of a scene.", example="genlock segment list rooftop/night")


# projects ----------------------------------------------------------------------------------------


@command(projects, "add", example="genlock project add rooftop --name 'On the roof'")
def add_project(
    session: Session,
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Its permanent short name, used in references.")],
    name: Annotated[str | None, typer.Option(help="Its name; by default the slug.")] = None,
) -> None:
    """Create a project."""
    created = session.gl.create_project(slug, name)
    session.show(created, f"Project {created.slug} is created.")


@command(projects, "list", example="genlock project list")
def list_projects(session: Session, archived: Archived = False) -> None:
    """List all projects, with their segments by state."""
    listed = list(session.gl.projects(archived=archived))
    rows = [(project.slug, project.name, *_counted(project)) for project in listed]
    session.show(
        {"items": listed, "total": len(listed)}, table(("project", "name", *_COUNTS), rows) if rows else _none()
    )


@command(projects, "show", example="genlock project show rooftop")
def show_project(session: Session, project: ProjectArgument) -> None:
    """Show a project: its scenes, its pins, and its segments by state."""
    details = session.gl.project(project)
    its_scenes = list(session.gl.scenes(details))
    pins = list(session.gl.pins(details))
    document = {**details.model_dump(mode="json"), "scenes": its_scenes, "pins": pins}
    rows = [(scene.position, scene.name, *_counted(scene)) for scene in its_scenes]
    shown: list[RenderableType] = [
        heading(f"{details.slug}: {details.name}"),
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
    """Rename a project; its slug does not change."""
    renamed = session.gl.rename_project(project, name)
    session.show(renamed, f"{renamed.slug} is renamed to {renamed.name}.")


@command(projects, "archive", example="genlock project archive rooftop")
def archive_project(session: Session, project: ProjectArgument) -> None:
    """Archive a project: it leaves lists, counts and reports. Nothing is deleted."""
    hidden = session.gl.archive_project(project)
    session.show(hidden, f"{hidden.slug} is archived. To restore it: genlock project restore {hidden.slug}")


@command(projects, "restore", example="genlock project restore rooftop")
def restore_project(session: Session, project: ProjectArgument) -> None:
    """Restore an archived project."""
    restored = session.gl.restore_project(project)
    session.show(restored, f"{restored.slug} is restored.")


# scenes ------------------------------------------------------------------------------------------


@command(scenes, "add", example="genlock scene add rooftop/night --segments 4")
def add_scene(
    session: Session,
    project: Annotated[str, typer.Argument(metavar="PROJECT/SCENE", help="The new scene; or its project, with NAME.")],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Its name, if only the project is given.")] = None,
    count: Annotated[int, typer.Option("--segments", min=0, help="Number of chained segments to create.")] = 0,
) -> None:
    """Add a scene at the end of a project."""
    if name is None:
        project, _, name = project.partition("/")
        if not name:
            raise Invalid(
                f"The new scene of {project!r} has no name.",
                hint=f"Name it after the project: {project}/night.",
                code="no_name",
            )
    created = session.gl.create_scene(project, name)
    if count:
        session.gl.create_segments(created, count)
        created = session.gl.scene(created.id)
    extra = f" with {many(count, 'segment')}" if count else ""
    session.show(created, f"Scene {project}/{created.name} is created{extra}.")


@command(scenes, "list", example="genlock scene list rooftop")
def list_scenes(session: Session, project: ProjectArgument, archived: Archived = False) -> None:
    """List a project's scenes in order."""
    listed = list(session.gl.scenes(project, archived=archived))
    rows = [(scene.position, scene.name, *_counted(scene)) for scene in listed]
    session.show(
        {"items": listed, "total": len(listed)},
        table(("", "scene", *_COUNTS), rows, title_columns=2) if rows else _none(),
    )


@command(scenes, "rename", example="genlock scene rename rooftop/night dusk")
def rename_scene(session: Session, scene: SceneArgument, name: NewNameArgument) -> None:
    """Rename a scene."""
    renamed = session.gl.rename_scene(scene, name)
    session.show(renamed, f"The scene is renamed to {renamed.name}.")


@command(scenes, "archive", example="genlock scene archive rooftop/night")
def archive_scene(session: Session, scene: SceneArgument) -> None:
    """Archive a scene: it leaves lists, counts and reports. Nothing is deleted."""
    session.show(session.gl.archive_scene(scene), f"{scene} is archived. To restore it: genlock scene restore {scene}")


@command(scenes, "restore", example="genlock scene restore rooftop/night")
def restore_scene(session: Session, scene: SceneArgument) -> None:
    """Restore an archived scene."""
    session.show(session.gl.restore_scene(scene), f"{scene} is restored.")


# segments ----------------------------------------------------------------------------------------


@command(segments, "add", example="genlock segment add rooftop/night --count 4")
def add_segments(
    session: Session,
    scene: SceneArgument,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="Number of segments.")] = 1,
    name: Annotated[str | None, typer.Option(help="Their name; by default numbered.")] = None,
    position: Annotated[int | None, typer.Option(min=1, help="Position of the first; by default at the end.")] = None,
    chained: Annotated[bool, typer.Option(help="Each continues the previous segment.")] = True,
) -> None:
    """Add segments to a scene. Later segments shift."""
    created = session.gl.create_segments(scene, count, name=name, position=position, chained=chained)
    places = [segment.position for segment in created if segment.position is not None]
    where = f"{places[0]}" if len(places) == 1 else f"{places[0]} to {places[-1]}" if places else ""
    session.show(
        {"items": created, "total": len(created)}, f"{many(len(created), 'segment')} created in {scene}: {where}."
    )


@command(segments, "list", example="genlock segment list rooftop/night --state stale")
def list_segments(
    session: Session,
    place: Annotated[str, typer.Argument(metavar="PROJECT[/SCENE]", help="A project, or a scene of it.")],
    state: Annotated[State | None, typer.Option(help="Only segments in this state.")] = None,
    name: Annotated[str | None, typer.Option(help="Only names with this prefix.")] = None,
) -> None:
    """List segments in order, with their state and its causes."""
    project, _, scene = place.partition("/")
    listing = session.gl.segments(project, state=state, scene=place if scene else None, name=name, page_size=500)
    names = {scene.id: scene.name for scene in session.gl.scenes(project)}
    session.show(listing, _segment_table(list(listing), names) if not session.as_json else "")


@command(segments, "change", example="genlock segment change rooftop/night/3 --to 1 --not-chained")
def change_segment(
    session: Session,
    segment: SegmentArgument,
    name: Annotated[str | None, typer.Option(help="Name.")] = None,
    to: Annotated[int | None, typer.Option(min=1, help="Position in its scene to move it to.")] = None,
    chained: Annotated[
        bool | None, typer.Option("--chained/--not-chained", help="Whether it continues the previous segment.")
    ] = None,
) -> None:
    """Rename a segment, move it within its scene, or chain or unchain it. Takes are not changed."""
    changed = session.gl.change_segment(segment, name=name, position=to, chained=chained)
    chain = "continues the previous segment" if changed.chained else "starts from its own inputs"
    session.show(changed, f"{changed.name}: position {changed.position}, {chain}.")


@command(segments, "archive", example="genlock segment archive rooftop/night/3")
def archive_segment(session: Session, segment: SegmentArgument) -> None:
    """Remove a segment from its scene's order. Nothing is deleted."""
    hidden = session.gl.archive_segment(segment)
    session.show(hidden, f"{hidden.name} is archived. To restore it: genlock segment restore {hidden.id}")


@command(segments, "restore", example="genlock segment restore 42")
def restore_segment(
    session: Session,
    segment: Annotated[int, typer.Argument(metavar="ID", help="The segment's id: archived ones have no position.")],
) -> None:
    """Restore an archived segment to its position."""
    restored = session.gl.restore_segment(segment)
    session.show(restored, f"{restored.name} is restored at position {restored.position}.")


def _counted(counted: Project | Scene) -> tuple[int, ...]:
    counts = counted.counts or Counts(segments=0, fresh=0, stale=0, waived=0, unknown=0, empty=0)
    return tuple(getattr(counts, name) for name in _COUNTS)


def _segment_table(views: list[SegmentView], names: dict[int, str]) -> RenderableType:
    if not views:
        return _none()
    rows = [
        (
            names.get(view.scene_id, ""),
            view.position,
            view.name,
            state_word(view.state),
            view.selected_take.number if view.selected_take else None,
            "; ".join(because(view.causes, view.unknown_because)),
        )
        for view in views
    ]
    return table(("scene", "", "segment", "state", "take", "why"), rows, title_columns=4)


def because(causes: Iterable[Cause], unknown: Iterable[str] = ()) -> list[str]:
    """Return the reasons for a segment's state, in a few words per cause."""
    words = [
        f"{cause.path[0].name if cause.path else cause.role} v{cause.root.used} → v{cause.root.expected}"
        if cause.root.used and cause.root.expected
        else cause.kind.value
        for cause in causes
    ]
    return [*dict.fromkeys(words), *unknown]


def _none() -> Text:
    return Text("None.", style="dim")
