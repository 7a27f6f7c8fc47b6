"""Workflows as ComfyUI's page saved them, and the node definitions they were converted with."""

from fastapi import APIRouter, Request, Response

from genlock.errors import NotFound
from genlock.kinds import JSON
from genlock.library import sql
from genlock.library.editor_forms_sql import editor_form_of
from genlock.library.model import EditorForm
from genlock.model import Role
from genlock.web.downloads import RESPONSES, send_blob
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Context, Id, Number, Transaction, readable_by

router = APIRouter(tags=["assets"], route_class=ApiRoute)


@router.get("/assets/{asset_id}/versions/{number}/editor", response_model=EditorForm, **readable_by(Role.VIEWER, 404))
async def get_editor_form(asset_id: Id, number: Number, conn: Transaction) -> Response:
    """Return the newest file of this workflow that ComfyUI's page saved, by digest; 404 if there is none."""
    await sql.get_version(conn, asset_id, number)
    return json_response(await editor_form_of(conn, asset_id, number))


@router.get(
    "/assets/{asset_id}/versions/{number}/editor/content",
    response_class=Response,
    **readable_by(Role.VIEWER, 404, 416, responses=RESPONSES),
)
async def get_editor_content(asset_id: Id, number: Number, request: Request, services: Context) -> Response:
    """Download the workflow as ComfyUI's page saved it, to be opened there."""
    async with services.db.transaction() as conn:
        await sql.get_version(conn, asset_id, number)
        form = await editor_form_of(conn, asset_id, number)
    return await send_blob(request, services.db, services.store, form.digest, media_type=JSON, filename=form.filename)


@router.get(
    "/assets/{asset_id}/versions/{number}/editor/definitions",
    response_class=Response,
    **readable_by(Role.VIEWER, 404, 416, responses=RESPONSES),
)
async def get_definitions(asset_id: Id, number: Number, request: Request, services: Context) -> Response:
    """Download the definitions of the workflow's node classes, as ComfyUI's `/object_info` spells them."""
    async with services.db.transaction() as conn:
        await sql.get_version(conn, asset_id, number)
        form = await editor_form_of(conn, asset_id, number)
    if form.definitions is None:
        raise NotFound(
            f"No definitions were kept with version {number}.",
            hint="ComfyUI's page made its graph itself, and sent none.",
            code="no_definitions",
        )
    return await send_blob(request, services.db, services.store, form.definitions, media_type=JSON)
