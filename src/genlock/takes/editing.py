"""Changes the order of segments or the selected takes, and updates the adjacent segments.

    lock the scene ─▶ change the order ─▶ update the selected takes ─▶ event

No take or receipt is changed. Archiving removes selected takes from the current state; restoring selects the last
selected take again.
"""

from genlock.db.connection import Conn
from genlock.errors import Conflict
from genlock.events import log
from genlock.model import Actor
from genlock.takes import selection, take_sql
from genlock.takes.model import Take
from genlock.timeline import actions as timeline
from genlock.timeline import sql
from genlock.timeline.model import NewSegments, Project, Scene, Segment, SegmentChange


async def insert_segments(conn: Conn, scene_id: int, new: NewSegments, actor: Actor) -> tuple[Segment, ...]:
    """Insert segments into a scene. Raise ``Invalid`` if that leaves a gap, ``Conflict`` in an archived scene."""
    scene = await timeline.open_scene(conn, scene_id)
    segments = await timeline.insert_segments(conn, scene, new, actor)
    await selection.relink_scenes(conn, [scene_id])
    await log.append(
        conn,
        "segment.created",
        actor,
        project_id=scene.project_id,
        subject=f"scene/{scene_id}",
        data={"segments": [segment.id for segment in segments], "position": segments[0].position},
    )
    return segments


async def change_segment(conn: Conn, segment_id: int, change: SegmentChange, actor: Actor) -> Segment:
    """Change the name, position or chaining of a segment."""
    segment = await _lock(conn, segment_id)
    await timeline.open_scene(conn, segment.scene_id)
    changed = await timeline.change_segment(conn, segment, change)
    if changed == segment:
        return segment
    if (changed.position, changed.chained) != (segment.position, segment.chained):
        await selection.relink_scenes(conn, [segment.scene_id])
    await _append_event(conn, "segment.changed", changed, actor, **change.model_dump(exclude_none=True))
    return changed


async def archive_segment(conn: Conn, segment_id: int, actor: Actor) -> Segment:
    """Archive a segment; the segment after it then follows the one before it."""
    segment = await _lock(conn, segment_id)
    if await timeline.archive_segment(conn, segment):
        await selection.withdraw(conn, [segment_id], [segment.scene_id])
        await _append_event(conn, "segment.archived", segment, actor)
    return await sql.get_segment(conn, segment_id)


async def restore_segment(conn: Conn, segment_id: int, actor: Actor) -> Segment:
    """Restore an archived segment at its position, with its last selected take."""
    segment = await _lock(conn, segment_id)
    if await timeline.restore_segment(conn, segment):
        if await _is_open(conn, await sql.get_scene(conn, segment.scene_id)):
            await selection.restore(conn, [segment_id], [segment.scene_id])
        await _append_event(conn, "segment.restored", segment, actor)
    return await sql.get_segment(conn, segment_id)


async def archive_scene(conn: Conn, scene_id: int, actor: Actor) -> Scene:
    """Archive a scene: its segments leave counts, reports and the usage of selected takes."""
    scene = await sql.lock_scene(conn, scene_id)
    if await sql.set_scene_archived(conn, scene_id, True):
        await selection.withdraw_scenes(conn, [scene_id])
        await log.append(conn, "scene.archived", actor, project_id=scene.project_id, subject=f"scene/{scene_id}")
    return await sql.get_scene(conn, scene_id)


async def restore_scene(conn: Conn, scene_id: int, actor: Actor) -> Scene:
    """Restore an archived scene; its takes are selected again unless its project is archived."""
    scene = await sql.lock_scene(conn, scene_id)
    if await sql.set_scene_archived(conn, scene_id, False):
        restored = await sql.get_scene(conn, scene_id)
        if await _is_open(conn, restored):
            await selection.restore_scenes(conn, [scene_id])
        await log.append(conn, "scene.restored", actor, project_id=scene.project_id, subject=f"scene/{scene_id}")
    return await sql.get_scene(conn, scene_id)


async def archive_project(conn: Conn, project_id: int, actor: Actor) -> Project:
    """Archive a project: its segments leave counts, reports and the usage of selected takes."""
    await sql.get_project(conn, project_id)
    if await sql.set_project_archived(conn, project_id, True):
        await sql.lock_scenes_of(conn, project_id)
        await selection.withdraw_scenes(conn, await sql.open_scenes_of(conn, project_id))
        await log.append(conn, "project.archived", actor, project_id=project_id, subject=f"project/{project_id}")
    return await sql.get_project(conn, project_id)


async def restore_project(conn: Conn, project_id: int, actor: Actor) -> Project:
    """Restore an archived project, except scenes and segments that are archived themselves."""
    await sql.get_project(conn, project_id)
    if await sql.set_project_archived(conn, project_id, False):
        await sql.lock_scenes_of(conn, project_id)
        await selection.restore_scenes(conn, await sql.open_scenes_of(conn, project_id))
        await log.append(conn, "project.restored", actor, project_id=project_id, subject=f"project/{project_id}")
    return await sql.get_project(conn, project_id)


async def select_take(conn: Conn, segment_id: int, number: int, actor: Actor) -> Take:
    """Select a take. Raise ``NotFound`` for an unknown number, ``Conflict`` if the segment is archived."""
    segment = await _lock(conn, segment_id)
    await timeline.open_scene(conn, segment.scene_id)
    if segment.archived:
        raise Conflict(f"The segment {segment.name!r} is archived.", hint="Restore it before selecting a take.")
    take = await take_sql.get_take(conn, segment_id, number)
    if await selection.select(conn, {segment_id: take.id}, [segment.scene_id], actor):
        await _append_event(conn, "take.selected", segment, actor, take_id=take.id, take=number)
    return take.model_copy(update={"selected": True})


async def _lock(conn: Conn, segment_id: int) -> Segment:
    await sql.lock_scene_of(conn, segment_id)
    return await sql.get_segment(conn, segment_id)


async def _is_open(conn: Conn, scene: Scene) -> bool:
    return not scene.archived and not (await sql.get_project(conn, scene.project_id)).archived


async def _append_event(conn: Conn, verb: str, segment: Segment, actor: Actor, **data: int | str | bool) -> None:
    subject = f"segment/{segment.id}"
    await log.append(conn, verb, actor, project_id=segment.project_id, subject=subject, data=data)
