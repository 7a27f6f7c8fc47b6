"""Scenes: the ordered parts of a project."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from genlock.db.connection import Conn
from genlock.model import Name, Page, Role
from genlock.staleness import segment_list
from genlock.takes import editing
from genlock.timeline import actions, sql
from genlock.timeline.model import NewName, NewScene, Scene
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, CurrentActor, Cursor, Id, Limit, Transaction, readable_by, writable_by

router = APIRouter(tags=["scenes"], route_class=ApiRoute)


@router.post("/projects/{project_id}/scenes", status_code=201, response_model=Scene, **writable_by(Role.CREATOR, 404))
async def create_scene(project_id: Id, new: NewScene, conn: Transaction, actor: CurrentActor) -> Response:
    """Create a scene at the end of a project."""
    return json_response(await _counted(conn, await actions.create_scene(conn, project_id, new, actor)), 201)


@router.get("/projects/{project_id}/scenes", response_model=Page[Scene], **readable_by(Role.VIEWER, 404))
async def list_scenes(
    project_id: Id,
    conn: Transaction,
    name: Annotated[Name | None, Query()] = None,
    archived: bool = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List a project's scenes in order; ``name`` limits them to the one with that name."""
    await sql.get_project(conn, project_id)
    page = await sql.scenes_of(conn, project_id, name=name, archived=archived, after=cursor, limit=limit)
    counts = await segment_list.scene_counts(conn, project_id, [scene.id for scene in page.items])
    items = tuple(scene.model_copy(update={"counts": counts[scene.id]}) for scene in page.items)
    return json_response(page.model_copy(update={"items": items}))


@router.get("/scenes/{scene_id}", response_model=Scene, **readable_by(Role.VIEWER, 404))
async def get_scene(scene_id: Id, conn: Transaction) -> Response:
    """Return a scene."""
    return json_response(await _counted(conn, await sql.get_scene(conn, scene_id)))


@router.patch("/scenes/{scene_id}", response_model=Scene, **writable_by(Role.CREATOR, 404))
async def rename_scene(scene_id: Id, new: NewName, conn: Transaction, actor: CurrentActor) -> Response:
    """Rename a scene."""
    return json_response(await _counted(conn, await actions.rename_scene(conn, scene_id, new.name, actor)))


@router.post("/scenes/{scene_id}/archive", response_model=Scene, **writable_by(Role.CREATOR, 404))
async def archive_scene(scene_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Archive a scene: it leaves counts and reports. Nothing is deleted."""
    return json_response(await _counted(conn, await editing.archive_scene(conn, scene_id, actor)))


@router.post("/scenes/{scene_id}/restore", response_model=Scene, **writable_by(Role.CREATOR, 404))
async def restore_scene(scene_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Restore an archived scene."""
    return json_response(await _counted(conn, await editing.restore_scene(conn, scene_id, actor)))


async def _counted(conn: Conn, scene: Scene) -> Scene:
    counts = await segment_list.scene_counts(conn, scene.project_id, [scene.id])
    return scene.model_copy(update={"counts": counts[scene.id]})
