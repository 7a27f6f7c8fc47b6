"""Versions of assets: uploaded or registered in place, and downloaded."""

import asyncio
import time
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from genlock.blobs import sql as blobs
from genlock.db.connection import Conn
from genlock.digest import Digest, from_raw
from genlock.errors import Conflict, Invalid
from genlock.kinds import JSON
from genlock.library import editor_forms_sql, in_place_sql, sql
from genlock.library.identify import Identifier, identify_stamped
from genlock.library.in_place import resolve_below
from genlock.library.model import Asset, Identity, NewVersion, Outcome, Version
from genlock.model import Actor, Kind, Page, Role
from genlock.staleness import activation, what_if
from genlock.staleness.bodies import InPlaceVersion, VersionAdded, VersionForm
from genlock.staleness.used_by import used_by
from genlock.web.api.workflows import bindings_of
from genlock.web.bodies import MAX_BODY, body_limit, check_announced_size, read_json
from genlock.web.context import Services, require_role
from genlock.web.downloads import RESPONSES, send_blob, send_in_place
from genlock.web.idempotency import digest_request, idempotent_transaction
from genlock.web.parsing import parse_json_field, single_fields, validate_fields
from genlock.web.responses import json_response, respond_with_impact
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
from genlock.web.uploads import display_name, form_body, receive_form
from genlock.web.workflow_uploads import FILES, Forms, HeldFile, receive_workflow

router = APIRouter(tags=["assets"], route_class=ApiRoute)

_REFERENCE: dict[str, Any] = {"type": "string", "pattern": "^[1-9][0-9]{0,17}@[1-9][0-9]{0,8}$"}
_FORM = form_body(
    {
        "type": "object",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {
            "note": {"type": "string", "maxLength": 4000},
            "activate": {"type": "string", "enum": ["true", "false"], "default": "true"},
            "derived_from": {"type": "array", "items": _REFERENCE, "maxItems": 1000},
            "bindings": {"type": "string", "description": "A JSON object."},
            "digest": {"type": "string", "description": "The expected digest of the file."},
            "file": {"type": "string", "format": "binary", "description": "Last, after all fields."},
            "editor": {
                "type": "string",
                "format": "binary",
                "description": "For a workflow: the graph in `file` as ComfyUI's page saves it.",
            },
            "definitions": {
                "type": "string",
                "format": "binary",
                "description": "For a workflow as ComfyUI's page saves it: the server's `/object_info`, or the classes"
                " that the workflow uses. By default ComfyUI is asked.",
            },
        },
    },
    json_schema=InPlaceVersion.model_json_schema(ref_template="#/components/schemas/{model}"),
    json_role=Role.ADMIN,
)
_IN_PLACE = TypeAdapter[Any](InPlaceVersion)


@router.post(
    "/assets/{asset_id}/versions",
    status_code=201,
    response_model=VersionAdded,
    **writable_by(
        Role.CREATOR,
        404,
        form=_FORM,
        responses={200: {"model": VersionAdded, "description": "A version has these bytes."}},
    ),
)
async def add_version(asset_id: Id, request: Request, services: Context, actor: CurrentActor) -> Response:
    """Add a version: a form with the fields first and ``file`` last, or JSON with the ``path`` of a file in place."""
    async with services.db.transaction() as conn:
        asset = await sql.get_asset(conn, asset_id)
    if asset.archived:
        raise Conflict(f"The asset {asset.name!r} is archived.", hint="Restore it before adding versions.")
    if request.headers.get("content-type", "").startswith("application/json"):
        return await _register(request, services, asset, actor)
    return await _upload(request, services, asset, actor)


async def _upload(request: Request, services: Services, asset: Asset, actor: Actor) -> Response:
    fields = ("note", "activate", "derived_from", "bindings", "digest")
    is_workflow = asset.kind is Kind.WORKFLOW
    async with receive_form(
        request,
        services.store,
        services.settings,
        fields=fields,
        files=FILES if is_workflow else FILES[:1],
        hasher=HeldFile if is_workflow else lambda filename: Identifier(asset.kind, filename),
    ) as form:
        file = form.files.get("file")
        if file is None or file.hasher is None:
            raise Invalid(
                "There is no file in this form.", hint="Send it as the part named file, last.", code="no_file"
            )
        values: dict[str, Any] = {**single_fields(form.fields, ("note", "activate", "bindings", "digest"))}
        values["derived_from"] = form.fields.get("derived_from", [])
        if "bindings" in values:
            values["bindings"] = parse_json_field("bindings", values["bindings"])
        fields = validate_fields(VersionForm, values)
        forms: Forms | None = None
        if isinstance(file.hasher, Identifier):
            identity = await asyncio.to_thread(file.hasher.finish)
            _check_digest(fields, identity.digest)
            await file.keep()
        else:
            _check_digest(fields, from_raw(file.hasher.digest()))
            identity, forms = await receive_workflow(services.store, form.files, services.settings.comfyui_url)
        if fields.bindings is not None:
            await asyncio.to_thread(bindings_of, services.store, asset, identity.digest, fields.bindings)
    sent = [from_raw(part.hasher.digest()) for part in form.files.values() if part.hasher is not None]
    same = digest_request(request, fields.model_dump(mode="json"), *sent)
    return await _add(request, asset.id, identity, display_name(file.filename), fields, actor, same, forms=forms)


async def _register(request: Request, services: Services, asset: Asset, actor: Actor) -> Response:
    require_role(actor, Role.ADMIN)
    limit = body_limit(services.settings, MAX_BODY)
    check_announced_size(request, limit)
    body = await read_json(request, limit, _IN_PLACE)
    fields: InPlaceVersion = await body.json() or validate_fields(InPlaceVersion, {})
    roots = services.settings.register_roots
    path = await asyncio.to_thread(resolve_below, fields.path, roots)
    started_ns = time.time_ns()
    stamp, identity = await asyncio.to_thread(identify_stamped, path, asset.kind, roots=roots)
    _check_digest(fields, identity.digest)
    await services.files_in_place.record_verified(path, stamp, identity.digest, started_ns=started_ns)
    same = digest_request(request, fields.model_dump(mode="json"), identity.digest)
    return await _add(request, asset.id, identity, path.name, fields, actor, same, in_place=str(path))


def _check_digest(fields: VersionForm, digest: Digest) -> None:
    if fields.digest is not None and fields.digest != digest:
        raise Invalid(
            f"The file is {digest}, not {fields.digest}.",
            hint="The file has changed meanwhile: compute its digest again.",
            code="other_bytes",
        )


async def _add(
    request: Request,
    asset_id: int,
    identity: Identity,
    filename: str,
    fields: VersionForm,
    actor: Actor,
    same: Digest,
    in_place: str | None = None,
    forms: Forms | None = None,
) -> Response:
    """Insert the rows of stored bytes, then report their impact."""
    new = NewVersion(
        **identity.model_dump(),
        filename=filename,
        note=fields.note,
        bindings=fields.bindings,
        derived_from=fields.derived_from,
        in_place=in_place,
    )
    async with idempotent_transaction(request, same) as conn:
        if in_place is None:
            await blobs.note_blob(conn, new.digest, new.size_bytes, new.media_type)
        added, change = await activation.add_version(conn, asset_id, new, actor, activate=fields.activate)
        if forms is not None:
            await _keep_forms(conn, asset_id, added.version.number, forms, filename, actor)
    status = 200 if added.outcome is Outcome.EXISTS else 201
    return await respond_with_impact(
        request,
        lambda conn: what_if.publish_added(conn, added, change, actor),
        lambda report: json_response(VersionAdded(outcome=added.outcome, version=added.version, report=report), status),
    )


async def _keep_forms(conn: Conn, asset_id: int, number: int, forms: Forms, filename: str, actor: Actor) -> None:
    """Write the rows of the editor's form of a workflow, with its definitions."""
    editor, definitions = forms
    digest = None if definitions is None else definitions.digest
    await blobs.note_blobs(conn, [(stored.digest, stored.size_bytes, JSON) for stored in forms if stored is not None])
    await editor_forms_sql.insert_editor_form(
        conn, asset_id, number, editor.digest, digest, editor.size_bytes, filename, actor
    )


@router.get("/assets/{asset_id}/versions", response_model=Page[Version], **readable_by(Role.VIEWER, 404))
async def list_versions(asset_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List all versions of an asset, newest first."""
    await sql.get_asset(conn, asset_id)
    return json_response(await sql.versions_of(conn, asset_id, after=cursor, limit=limit))


@router.get("/assets/{asset_id}/versions/{number}", response_model=Version, **readable_by(Role.VIEWER, 404))
async def get_version(asset_id: Id, number: Number, conn: Transaction) -> Response:
    """Return a version, with its derivations and the number of segments that use it."""
    version = await sql.get_version(conn, asset_id, number)
    return json_response(version.model_copy(update={"used_by": await used_by(conn, asset_id, number)}))


@router.get(
    "/assets/{asset_id}/versions/{number}/content",
    response_class=Response,
    **readable_by(Role.VIEWER, 404, 409, 416, responses=RESPONSES),
)
async def get_content(asset_id: Id, number: Number, request: Request, services: Context) -> Response:
    """Download a version under its filename. Supports ranges and ``If-None-Match``."""
    async with services.db.transaction() as conn:
        version = await sql.get_version(conn, asset_id, number)
        path = await in_place_sql.in_place_path(conn, asset_id, number)
    if path is not None:
        return await send_in_place(request, services.files_in_place, Path(path), version)
    return await send_blob(
        request, services.db, services.store, version.digest, media_type=version.media_type, filename=version.filename
    )
