"""Stored bytes by their digest."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from genlock.blobs import sql
from genlock.digest import Digest
from genlock.errors import NotFound
from genlock.model import Role
from genlock.web.door import Door, Home, may
from genlock.web.downloads import ANSWERS, send_blob

router = APIRouter(tags=["blobs"], route_class=Door)


@router.get("/blobs/{digest}", response_class=Response, **may(Role.VIEWER, 404, 409, 416, answers=ANSWERS))
async def get_blob(request: Request, digest: Annotated[Digest, Path()], home: Home) -> Response:
    """The bytes with this digest; ranges and ``If-None-Match`` are understood."""
    async with home.db.transaction() as conn:
        blob = await sql.get(conn, digest)
    if blob is None:
        raise NotFound(f"No bytes with the digest {digest} were ever stored.", hint="Check the digest.")
    return await send_blob(request, home.db, home.store, digest, media_type=blob.media_type)
