"""Stored bytes by their digest."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from genlock.blobs import sql
from genlock.digest import Digest
from genlock.errors import NotFound
from genlock.model import Role
from genlock.web.downloads import RESPONSES, send_blob
from genlock.web.route import ApiRoute, Context, readable_by

router = APIRouter(tags=["blobs"], route_class=ApiRoute)


@router.get(
    "/blobs/{digest}",
    response_class=Response,
    **readable_by(Role.VIEWER, 404, 409, 416, captures=True, responses=RESPONSES),
)
async def get_blob(request: Request, digest: Annotated[Digest, Path()], services: Context) -> Response:
    """Return the bytes with this digest. Supports ranges and ``If-None-Match``."""
    async with services.db.transaction() as conn:
        blob = await sql.get(conn, digest)
    if blob is None:
        raise NotFound(f"No bytes with the digest {digest} were ever stored.", hint="Check the digest.")
    return await send_blob(request, services.db, services.store, digest, media_type=blob.media_type)
