"""Workflows: the node inputs that a render sets."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from genlock.blobs.store import Store
from genlock.digest import Digest
from genlock.engines.comfyui.bindings import WorkflowBindings, show
from genlock.errors import Invalid
from genlock.graphs.strict_json import read_json
from genlock.library import actions, sql, workflow_bindings_sql
from genlock.library.model import Asset, BindingsChange, NewBindings
from genlock.library.skeleton import MAX_WORKFLOW_BYTES
from genlock.model import Kind, Page, Role
from genlock.web.responses import json_response
from genlock.web.route import (
    ApiRoute,
    Context,
    CurrentActor,
    Cursor,
    Id,
    Limit,
    Number,
    Transaction,
    readable_by,
    writable_by,
)

router = APIRouter(tags=["assets"], route_class=ApiRoute)


@router.get(
    "/assets/{asset_id}/versions/{number}/bindings",
    response_model=WorkflowBindings,
    **readable_by(Role.VIEWER, 404, 409),
)
async def get_bindings(asset_id: Id, number: Number, services: Context) -> Response:
    """Return the node inputs that a render sets: detected in the graph, overridden by the declared bindings."""
    async with services.db.transaction() as conn:
        asset = await sql.get_asset(conn, asset_id)
        version = await sql.get_version(conn, asset_id, number)
    return json_response(await asyncio.to_thread(bindings_of, services.store, asset, version.digest, version.bindings))


@router.patch(
    "/assets/{asset_id}/versions/{number}/bindings",
    response_model=WorkflowBindings,
    **writable_by(Role.CREATOR, 404, 409),
)
async def set_bindings(
    asset_id: Id, number: Number, new: NewBindings, conn: Transaction, services: Context, actor: CurrentActor
) -> Response:
    """Set fields of a workflow's bindings; null removes one. Each change is kept, and the version stays as it was."""
    asset = await sql.lock_asset(conn, asset_id)
    version = await sql.get_version(conn, asset_id, number)
    fields = {**(version.bindings or {}), **new.bindings}
    declared = {field: value for field, value in fields.items() if value is not None}
    answer = await asyncio.to_thread(bindings_of, services.store, asset, version.digest, declared)
    await actions.set_bindings(conn, asset, number, declared, new.note, actor)
    return json_response(answer)


@router.get(
    "/assets/{asset_id}/versions/{number}/bindings/history",
    response_model=Page[BindingsChange],
    **readable_by(Role.VIEWER, 404),
)
async def list_bindings(
    asset_id: Id, number: Number, conn: Transaction, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """List the bindings that were set for a version after its upload, newest first."""
    await sql.get_version(conn, asset_id, number)
    return json_response(
        await workflow_bindings_sql.bindings_history(conn, asset_id, number, after=cursor, limit=limit)
    )


def bindings_of(store: Store, asset: Asset, digest: Digest, declared: dict[str, Any] | None) -> WorkflowBindings:
    """Return the bindings of a workflow's stored bytes. Raise ``Invalid`` if they do not fit. Blocks."""
    if asset.kind is not Kind.WORKFLOW:
        raise Invalid(
            f"{asset.kind.value}:{asset.name} is not a workflow, and only workflows have bindings.",
            hint="Leave the bindings out, or name a workflow.",
            code="no_bindings",
        )
    content = b"".join(store.verified_chunks(digest))
    if len(content) > MAX_WORKFLOW_BYTES:
        raise Invalid(f"{asset.name!r} is too large for a workflow.", hint="Export it again.", too_large=True)
    return show(read_json(content, asset.name), declared, asset.name)
