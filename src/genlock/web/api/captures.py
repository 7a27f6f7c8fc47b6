"""Captures: runs that ComfyUI's extension sent, and the inbox of those not yet assigned to a segment."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from genlock.capture import inbox_sql, ingest
from genlock.capture.checked_graph import CheckedGraph, GraphToCheck
from genlock.capture.graph_check import check_graph
from genlock.capture.inbox import Assignment, Capture, Captured, CaptureDetails, CaptureState, RunReceipt
from genlock.capture.run_receipt import receipt_of_run
from genlock.capture.run_record import MOST_OUTPUTS, RunRecord
from genlock.digest import Digest
from genlock.errors import Invalid
from genlock.model import Page, Role
from genlock.web.idempotency import digest_request, idempotent_transaction, store_response
from genlock.web.parsing import single_fields, validate_fields, validate_json_field
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Context, CurrentActor, Cursor, Id, Limit, Transaction, readable_by, writable_by
from genlock.web.uploads import Form, form_body, receive_form

router = APIRouter(tags=["captures"], route_class=ApiRoute)

_FILES = tuple(f"output_{number}" for number in range(MOST_OUTPUTS))
_FORM = form_body(
    {
        "type": "object",
        "required": ["record"],
        "properties": {"record": {"$ref": "#/components/schemas/RunRecord"}},
        "patternProperties": {
            "^output_(0|[1-9][0-9]{0,2})$": {
                "type": "string",
                "format": "binary",
                "description": "The bytes of the record's output with that number, counted from 0.",
            }
        },
        "additionalProperties": False,
    },
    encoding={"record": {"contentType": "application/json"}},
)
ListedState = CaptureState | Literal["review", "all"]


@router.post(
    "/captures",
    status_code=201,
    response_model=Captured,
    **writable_by(
        Role.CREATOR,
        captures=True,
        form=_FORM,
        responses={200: {"model": Captured, "description": "It had arrived before."}},
    ),
)
async def receive_run(request: Request, services: Context, actor: CurrentActor) -> Response:
    """Ingest a run: a form with its ``record`` first, then its outputs. Repeating it changes nothing."""
    async with receive_form(request, services.store, services.settings, fields=("record",), files=_FILES) as form:
        fields = single_fields(form.fields, ("record",))
        run = validate_json_field("record", fields["record"], RunRecord) if fields else validate_fields(RunRecord, {})
        uploaded = await _store_outputs(form, run)
    stored = await asyncio.to_thread(ingest.collect_parts, services.store, run)
    request_digest = digest_request(request, run.run, uploaded)
    async with services.db.transaction() as conn:
        await ingest.register_weights(conn, run, actor)
    async with idempotent_transaction(request, request_digest) as conn:
        captured, created = await ingest.ingest_run(conn, run, stored, actor)
        response = json_response(captured, 201 if created else 200)
        await store_response(request, conn, response)
    return response


@router.get("/captures", response_model=Page[Capture], **readable_by(Role.VIEWER))
async def list_captures(
    conn: Transaction,
    state: Annotated[
        ListedState, Query(description="Their state; `review` for takes to review, `all` for any.")
    ] = CaptureState.INBOX,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """List runs that arrived, newest first: by default those in the inbox."""
    only = None if state in {"review", "all"} else CaptureState(state)
    return json_response(
        await inbox_sql.captures(conn, state=only, for_review=state == "review", after=cursor, limit=limit)
    )


@router.get(
    "/captures/by-prompt/{prompt_id}", response_model=RunReceipt, **readable_by(Role.VIEWER, 404, captures=True)
)
async def get_run_receipt(
    prompt_id: Annotated[str, Path(min_length=1, max_length=200)], conn: Transaction, actor: CurrentActor
) -> Response:
    """Return the receipt of a run by ComfyUI's prompt id, with what is out of date today."""
    return json_response(await receipt_of_run(conn, prompt_id, actor))


@router.post("/captures:check", response_model=CheckedGraph, **writable_by(Role.CREATOR, captures=True))
async def check_open_graph(new: GraphToCheck, conn: Transaction, actor: CurrentActor) -> Response:
    """Check which files of an open graph are out of date, by node. Nothing is recorded."""
    return json_response(await check_graph(conn, new, actor))


@router.get("/captures/{capture_id}", response_model=CaptureDetails, **readable_by(Role.VIEWER, 404))
async def get_capture(capture_id: Id, conn: Transaction) -> Response:
    """Return a captured run with its whole record."""
    return json_response(await inbox_sql.get_capture(conn, capture_id))


@router.post("/captures/{capture_id}/assign", response_model=Captured, **writable_by(Role.CREATOR, 404))
async def assign_capture(
    capture_id: Id, assignment: Assignment, request: Request, services: Context, actor: CurrentActor
) -> Response:
    """Record a run from the inbox as a take of a segment."""
    async with services.db.transaction() as conn:
        capture = await inbox_sql.get_capture(conn, capture_id)
    stored = await asyncio.to_thread(ingest.collect_parts, services.store, capture.record)
    async with idempotent_transaction(request) as conn:
        response = json_response(await ingest.assign(conn, capture_id, assignment, stored, actor))
        await store_response(request, conn, response)
    return response


@router.delete("/captures/{capture_id}", response_model=Capture, **writable_by(Role.CREATOR, 404))
async def dismiss_capture(capture_id: Id, conn: Transaction, actor: CurrentActor) -> Response:
    """Remove a run from the inbox, or from the takes for review. Its record and its take are kept."""
    return json_response(await ingest.dismiss(conn, capture_id, actor))


async def _store_outputs(form: Form, run: RunRecord) -> dict[str, Digest]:
    """Store the files of the form; each must be the output named by the record."""
    uploaded: dict[str, Digest] = {}
    for name, part in sorted(form.files.items()):
        number = int(name.rpartition("_")[2])
        expected = run.outputs[number].digest if number < len(run.outputs) else None
        blob = await part.keep()
        if blob.digest != expected:
            raise Invalid(
                f"{name} is not the output that the record names: its digest is {blob.digest}.",
                hint="Send the file that the record names, unchanged, or leave it out.",
                code="digest_mismatch",
            )
        uploaded[name] = blob.digest
    return uploaded
