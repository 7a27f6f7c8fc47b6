"""Receipts, provenance and usage."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from genlock.digest import Digest
from genlock.model import Page, Role, Seed
from genlock.staleness import provenance
from genlock.staleness.model import Provenance
from genlock.takes import receipt_sql, search_sql
from genlock.takes.difference import ReceiptDifference, difference
from genlock.takes.model import Receipt, ReceiptLine, UsagePage
from genlock.takes.usage_sql import Takes
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Cursor, Id, IdFilter, Limit, Transaction, readable_by

router = APIRouter(tags=["receipts"], route_class=ApiRoute)
_DOCUMENT = {200: {"description": "The bytes.", "content": {"application/json": {"schema": {"type": "object"}}}}}


@router.get("/segments/{segment_id}/provenance", response_model=Provenance, **readable_by(Role.VIEWER, 404))
async def get_provenance(segment_id: Id, conn: Transaction) -> Response:
    """Return what the selected take of a segment was made with, and whether that is still expected."""
    return json_response(await provenance.provenance(conn, segment_id))


@router.get("/assets/{asset_id}/usage", response_model=UsagePage, **readable_by(Role.VIEWER, 404))
async def get_usage(
    asset_id: Id,
    conn: Transaction,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Exactly this version.")] = None,
    takes: Annotated[Takes, Query(description="Selected takes, or all.")] = "selected",
    project_id: IdFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List the takes that used an asset, or exactly one version of it. ``total`` counts takes."""
    page = await provenance.usage(
        conn, asset_id, version, takes=takes, project_id=project_id, after=cursor, limit=limit
    )
    return json_response(page)


@router.get("/receipts", response_model=Page[ReceiptLine], **readable_by(Role.VIEWER))
async def find_receipts(
    conn: Transaction,
    digest: Annotated[Digest | None, Query(description="Digest of an input.")] = None,
    output: Annotated[Digest | None, Query(description="Digest of an output.")] = None,
    seed: Annotated[Seed | None, Query()] = None,
    prompt: Annotated[str | None, Query(min_length=1, max_length=1000, description="Words of the prompt.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Find receipts that match all given values, newest first."""
    page = await search_sql.search(
        conn, digest=digest, output=output, seed=seed, prompt=prompt, after=cursor, limit=limit
    )
    return json_response(page)


@router.get("/receipts/{receipt_id}", response_model=Receipt, **readable_by(Role.VIEWER, 404))
async def get_receipt(receipt_id: Id, conn: Transaction) -> Response:
    """Return a receipt."""
    return json_response(await receipt_sql.get_receipt(conn, receipt_id))


@router.get(
    "/receipts/{receipt_id}/document",
    response_class=Response,
    **readable_by(Role.VIEWER, 404, 409, responses=_DOCUMENT),
)
async def get_document(receipt_id: Id, conn: Transaction) -> Response:
    """Return the verbatim bytes that were digested: canonical JSON (RFC 8785)."""
    return Response(await receipt_sql.document_of(conn, receipt_id), media_type="application/json")


@router.get("/receipts/{receipt_id}/diff/{other_id}", response_model=ReceiptDifference, **readable_by(Role.VIEWER, 404))
async def compare_receipts(receipt_id: Id, other_id: Id, conn: Transaction) -> Response:
    """Compare two receipts."""
    before = await receipt_sql.get_receipt(conn, receipt_id)
    return json_response(difference(before, await receipt_sql.get_receipt(conn, other_id)))
