"""Scans: the server looks at folders of its own disk."""

from pathlib import Path

from fastapi import APIRouter, Request, Response

from genlock.errors import Invalid
from genlock.model import Role
from genlock.watching.model import NewScan, Scan
from genlock.web.answers import answer
from genlock.web.door import Door, Home, Who, writes
from genlock.web.keys import keep_answer, keyed

router = APIRouter(tags=["assets"], route_class=Door)


@router.post("/scans", status_code=201, response_model=Scan, **writes(Role.ADMIN, 404))
async def scan_folders(request: Request, home: Home, actor: Who, new: NewScan | None = None) -> Response:
    """Look at folders of the server's disk for some seconds: new files become assets, changed ones versions.

    Ask again while files remain. Scanning is its own key: what was found before is no news the second time.
    """
    asked = new or NewScan()
    folders = tuple(Path(folder) for folder in asked.folders) or home.settings.scan_folders
    if not folders:
        raise Invalid(
            "No folder is named, and none is set to be scanned.",
            hint="Name folders, or let the server watch some with `genlock up --scan FOLDER`.",
            code="no_folder",
        )
    keep = home.settings.keeps_scanned if asked.keep is None else asked.keep
    found = answer(await home.scanner.look(folders, keep=keep, actor=actor), 201)
    async with keyed(request) as conn:
        await keep_answer(request, conn, found)
    return found
