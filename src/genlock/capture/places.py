"""Finds the segment that a project's slug, a scene's and a segment's names mean, and makes what is not there yet."""

from genlock.capture import places_sql
from genlock.db.connection import Conn
from genlock.errors import Conflict
from genlock.model import Actor, Model
from genlock.takes import editing
from genlock.timeline import actions
from genlock.timeline import sql as timeline
from genlock.timeline.model import NewProject, NewScene, NewSegments, Segment


class Place(Model):
    """A segment, and which of project, scene and segment were made for it."""

    segment: Segment
    made: tuple[str, ...]


async def ensure_place(conn: Conn, project: str, scene: str, segment: str, actor: Actor) -> Place:
    """The segment of that name, made at the end of its scene if there is none; a bare number is also "segment 3".

    ``Conflict`` if one of the three is archived. A new segment is not chained: nothing says that it continues another.
    """
    made: list[str] = []
    project_id = await places_sql.project_of_slug(conn, project)
    if project_id is None:
        project_id = (await actions.create_project(conn, NewProject(slug=project, name=project), actor)).id
        made.append("project")
    await actions.open_project(conn, project_id)
    scene_id = await places_sql.scene_of_name(conn, project_id, scene)
    if scene_id is None:
        scene_id = (await actions.create_scene(conn, project_id, NewScene(name=scene), actor)).id
        made.append("scene")
    await actions.open_scene(conn, scene_id)  # holds it: two imports at once make a segment once
    found = await places_sql.segment_of_name(conn, scene_id, segment_names(segment))
    if found is None:
        (new,) = await editing.insert_segments(conn, scene_id, NewSegments(name=segment, chained=False), actor)
        return Place(segment=new, made=(*made, "segment"))
    whole = await timeline.get_segment(conn, found)
    if whole.archived:
        raise Conflict(f"The segment {whole.name!r} is archived.", hint="Restore it before importing into it.")
    return Place(segment=whole, made=tuple(made))


def segment_names(segment: str) -> list[str]:
    """What a segment may be called: as it was said or, for a number, as Genlock names the segment at that position."""
    is_number = segment.isascii() and segment.isdigit() and len(segment) < 10
    return [segment, f"segment {int(segment)}"] if is_number else [segment]
