"""Reproductions: a receipt rendered again, and the verdict."""

from fastapi import APIRouter, Response

from genlock.model import Page, Role
from genlock.regeneration.reproduction import asking as reproduce
from genlock.regeneration.reproduction import sql as reproduce_sql
from genlock.regeneration.reproduction.model import NewReproduction, Reproduction, Thresholds
from genlock.takes import receipt_sql
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Context, CurrentActor, Cursor, Id, Limit, Transaction, readable_by, writable_by

router = APIRouter(tags=["receipts"], route_class=ApiRoute)


@router.post(
    "/receipts/{receipt_id}/reproduce", status_code=201, response_model=Reproduction, **writable_by(Role.CREATOR, 404)
)
async def reproduce_receipt(
    receipt_id: Id, conn: Transaction, services: Context, actor: CurrentActor, new: NewReproduction | None = None
) -> Response:
    """Render a receipt again with the same inputs, graph and engine. Records no take."""
    least = Thresholds(psnr_db=services.settings.reproduce_psnr_db, ssim=services.settings.reproduce_ssim)
    requested = new or NewReproduction()
    return json_response(await reproduce.ask(conn, services.store, receipt_id, requested, least, actor), 201)


@router.get("/receipts/{receipt_id}/reproductions", response_model=Page[Reproduction], **readable_by(Role.VIEWER, 404))
async def list_reproductions(receipt_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List the reproductions of a receipt with their verdicts, newest first."""
    await receipt_sql.get_receipt(conn, receipt_id)
    return json_response(await reproduce_sql.reproductions_of(conn, receipt_id, after=cursor, limit=limit))


@router.get("/reproductions/{reproduction_id}", response_model=Reproduction, **readable_by(Role.VIEWER, 404))
async def get_reproduction(reproduction_id: Id, conn: Transaction) -> Response:
    """Return a reproduction: its progress, or its verdict with measurements and environment differences."""
    return json_response(await reproduce_sql.get_reproduction(conn, reproduction_id))
