"""Pins: a project or a scene uses a fixed version of an asset."""

from fastapi import APIRouter, Response

from genlock.model import Page, Role
from genlock.staleness import activation
from genlock.timeline import pin_sql
from genlock.timeline import sql as timeline
from genlock.timeline.model import NewPin, Pin
from genlock.web.responses import json_response, no_content
from genlock.web.route import ApiRoute, CurrentActor, Cursor, Id, IdFilter, Limit, Transaction, readable_by, writable_by

router = APIRouter(tags=["pins"], route_class=ApiRoute)


@router.put("/projects/{project_id}/pins/{asset_id}", response_model=Pin, **writable_by(Role.CREATOR, 404))
async def pin_in_project(project_id: Id, asset_id: Id, new: NewPin, conn: Transaction, actor: CurrentActor) -> Response:
    """Pin an asset for a project, replacing an earlier pin of it."""
    return json_response(await activation.pin(conn, project_id, None, asset_id, new, actor))


@router.put("/scenes/{scene_id}/pins/{asset_id}", response_model=Pin, **writable_by(Role.CREATOR, 404))
async def pin_in_scene(scene_id: Id, asset_id: Id, new: NewPin, conn: Transaction, actor: CurrentActor) -> Response:
    """Pin an asset for a scene, independently of its project."""
    scene = await timeline.get_scene(conn, scene_id)
    return json_response(await activation.pin(conn, scene.project_id, scene_id, asset_id, new, actor))


@router.delete("/projects/{project_id}/pins/{asset_id}", status_code=204, **writable_by(Role.CREATOR, 404))
async def unpin_in_project(project_id: Id, asset_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Remove a project's pin, so that it uses the active version again."""
    await activation.unpin(conn, project_id, None, asset_id, actor)
    return no_content()


@router.delete("/scenes/{scene_id}/pins/{asset_id}", status_code=204, **writable_by(Role.CREATOR, 404))
async def unpin_in_scene(scene_id: Id, asset_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Remove a scene's pin, so that its project's pin or the active version applies again."""
    scene = await timeline.get_scene(conn, scene_id)
    await activation.unpin(conn, scene.project_id, scene_id, asset_id, actor)
    return no_content()


@router.get("/projects/{project_id}/pins", response_model=Page[Pin], **readable_by(Role.VIEWER, 404))
async def list_pins(
    project_id: Id,
    conn: Transaction,
    scene_id: IdFilter = None,
    asset_id: IdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the pins of a project and its scenes, those of the project first; by scene, those that apply to it."""
    await timeline.get_project(conn, project_id)
    return json_response(
        await pin_sql.pins_of(conn, project_id, scene_id=scene_id, asset_id=asset_id, after=cursor, limit=limit)
    )
