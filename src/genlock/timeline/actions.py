"""Decisions about projects, scenes and the order of segments.

What changes the order of segments is called through ``takes.editing``, one stair up, which settles what it means for
selected takes and tells of it last.
"""

from genlock.db.connection import Conn
from genlock.errors import Conflict, Invalid
from genlock.events import log
from genlock.model import Actor
from genlock.timeline import sql
from genlock.timeline.model import NewProject, NewScene, NewSegments, Project, Scene, Segment, SegmentChange


async def create_project(conn: Conn, new: NewProject, actor: Actor) -> Project:
    """A new project. ``Conflict`` when its slug is taken."""
    project_id = await sql.insert_project(conn, new, actor)
    await log.append(
        conn, "project.created", actor, project_id=project_id, subject=f"project/{project_id}", data={"slug": new.slug}
    )
    return await sql.get_project(conn, project_id)


async def create_scene(conn: Conn, project_id: int, new: NewScene, actor: Actor) -> Scene:
    """A new scene at the end of a project. ``Conflict`` when its name is taken there, or the project is archived."""
    await sql.lock_project(conn, project_id)
    await open_project(conn, project_id)
    scene_id = await sql.insert_scene(conn, project_id, new.name, actor)
    await log.append(
        conn, "scene.created", actor, project_id=project_id, subject=f"scene/{scene_id}", data={"name": new.name}
    )
    return await sql.get_scene(conn, scene_id)


async def rename_project(conn: Conn, project_id: int, name: str, actor: Actor) -> Project:
    """A project under another name; its slug stays."""
    before = await sql.get_project(conn, project_id)
    if before.name != name:
        await sql.rename_project(conn, project_id, name)
        said = {"from": before.name, "to": name}
        await log.append(
            conn, "project.renamed", actor, project_id=project_id, subject=f"project/{project_id}", data=said
        )
    return await sql.get_project(conn, project_id)


async def rename_scene(conn: Conn, scene_id: int, name: str, actor: Actor) -> Scene:
    """A scene under another name. ``Conflict`` when it is taken in its project."""
    before = await sql.get_scene(conn, scene_id)
    if before.name != name:
        await sql.rename_scene(conn, scene_id, name)
        said = {"from": before.name, "to": name}
        await log.append(
            conn, "scene.renamed", actor, project_id=before.project_id, subject=f"scene/{scene_id}", data=said
        )
    return await sql.get_scene(conn, scene_id)


async def open_project(conn: Conn, project_id: int) -> Project:
    """A project that new work may go into; ``Conflict`` when it is archived."""
    project = await sql.get_project(conn, project_id)
    if project.archived:
        raise Conflict(f"The project {project.slug} is archived.", hint="Restore it first.")
    return project


async def open_scene(conn: Conn, scene_id: int) -> Scene:
    """A scene, locked, that new work may go into; ``Conflict`` when it or its project is archived."""
    scene = await sql.lock_scene(conn, scene_id)
    require_open(scene)
    await open_project(conn, scene.project_id)
    return scene


def require_open(scene: Scene) -> None:
    """Raise ``Conflict`` if a scene is archived."""
    if scene.archived:
        raise Conflict(f"The scene {scene.name!r} is archived.", hint="Restore it first.")


async def insert_segments(conn: Conn, scene: Scene, new: NewSegments, actor: Actor) -> tuple[Segment, ...]:
    """New segments in a locked scene. ``Invalid`` when the position would leave a gap."""
    total = await sql.segments_total(conn, scene.id)
    position = new.position or total + 1
    if position > total + 1:
        raise Invalid(
            f"Position {position} would leave a gap: {scene.name!r} has {total} segments.",
            hint=f"Use a position from 1 to {total + 1}.",
        )
    await sql.make_room(conn, scene.id, position, new.count)
    made = await sql.insert_segments(conn, scene, position, new.count, new.name, new.chained, actor)
    return tuple(sorted(made, key=lambda segment: segment.position or 0))


async def change_segment(conn: Conn, segment: Segment, change: SegmentChange) -> Segment:
    """A segment of a locked scene with another name, position or chaining."""
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
    """Take a segment of a locked scene out of its order; whether anything changed."""
    if segment.position is None:
        return False
    await sql.take_segment_out(conn, segment)
    await sql.make_room(conn, segment.scene_id, segment.position, -1)
    return True


async def restore_segment(conn: Conn, segment: Segment) -> bool:
    """Put an archived segment of a locked scene back to where it stood; whether anything changed."""
    if segment.position is not None:
        return False
    await sql.put_segment_back(conn, segment)
    return True
