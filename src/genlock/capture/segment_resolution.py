"""Finds the segment that a run or an imported file names, and creates it for an import.

`3` and `03` name the segment that has this number for a name, else the segment at this position. A segment that has
another number for a name is never meant: in a scene of segments named 01, 02 and 05, `03` is not the third one.
"""

from typing import NamedTuple

from genlock.capture import segment_resolution_sql as sql
from genlock.capture.run_record import RunPlace
from genlock.db.connection import Conn
from genlock.errors import Conflict
from genlock.model import Actor, Model
from genlock.names import normalise_name
from genlock.takes import editing
from genlock.timeline import actions
from genlock.timeline import sql as timeline
from genlock.timeline.model import NewProject, NewScene, NewSegments, Segment

_MAX_DIGITS = 9  # a position is a 32-bit integer


class Destination(NamedTuple):
    """Where an import goes: the ids of its project, scene and segment; None for those that do not exist."""

    project_id: int | None
    scene_id: int | None
    segment_id: int | None

    @property
    def absent(self) -> tuple[str, ...]:
        """The names of those that do not exist and will be created."""
        names = zip(("project", "scene", "segment"), self, strict=True)
        return tuple(name for name, identifier in names if identifier is None)


class ResolvedSegment(Model):
    """A segment, and which of project, scene and segment were created for it."""

    segment: Segment
    created: tuple[str, ...]


class SegmentFor(NamedTuple):
    """The segment in which a run may be recorded, or the reason why there is none."""

    segment_id: int | None
    why: str | None


async def segment_for(conn: Conn, place: RunPlace, actor: Actor) -> SegmentFor:
    """Return the segment that a run names, if it exists, is not archived, and the actor may record in its project."""
    if not actor.may_record_in(await sql.project_of_slug(conn, place.project)):
        return SegmentFor(None, f"The token of {actor.name!r} may not record in the project {place.project}.")
    segment_id = await resolve_segment(conn, place)
    if segment_id is None:
        return SegmentFor(None, f"There is no segment {place.project}/{place.scene}/{place.segment}.")
    return SegmentFor(segment_id, None)


async def resolve_segment(conn: Conn, place: RunPlace) -> int | None:
    """Return the id of the segment that a run names; None if it does not exist or is archived."""
    scene_id = await sql.open_scene_at(conn, place.project, normalise_name(place.scene))
    if scene_id is None:
        return None
    segment = normalise_name(place.segment)
    return await sql.segment_in(conn, scene_id, _names(segment), _number(segment), archived=False)


async def destination_of(conn: Conn, project: str, scene: str, segment: str) -> Destination:
    """Return the project, scene and segment that an import names, archived or not, as far as they exist."""
    project_id = await sql.project_of_slug(conn, project)
    scene_id = project_id and await sql.scene_of_name(conn, project_id, scene)
    segment_id = scene_id and await sql.segment_in(conn, scene_id, _names(segment), _number(segment), archived=True)
    return Destination(project_id, scene_id, segment_id)


async def check_open(conn: Conn, destination: Destination) -> None:
    """Raise ``Conflict`` if the project, the scene or the segment of an import is archived."""
    if destination.project_id is not None:
        await actions.open_project(conn, destination.project_id)
    if destination.scene_id is not None:
        actions.require_open(await timeline.get_scene(conn, destination.scene_id))
    if destination.segment_id is not None:
        _require_open(await timeline.get_segment(conn, destination.segment_id))


async def ensure_segment(conn: Conn, project: str, scene: str, segment: str, actor: Actor) -> ResolvedSegment:
    """Return the segment that an import names; create it at the end of its scene if it does not exist.

    Raises ``Conflict`` if its project, its scene or itself is archived. A new segment is not chained: nothing says that
    it continues another.
    """
    destination = await destination_of(conn, project, scene, segment)
    project_id, scene_id, _ = destination
    if project_id is None:
        project_id = (await actions.create_project(conn, NewProject(slug=project, name=project), actor)).id
    else:
        await actions.open_project(conn, project_id)
    if scene_id is None:
        scene_id = (await actions.create_scene(conn, project_id, NewScene(name=scene), actor)).id
    await actions.open_scene(conn, scene_id)  # locks it: two concurrent imports create a segment once
    segment_id = await sql.segment_in(conn, scene_id, _names(segment), _number(segment), archived=True)
    if segment_id is None:
        (new,) = await editing.insert_segments(conn, scene_id, NewSegments(name=segment, chained=False), actor)
        return ResolvedSegment(segment=new, created=destination.absent)
    existing = await timeline.get_segment(conn, segment_id)
    _require_open(existing)
    return ResolvedSegment(segment=existing, created=tuple(name for name in destination.absent if name != "segment"))


def _require_open(segment: Segment) -> None:
    if segment.archived:
        raise Conflict(f"The segment {segment.name!r} is archived.", hint="Restore it before importing into it.")


def _number(segment: str) -> int | None:
    return int(segment) if segment.isascii() and segment.isdigit() and len(segment) <= _MAX_DIGITS else None


def _names(segment: str) -> list[str]:
    """Return the names that mean a segment, the given one first: for a number, with any number of leading zeros."""
    number = _number(segment)
    if number is None:
        return [segment]
    return list(dict.fromkeys([segment, *(f"{number:0{digits}d}" for digits in range(1, _MAX_DIGITS + 1))]))
