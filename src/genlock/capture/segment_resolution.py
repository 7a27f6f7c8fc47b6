"""Which segment a run or an imported file belongs to, and which file of a run is the video of its take.

a Genlock node in the graph            ─▶ that segment
output/genlock/rooftop/night/3_00001_  ─▶ rooftop/night/3
neither, or several that disagree      ─▶ the inbox, with the reason

`3` and `03` name the segment that has this number for a name, else the segment at this position. A segment that has
another number for a name is never meant: in a scene of segments named 01, 02 and 05, `03` is not the third one.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, cast

from genlock.capture import segment_resolution_sql as sql
from genlock.capture.run_record import RunOutput, RunPlace, RunRecord
from genlock.db.connection import Conn
from genlock.digest import Digest
from genlock.errors import Conflict
from genlock.graphs.meanings import PLACE_CLASS
from genlock.model import Actor, Model
from genlock.takes import editing
from genlock.timeline import actions
from genlock.timeline import sql as timeline
from genlock.timeline.model import NewProject, NewScene, NewSegments, Segment

_FOLDER = re.compile(r"genlock[/\\]([^/\\]+)[/\\]([^/\\]+)")
_COUNTED = re.compile(r"(.+?)_\d{5,}_?\.[^.]+")
_MAX_DIGITS = 9  # a position is a 32-bit integer
_BEST_FIRST = ("video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "image/webp", "image/gif")


class Declaration(NamedTuple):
    """The segment that a run names, or the reason why it names none."""

    place: RunPlace | None
    why: str | None


class ResolvedSegment(Model):
    """A segment, and which of project, scene and segment were created for it."""

    segment: Segment
    created: tuple[str, ...]


def declared_segment(record: RunRecord) -> Declaration:
    """Return the segment that a run names: in its node, else in the names of the files that it saved. Pure."""
    if record.place is not None:
        return Declaration(record.place, None)
    places = [place for output in record.outputs if (place := place_by_prefix(output)) is not None]
    distinct = [place for number, place in enumerate(places) if place not in places[:number]]
    if not distinct:
        return Declaration(None, "The graph does not say which segment it is for.")
    if len(distinct) > 1:
        return Declaration(None, f"Its output prefixes name {len(distinct)} segments.")
    return Declaration(distinct[0], None)


def place_by_prefix(output: RunOutput) -> RunPlace | None:
    """Return the segment that an output prefix ``genlock/<project>/<scene>/<segment>`` names, by the saved file."""
    folder, file = _FOLDER.fullmatch(output.subfolder), _COUNTED.fullmatch(output.filename)
    if folder is None or file is None or output.type != "output":
        return None
    return RunPlace(project=folder[1], scene=folder[2], segment=file[1])


def video_of(record: RunRecord, stored: Collection[Digest]) -> RunOutput | None:
    """Return the file that shows what a run generated, among the stored ones: the most video-like, then the first."""
    generated = [record.outputs[number] for number in record.generated]
    videos = [output for output in generated if output.digest in stored and output.media_type in _BEST_FIRST]
    return min(videos, key=lambda output: _BEST_FIRST.index(output.media_type), default=None)


def without_places(graph: Mapping[str, Any]) -> dict[str, Any]:
    """Return a graph without the nodes that only name a segment."""
    return {key: node for key, node in graph.items() if _class_of(node) != PLACE_CLASS}


async def resolve_segment(conn: Conn, place: RunPlace) -> int | None:
    """Return the id of the segment that a run names; None if it does not exist or is archived."""
    scene_id = await sql.open_scene_at(conn, place.project, place.scene)
    if scene_id is None:
        return None
    return await sql.segment_in(conn, scene_id, _names(place.segment), _number(place.segment), archived=False)


async def existing_segment(conn: Conn, project: str, scene: str, segment: str) -> int | None:
    """Return the id of the segment that an import names, archived or not; None if it does not exist."""
    project_id = await sql.project_of_slug(conn, project)
    scene_id = project_id and await sql.scene_of_name(conn, project_id, scene)
    return scene_id and await sql.segment_in(conn, scene_id, _names(segment), _number(segment), archived=True)


async def ensure_segment(conn: Conn, project: str, scene: str, segment: str, actor: Actor) -> ResolvedSegment:
    """Return the segment that an import names; create it at the end of its scene if it does not exist.

    Raises ``Conflict`` if its project, its scene or itself is archived. A new segment is not chained: nothing says that
    it continues another.
    """
    created: list[str] = []
    project_id = await sql.project_of_slug(conn, project)
    if project_id is None:
        project_id = (await actions.create_project(conn, NewProject(slug=project, name=project), actor)).id
        created.append("project")
    await actions.open_project(conn, project_id)
    scene_id = await sql.scene_of_name(conn, project_id, scene)
    if scene_id is None:
        scene_id = (await actions.create_scene(conn, project_id, NewScene(name=scene), actor)).id
        created.append("scene")
    await actions.open_scene(conn, scene_id)  # locks it: two concurrent imports create a segment once
    segment_id = await sql.segment_in(conn, scene_id, _names(segment), _number(segment), archived=True)
    if segment_id is None:
        (new,) = await editing.insert_segments(conn, scene_id, NewSegments(name=segment, chained=False), actor)
        return ResolvedSegment(segment=new, created=(*created, "segment"))
    existing = await timeline.get_segment(conn, segment_id)
    if existing.archived:
        raise Conflict(f"The segment {existing.name!r} is archived.", hint="Restore it before importing into it.")
    return ResolvedSegment(segment=existing, created=tuple(created))


def _number(segment: str) -> int | None:
    return int(segment) if segment.isascii() and segment.isdigit() and len(segment) <= _MAX_DIGITS else None


def _names(segment: str) -> list[str]:
    """Return the names that mean a segment, the given one first: for a number, with any number of leading zeros."""
    number = _number(segment)
    if number is None:
        return [segment]
    return list(dict.fromkeys([segment, *(f"{number:0{digits}d}" for digits in range(1, _MAX_DIGITS + 1))]))


def _class_of(node: Any) -> Any:
    return cast("dict[str, Any]", node).get("class_type") if isinstance(node, dict) else None
