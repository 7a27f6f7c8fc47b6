"""Takes: recording and listing the results of generations."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from genlock.db.connection import pipelined
from genlock.model import Page, Role
from genlock.takes import parts, record, take_sql
from genlock.takes.claim import Claim
from genlock.takes.model import NewTakes, Recorded, RecordedBatch, Take
from genlock.timeline import sql as timeline
from genlock.web.answers import answer
from genlock.web.bodies import MAX_BATCH
from genlock.web.door import Cursor, Door, Home, Id, Limit, Transaction, Who, may, writes
from genlock.web.keys import digest_of_parts, has_key, keep_answer, keyed
from genlock.web.parsing import single_fields, validate_fields, validate_json_field
from genlock.web.uploads import form_body, receive_form

router = APIRouter(tags=["takes"], route_class=Door)

# Receiving a smaller body costs less than checking first that the segment exists; recording checks it anyway.
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
    **writes(Role.CREATOR, 404, form=_FORM, answers={200: {"model": Recorded, "description": "It was recorded."}}),
)
async def record_take(
    segment_id: Id,
    request: Request,
    home: Home,
    actor: Who,
    select: Annotated[bool, Query(description="Select the new take.")] = True,
) -> Response:
    """Record a take: a form with the ``claim`` first, then its parts. The same claim again returns the same take."""
    if int(request.headers.get("content-length", _CHECK_FIRST_BYTES)) >= _CHECK_FIRST_BYTES:
        async with home.db.transaction() as conn:
            await timeline.get_segment(conn, segment_id)
    async with receive_form(request, home.store, home.settings, fields=("claim",), files=_PARTS) as form:
        fields = single_fields(form.fields, ("claim",))
        claim = validate_json_field("claim", fields["claim"], Claim) if fields else validate_fields(Claim, {})
        uploaded = {name: (await part.keep()).digest for name, part in form.files.items()}
    request_digest = digest_of_parts(request, claim.canonical(), uploaded) if has_key(request) else None
    collected = await parts.collect(home.store, claim, uploaded)
    async with keyed(request, request_digest) as conn, pipelined(conn):
        recorded = await record.record_take(conn, segment_id, claim, collected, actor, select=select)
        response = answer(recorded, 201 if recorded.created else 200)
        await keep_answer(request, conn, response)
    return response


@router.post(
    "/takes:batch", status_code=201, response_model=RecordedBatch, **writes(Role.CREATOR, 404, body_limit=MAX_BATCH)
)
async def record_batch(new: NewTakes, home: Home, conn: Transaction, actor: Who) -> Response:
    """Record up to 1,000 claims whose outputs are stored already, all or nothing."""
    collected = await parts.collect_stored(home.store, [take.claim for take in new.takes])
    recordings = [
        record.Recording(take.segment_id, take.claim, each) for take, each in zip(new.takes, collected, strict=True)
    ]
    async with pipelined(conn):
        recorded = await record.record_takes(conn, recordings, actor, select=new.select)
        return answer(RecordedBatch.model_construct(items=recorded), 201)


@router.get("/segments/{segment_id}/takes", response_model=Page[Take], **may(Role.VIEWER, 404))
async def list_takes(segment_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """List all takes of a segment, newest first."""
    await timeline.get_segment(conn, segment_id)
    return answer(await take_sql.takes_of(conn, segment_id, after=cursor, limit=limit))
