"""Assets: the named inputs of generations, and their active versions."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from genlock.digest import Digest
from genlock.library import actions, sql
from genlock.library.model import Activation, Asset, NewAsset
from genlock.model import Kind, NamePrefix, Page, Role
from genlock.staleness import activation, what_if
from genlock.staleness.bodies import Activated, ActivationRequest
from genlock.staleness.model import Impact
from genlock.staleness.used_by import used_by
from genlock.timeline.model import NewName
from genlock.web.idempotency import idempotent_transaction
from genlock.web.responses import json_response, respond_with_impact
from genlock.web.route import (
    ApiRoute,
    Context,
    CurrentActor,
    Cursor,
    Id,
    IdFilter,
    Limit,
    Transaction,
    readable_by,
    writable_by,
)

router = APIRouter(tags=["assets"], route_class=ApiRoute)


@router.post("/assets", status_code=201, response_model=Asset, **writable_by(Role.CREATOR, 404))
async def create_asset(new: NewAsset, conn: Transaction, actor: CurrentActor) -> Response:
    """Create an asset without versions. Its kind and name are unique in its project, or among the shared assets."""
    return json_response(await actions.create_asset(conn, new, actor), 201)


@router.get("/assets", response_model=Page[Asset], **readable_by(Role.VIEWER))
async def list_assets(
    conn: Transaction,
    kind: Kind | None = None,
    project_id: IdFilter = None,
    q: Annotated[NamePrefix | None, Query(description="Prefix of the name.")] = None,
    digest: Annotated[Digest | None, Query(description="Digest or effective digest of a version.")] = None,
    archived: bool = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List assets by name. ``project_id`` limits them to those a project can use: its own and the shared ones."""
    page = await sql.list_assets(
        conn, kind=kind, project_id=project_id, q=q, digest=digest, archived=archived, after=cursor, limit=limit
    )
    return json_response(page)


@router.get("/assets/{asset_id}", response_model=Asset, **readable_by(Role.VIEWER, 404))
async def get_asset(asset_id: Id, conn: Transaction) -> Response:
    """Return an asset, with the number of segments that use it and of those that are stale."""
    asset = await sql.get_asset(conn, asset_id)
    return json_response(asset.model_copy(update={"used_by": await used_by(conn, asset_id)}))


@router.patch("/assets/{asset_id}", response_model=Asset, **writable_by(Role.CREATOR, 404))
async def rename_asset(asset_id: Id, new: NewName, conn: Transaction, actor: CurrentActor) -> Response:
    """Rename an asset. Receipts keep the name they were written with."""
    return json_response(await actions.rename_asset(conn, asset_id, new.name, actor))


@router.post("/assets/{asset_id}/archive", response_model=Asset, **writable_by(Role.CREATOR, 404))
async def archive_asset(asset_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Archive an asset, hiding it from new work. Nothing is deleted, and takes that used it are still judged."""
    return json_response(await actions.archive_asset(conn, asset_id, actor))


@router.post("/assets/{asset_id}/restore", response_model=Asset, **writable_by(Role.CREATOR, 404))
async def restore_asset(asset_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Restore an archived asset."""
    return json_response(await actions.restore_asset(conn, asset_id, actor))


@router.post("/assets/{asset_id}/activate", response_model=Activated, **writable_by(Role.CREATOR, 404))
async def activate(
    asset_id: Id, new: ActivationRequest, request: Request, services: Context, actor: CurrentActor
) -> Response:
    """Activate a version. ``report`` lists what became stale and fresh again."""
    async with idempotent_transaction(request) as conn:
        change = await activation.activate(conn, asset_id, new.version, actor, new.note)
    return await respond_with_impact(
        request,
        lambda conn: what_if.publish_change(conn, change),
        lambda report: json_response(Activated(previous=change.previous, active=change.active, report=report)),
    )


@router.get("/assets/{asset_id}/activations", response_model=Page[Activation], **readable_by(Role.VIEWER, 404))
async def list_activations(asset_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List the changes of the active version, newest first."""
    await sql.get_asset(conn, asset_id)
    return json_response(await sql.activations_of(conn, asset_id, after=cursor, limit=limit))


@router.get("/assets/{asset_id}/impact", response_model=Impact, **readable_by(Role.VIEWER, 404))
async def get_impact(
    asset_id: Id,
    version: Annotated[int, Query(ge=1, le=2**31 - 1)],
    conn: Transaction,
    project_id: IdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Return what activating a version would make stale, unknown or fresh, per project or in one. Changes nothing.

    `limit` is the number of groups of each project; `cursor` continues those of the project in `project_id`.
    """
    return json_response(
        await what_if.impact(conn, asset_id, version, project_id=project_id, after=cursor, limit=limit)
    )
