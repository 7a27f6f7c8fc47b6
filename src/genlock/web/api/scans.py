"""Scans of folders on the server's disk."""

from pathlib import Path

from fastapi import APIRouter, Request, Response

from genlock.errors import Invalid
from genlock.model import Role
from genlock.watching.model import NewScan, Scan
from genlock.web.idempotency import idempotent_transaction, store_response
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Context, CurrentActor, writable_by

router = APIRouter(tags=["assets"], route_class=ApiRoute)


@router.post("/scans", status_code=201, response_model=Scan, **writable_by(Role.ADMIN, 404))
async def scan_folders(
    request: Request, services: Context, actor: CurrentActor, new: NewScan | None = None
) -> Response:
    """Scan folders on the server's disk for some seconds: new files become assets, changed files versions.

    Repeat it while files remain. A repeated scan reports only new changes.
    """
    requested = new or NewScan()
    folders = tuple(Path(folder) for folder in requested.folders) or services.settings.scan_folders
    if not folders:
        raise Invalid(
            "No folder is named, and none is set to be scanned.",
            hint="Name folders, or let the server watch some with `genlock up --scan FOLDER`.",
            code="no_folder",
        )
    keep = services.settings.keeps_scanned if requested.keep is None else requested.keep
    response = json_response(await services.scanner.scan(folders, keep=keep, actor=actor), 201)
    async with idempotent_transaction(request) as conn:
        await store_response(request, conn, response)
    return response
