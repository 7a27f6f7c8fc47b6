"""Segments: the ordered slots of a scene, with their state and its causes."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from genlock.db.connection import Conn
from genlock.errors import Invalid
from genlock.model import Model, NamePrefix, Page, Role
from genlock.staleness import explanation, report, segment_view
from genlock.staleness.model import PathStep, SegmentView, State
from genlock.takes import editing
from genlock.takes.model import Take
from genlock.timeline import sql
from genlock.timeline.model import NewSegments, Project, SegmentChange
from genlock.web.api.report import GROUP_ID, GroupId
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, CurrentActor, Cursor, Id, IdFilter, Limit, Transaction, readable_by, writable_by

router = APIRouter(tags=["segments"], route_class=ApiRoute)


class TakeNumber(Model):
    """The number of a take."""

    take: Annotated[int, Field(ge=1, le=2**31 - 1)]


@router.post(
    "/scenes/{scene_id}/segments", status_code=201, response_model=Page[SegmentView], **writable_by(Role.CREATOR, 404)
)
async def create_segments(scene_id: Id, new: NewSegments, conn: Transaction, actor: CurrentActor) -> Response:
    """Create segments in a scene, at its end or from ``position`` on; later segments shift."""
    created = await editing.insert_segments(conn, scene_id, new, actor)
    items = await segment_view.segment_views(conn, [segment.id for segment in created])
    return json_response(Page[SegmentView](items=items, total=len(items)), 201)


@router.get("/projects/{project_id}/segments", response_model=Page[SegmentView], **readable_by(Role.VIEWER, 404))
async def list_segments(
    project_id: Id,
    conn: Transaction,
    state: State | None = None,
    scene_id: IdFilter = None,
    position: Annotated[
        int | None,
        Query(ge=1, le=2**31 - 1, description="The segment at this position of `scene_id`; without other filters."),
    ] = None,
    q: Annotated[NamePrefix | None, Query(description="Prefix of the name.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List a project's segments in order, with the exact total."""
    project = await sql.get_project(conn, project_id)
    if position is not None:
        if scene_id is None or (state, q, cursor) != (None, None, None):
            raise Invalid(
                "A position names one segment of one scene.",
                hint="Send `position` with `scene_id`, and without `state`, `q` or `cursor`.",
                fields=[{"field": "query.position", "message": "not alone with scene_id"}],
            )
        return json_response(await _at(conn, project, scene_id, position))
    page = await segment_view.list_views(
        conn, project_id, state=state, scene_id=scene_id, q=q, after=cursor, limit=limit
    )
    return json_response(page)


@router.get(
    "/projects/{project_id}/staleness-report/groups/{group}/segments",
    response_model=Page[SegmentView],
    **readable_by(Role.VIEWER, 404),
)
async def list_group_segments(
    project_id: Id, group: GroupId, conn: Transaction, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """List the segments of one group of the report, each with its causes."""
    page = await report.segments_of_group(conn, project_id, group, after=cursor, limit=limit)
    return json_response(await segment_view.views_of(conn, page))


@router.get("/segments/{segment_id}", response_model=SegmentView, **readable_by(Role.VIEWER, 404))
async def get_segment(segment_id: Id, conn: Transaction) -> Response:
    """Return a segment: its state and causes, its takes, and the pins that apply to it."""
    return json_response(await segment_view.segment_view(conn, segment_id))


@router.get("/segments/{segment_id}/path", response_model=Page[PathStep], **readable_by(Role.VIEWER, 404))
async def get_path(
    segment_id: Id,
    conn: Transaction,
    root: Annotated[
        str, Query(max_length=100, pattern=GROUP_ID, description="The id of the group that the cause belongs to.")
    ],
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Return the path from a root to a segment, step by step."""
    return json_response(await explanation.path_of(conn, segment_id, root, after=cursor, limit=limit))


@router.patch("/segments/{segment_id}", response_model=SegmentView, **writable_by(Role.CREATOR, 404))
async def change_segment(segment_id: Id, change: SegmentChange, conn: Transaction, actor: CurrentActor) -> Response:
    """Rename or move a segment, or change whether it is chained. Omitted fields are unchanged."""
    await editing.change_segment(conn, segment_id, change, actor)
    return await _viewed(conn, segment_id)


@router.post("/segments/{segment_id}/archive", response_model=SegmentView, **writable_by(Role.CREATOR, 404))
async def archive_segment(segment_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Remove a segment from its scene's order. Nothing is deleted."""
    await editing.archive_segment(conn, segment_id, actor)
    return await _viewed(conn, segment_id)


@router.post("/segments/{segment_id}/restore", response_model=SegmentView, **writable_by(Role.CREATOR, 404))
async def restore_segment(segment_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Restore an archived segment to its position, with its selected take."""
    await editing.restore_segment(conn, segment_id, actor)
    return await _viewed(conn, segment_id)


@router.post("/segments/{segment_id}/select", response_model=Take, **writable_by(Role.CREATOR, 404))
async def select_take(segment_id: Id, choice: TakeNumber, conn: Transaction, actor: CurrentActor) -> Response:
    """Select another take of a segment."""
    return json_response(await editing.select_take(conn, segment_id, choice.take, actor))


async def _at(conn: Conn, project: Project, scene_id: int, position: int) -> Page[SegmentView]:
    """Return the segment at a position as a page of one, or an empty page; archived scenes have none."""
    segment = await sql.segment_at(conn, scene_id, position)
    hidden = project.archived or segment is None or segment.project_id != project.id
    if segment is None or hidden or (await sql.get_scene(conn, scene_id)).archived:
        return Page[SegmentView](items=(), total=0)
    return Page[SegmentView](items=await segment_view.segment_views(conn, [segment.id]), total=1)


async def _viewed(conn: Conn, segment_id: int) -> Response:
    return json_response(await segment_view.segment_view(conn, segment_id))
