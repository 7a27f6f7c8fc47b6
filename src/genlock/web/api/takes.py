"""Takes: recording and listing the results of generations."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from genlock.db.connection import pipelined
from genlock.model import Page, Role
from genlock.takes import parts, record, take_sql
from genlock.takes.claim import Claim
from genlock.takes.model import NewTakes, Recorded, RecordedBatch, Take
from genlock.timeline import sql as timeline
from genlock.web.bodies import MAX_BATCH
from genlock.web.idempotency import digest_request, has_key, idempotent_transaction, store_response
from genlock.web.parsing import single_fields, validate_fields, validate_json_field
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Context, CurrentActor, Cursor, Id, Limit, Transaction, readable_by, writable_by
from genlock.web.uploads import form_body, receive_form

router = APIRouter(tags=["takes"], route_class=ApiRoute)

# Receiving a smaller body is cheaper than checking first that the segment exists; recording checks it anyway.
_CHECK_FIRST_BYTES = 2**20
_PARTS = ("video", "last_frame", "thumbnail")
_BYTES: dict[str, Any] = {"type": "string", "format": "binary"}
_FORM = form_body(
    {
        "type": "object",
        "required": ["claim"],
        "additionalProperties": False,
        "properties": {
            "claim": {"$ref": "#/components/schemas/Claim"},
            "video": {**_BYTES, "description": "Required unless the claim's outputs name a stored video."},
            "last_frame": {**_BYTES, "description": "Decoded from the video if left out."},
            "thumbnail": _BYTES,
        },
    },
    encoding={"claim": {"contentType": "application/json"}},
)


@router.post(
    "/segments/{segment_id}/takes",
    status_code=201,
    response_model=Recorded,
    **writable_by(
        Role.CREATOR, 404, form=_FORM, responses={200: {"model": Recorded, "description": "It was recorded before."}}
    ),
)
async def record_take(
    segment_id: Id,
    request: Request,
    services: Context,
    actor: CurrentActor,
    select: Annotated[bool, Query(description="Select the new take.")] = True,
) -> Response:
    """Record a take: a form with the ``claim`` first, then its parts. Repeating it returns the same take."""
    if int(request.headers.get("content-length", _CHECK_FIRST_BYTES)) >= _CHECK_FIRST_BYTES:
        async with services.db.transaction() as conn:
            await timeline.get_segment(conn, segment_id)
    async with receive_form(request, services.store, services.settings, fields=("claim",), files=_PARTS) as form:
        fields = single_fields(form.fields, ("claim",))
        claim = validate_json_field("claim", fields["claim"], Claim) if fields else validate_fields(Claim, {})
        uploaded = {name: (await part.keep()).digest for name, part in form.files.items()}
    request_digest = digest_request(request, claim.canonical(), uploaded) if has_key(request) else None
    collected = await parts.collect(services.store, claim, uploaded)
    async with idempotent_transaction(request, request_digest) as conn, pipelined(conn):
        recorded = await record.record_take(conn, segment_id, claim, collected, actor, select=select)
        response = json_response(recorded, 201 if recorded.created else 200)
        await store_response(request, conn, response)
    return response


@router.post(
    "/takes:batch",
    status_code=201,
    response_model=RecordedBatch,
    **writable_by(Role.CREATOR, 404, body_limit=MAX_BATCH),
)
async def record_batch(new: NewTakes, services: Context, conn: Transaction, actor: CurrentActor) -> Response:
    """Record up to 1,000 claims whose outputs are already stored, all or nothing."""
    collected = await parts.collect_stored(services.store, [take.claim for take in new.takes])
    recordings = [
        record.Recording(take.segment_id, take.claim, each) for take, each in zip(new.takes, collected, strict=True)
    ]
    async with pipelined(conn):
        recorded = await record.record_takes(conn, recordings, actor, select=new.select)
        return json_response(RecordedBatch.model_construct(items=recorded), 201)


@router.get("/segments/{segment_id}/takes", response_model=Page[Take], **readable_by(Role.VIEWER, 404))
async def list_takes(segment_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List all takes of a segment, newest first."""
    await timeline.get_segment(conn, segment_id)
    return json_response(await take_sql.takes_of(conn, segment_id, after=cursor, limit=limit))
