"""Takes: work made elsewhere is recorded here, with its proof."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from genlock.blobs import sql as blobs
from genlock.blobs.store import Store
from genlock.db.connection import Conn, pipelined
from genlock.digest import Digest
from genlock.engines.media import VideoFacts
from genlock.errors import Invalid
from genlock.model import Page, Role
from genlock.takes import parts, record, take_sql
from genlock.takes.batch import NewTake, NewTakes, RecordedBatch
from genlock.takes.claim import Claim, Output
from genlock.takes.model import Recorded, Take
from genlock.takes.record import Arrival
from genlock.timeline import sql as timeline
from genlock.web.answers import answer
from genlock.web.bodies import MAX_BATCH
from genlock.web.door import Cursor, Door, Home, Id, Limit, Transaction, Who, may, writes
from genlock.web.keys import digest_of_parts, has_key, keep_answer, keyed
from genlock.web.parsing import single_fields, validate_fields, validate_json_field
from genlock.web.uploads import form_body, receive_form

router = APIRouter(tags=["takes"], route_class=Door)

# Below this, receiving the body costs less than asking first whether there is such a segment; recording asks anyway.
_WORTH_ASKING_BYTES = 2**20
_PARTS = ("video", "last_frame", "thumbnail")
_WHOLE = {parts.VIDEO, parts.FRAMES, parts.LAST_FRAME}
_BYTES: dict[str, Any] = {"type": "string", "format": "binary"}
_FORM = form_body(
    {
        "type": "object",
        "required": ["claim"],
        "additionalProperties": False,
        "properties": {
            "claim": {"$ref": "#/components/schemas/Claim"},
            "video": {**_BYTES, "description": "Needed unless the claim's outputs name one that is stored."},
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
    select: Annotated[bool, Query(description="Put the new take in the cut.")] = True,
) -> Response:
    """Record a take: a form with the ``claim`` first and its parts after it. The same again gives the same take."""
    if int(request.headers.get("content-length", _WORTH_ASKING_BYTES)) >= _WORTH_ASKING_BYTES:
        async with home.db.transaction() as conn:
            await timeline.get_segment(conn, segment_id)
    async with receive_form(request, home.store, home.settings, fields=("claim",), files=_PARTS) as form:
        given = single_fields(form.fields, ("claim",))
        claim = validate_json_field("claim", given["claim"], Claim) if given else validate_fields(Claim, {})
        uploaded = {name: (await part.keep()).digest for name, part in form.files.items()}
    if uploaded or not (claim.outputs or {}).keys() >= _WHOLE:
        found, facts = await asyncio.to_thread(_look_at, home.store, uploaded, claim)
    else:
        found, facts = {}, None
    same = digest_of_parts(request, claim.canonical(), uploaded) if has_key(request) else None
    async with keyed(request, same) as conn, pipelined(conn):
        (arrival,) = await _arrivals(conn, home.store, [NewTake(segment_id=segment_id, claim=claim)], uploaded, found)
        arrival = replace(arrival, claim=parts.measured(claim, facts))
        recorded = await record.record_take(conn, arrival, actor, select=select)
        response = answer(recorded, 201 if recorded.created else 200)
        await keep_answer(request, conn, response)
    return response


@router.post(
    "/takes:batch", status_code=201, response_model=RecordedBatch, **writes(Role.CREATOR, 404, body_limit=MAX_BATCH)
)
async def record_batch(new: NewTakes, home: Home, conn: Transaction, actor: Who) -> Response:
    """Record up to 1,000 claims whose outputs are stored already, all or nothing."""
    async with pipelined(conn):
        arrivals = await _arrivals(conn, home.store, new.takes)
        recorded = await record.record_takes(conn, arrivals, actor, select=new.select)
        return answer(RecordedBatch.model_construct(items=recorded), 201)


@router.get("/segments/{segment_id}/takes", response_model=Page[Take], **may(Role.VIEWER, 404))
async def list_takes(segment_id: Id, conn: Transaction, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """All takes of a segment, newest first."""
    await timeline.get_segment(conn, segment_id)
    return answer(await take_sql.takes_of(conn, segment_id, after=cursor, limit=limit))


def _look_at(store: Store, uploaded: Mapping[str, Digest], claim: Claim) -> tuple[dict[str, Output], VideoFacts | None]:
    """The parts that came with a claim or that it names, those decoded from them, and what the video says. Blocks."""
    named = claim.outputs or {}
    outputs = {part: digest for part, digest in named.items() if store.exists(digest)} | dict(uploaded)
    looked_at = {part: parts.output_of(store, digest) for part, digest in outputs.items()}
    if parts.FRAMES in named:
        looked_at[parts.FRAMES] = Output(digest=named[parts.FRAMES])  # a digest of pictures, not of stored bytes
    return parts.complete(store, looked_at)


async def _arrivals(
    conn: Conn,
    store: Store,
    new: Sequence[NewTake],
    uploaded: Mapping[str, Digest] | None = None,
    found: Mapping[str, Output] | None = None,
) -> list[Arrival]:
    """Claims ready to be recorded, their graphs stored and their outputs found to be."""
    graphs: list[Output | None] = [None] * len(new)
    if any(one.claim.graph is not None for one in new):
        graphs = await asyncio.to_thread(lambda: [parts.keep_graph(store, one.claim) for one in new])
    named = {digest for one in new for part, digest in (one.claim.outputs or {}).items() if part != parts.FRAMES}
    seen = [*(found or {}).values(), *(graph for graph in graphs if graph is not None)]
    stored = {output.digest for output in seen if output.size_bytes is not None}
    there = await blobs.stored(conn, named | stored) if named or stored else {}
    # Most of what is seen was noted before; what was not, or was thought to be gone, is noted now.
    await _note(conn, [output for output in seen if output.digest not in there])
    _require(named - stored, there)
    known = {
        digest: Output(digest=digest, media_type=blob.media_type, size_bytes=blob.size_bytes)
        for digest, blob in there.items()
    }
    return [
        record.arrival(
            one.segment_id,
            one.claim,
            {
                **{
                    part: known.get(digest, Output(digest=digest)) for part, digest in (one.claim.outputs or {}).items()
                },
                **(found or {}),
            },
            uploaded or {},
            graph and graph.digest,
        )
        for one, graph in zip(new, graphs, strict=True)
    ]


def _require(named: Iterable[Digest], there: Mapping[Digest, object]) -> None:
    lost = sorted(set(named) - there.keys())
    if lost:
        raise Invalid(
            f"The bytes of an output are not stored: {lost[0]}" + (f", and {len(lost) - 1} more." if lost[1:] else "."),
            hint="Upload them with the claim, or record without naming them.",
            code="not_stored",
        )


async def _note(conn: Conn, outputs: Iterable[Output]) -> None:
    stored = [output for output in outputs if output.size_bytes is not None]
    await blobs.note_blobs(conn, [(one.digest, one.size_bytes or 0, one.media_type or parts.OCTETS) for one in stored])
