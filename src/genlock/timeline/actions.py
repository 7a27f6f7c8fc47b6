"""Writes of projects, scenes and the order of segments.

Changes of the order of segments are called through ``takes.editing``, which then updates selected takes and appends the
event.
"""

from genlock.db.connection import Conn
from genlock.errors import Conflict, Invalid
from genlock.events import log
from genlock.model import Actor
from genlock.timeline import sql
from genlock.timeline.model import NewProject, NewScene, NewSegments, Project, Scene, Segment, SegmentChange


async def create_project(conn: Conn, new: NewProject, actor: Actor) -> Project:
    """Create a project. Raise ``Conflict`` if its slug is taken."""
    project_id = await sql.insert_project(conn, new, actor)
    await log.append(
        conn, "project.created", actor, project_id=project_id, subject=f"project/{project_id}", data={"slug": new.slug}
    )
    return await sql.get_project(conn, project_id)


async def create_scene(conn: Conn, project_id: int, new: NewScene, actor: Actor) -> Scene:
    """Create a scene at the end of a project. Raise ``Conflict`` if the name is taken or the project is archived."""
    await sql.lock_project(conn, project_id)
    await open_project(conn, project_id)
    scene_id = await sql.insert_scene(conn, project_id, new.name, actor)
    await log.append(
        conn, "scene.created", actor, project_id=project_id, subject=f"scene/{scene_id}", data={"name": new.name}
    )
    return await sql.get_scene(conn, scene_id)


async def rename_project(conn: Conn, project_id: int, name: str, actor: Actor) -> Project:
    """Rename a project; its slug does not change."""
    before = await sql.get_project(conn, project_id)
    if before.name != name:
        await sql.rename_project(conn, project_id, name)
        names = {"from": before.name, "to": name}
        await log.append(
            conn, "project.renamed", actor, project_id=project_id, subject=f"project/{project_id}", data=names
        )
    return await sql.get_project(conn, project_id)


async def rename_scene(conn: Conn, scene_id: int, name: str, actor: Actor) -> Scene:
    """Rename a scene. Raise ``Conflict`` if the name is taken in its project."""
    before = await sql.get_scene(conn, scene_id)
    if before.name != name:
        await sql.rename_scene(conn, scene_id, name)
        names = {"from": before.name, "to": name}
        await log.append(
            conn, "scene.renamed", actor, project_id=before.project_id, subject=f"scene/{scene_id}", data=names
        )
    return await sql.get_scene(conn, scene_id)


async def open_project(conn: Conn, project_id: int) -> Project:
    """Return a project that accepts new work. Raise ``Conflict`` if it is archived."""
    project = await sql.get_project(conn, project_id)
    if project.archived:
        raise Conflict(f"The project {project.slug} is archived.", hint="Restore it first.")
    return project


async def open_scene(conn: Conn, scene_id: int) -> Scene:
    """Lock and return a scene that accepts new work. Raise ``Conflict`` if it or its project is archived."""
    scene = await sql.lock_scene(conn, scene_id)
    require_open(scene)
    await open_project(conn, scene.project_id)
    return scene


def require_open(scene: Scene) -> None:
    """Raise ``Conflict`` if a scene is archived."""
    if scene.archived:
        raise Conflict(f"The scene {scene.name!r} is archived.", hint="Restore it first.")


async def insert_segments(conn: Conn, scene: Scene, new: NewSegments, actor: Actor) -> tuple[Segment, ...]:
    """Insert segments into a locked scene. Raise ``Invalid`` if the position leaves a gap."""
    total = await sql.segments_total(conn, scene.id)
    position = new.position or total + 1
    if position > total + 1:
        raise Invalid(
            f"Position {position} would leave a gap: {scene.name!r} has {total} segments.",
            hint=f"Use a position from 1 to {total + 1}.",
        )
    await sql.shift_segments(conn, scene.id, position, new.count)
    segments = await sql.insert_segments(conn, scene, position, new.count, new.name, new.chained, actor)
    return tuple(sorted(segments, key=lambda segment: segment.position or 0))


async def change_segment(conn: Conn, segment: Segment, change: SegmentChange) -> Segment:
    """Change the name, position or chaining of a segment of a locked scene."""
    if change.position is not None and change.position != segment.position:
        total = await sql.segments_total(conn, segment.scene_id)
        if segment.archived:
            raise Conflict(f"The segment {segment.name!r} is archived.", hint="Restore it before moving it.")
        if change.position > total:
            raise Invalid(f"There is no position {change.position}.", hint=f"Use a position from 1 to {total}.")
        await sql.move_segment(conn, segment, change.position)
    if change.name is not None or change.chained is not None:
        await sql.change_segment(conn, segment.id, change.name, change.chained)
    return await sql.get_segment(conn, segment.id)


async def archive_segment(conn: Conn, segment: Segment) -> bool:
    """Remove a segment of a locked scene from its order; return whether anything changed."""
    if segment.position is None:
        return False
    await sql.archive_segment(conn, segment)
    await sql.shift_segments(conn, segment.scene_id, segment.position, -1)
    return True


async def restore_segment(conn: Conn, segment: Segment) -> bool:
    """Restore an archived segment of a locked scene at its position; return whether anything changed."""
    if segment.position is not None:
        return False
    await sql.restore_segment(conn, segment)
    return True
