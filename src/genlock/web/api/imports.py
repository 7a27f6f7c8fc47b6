"""Imports: takes made before Genlock, recorded from the metadata of their files."""

import asyncio
import itertools
import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from genlock.blobs.store import Store
from genlock.capture import imports
from genlock.capture.claims import graph_bytes
from genlock.capture.import_model import CONTAINERS, FoundImports, Imported, ImportLookup, ImportOutcome, NewImport
from genlock.capture.metadata.reader import File, TakeMetadata, media_type_of, read_metadata, video_of
from genlock.capture.segment_resolution import ensure_segment
from genlock.errors import Invalid, NotFound
from genlock.model import Role
from genlock.web.idempotency import digest_request, idempotent_transaction, store_response
from genlock.web.parsing import single_fields, validate_fields, validate_json_field
from genlock.web.responses import json_response
from genlock.web.route import ApiRoute, Context, CurrentActor, Transaction, writable_by
from genlock.web.uploads import FilePart, Spool, form_body, receive_form

router = APIRouter(tags=["takes"], route_class=ApiRoute)

_BYTES: dict[str, Any] = {"type": "string", "format": "binary"}
_FORM = form_body(
    {
        "type": "object",
        "required": ["take"],
        "additionalProperties": False,
        "properties": {
            "take": {"$ref": "#/components/schemas/NewImport"},
            **{
                container: {**_BYTES, "description": "At least one file; all are the same take."}
                for container in CONTAINERS
            },
        },
    },
    encoding={"take": {"contentType": "application/json"}},
)


@router.post(
    "/imports",
    status_code=201,
    response_model=Imported,
    **writable_by(
        Role.CREATOR,
        404,
        form=_FORM,
        responses={200: {"model": Imported, "description": "It exists already, or this was a dry run."}},
    ),
)
async def import_take(request: Request, services: Context, actor: CurrentActor) -> Response:
    """Import one take: a form with ``take`` first, then its files. The same files again add nothing."""
    with tempfile.TemporaryDirectory(prefix="genlock-") as folder:
        numbers = itertools.count()
        async with receive_form(
            request,
            services.store,
            services.settings,
            fields=("take",),
            files=CONTAINERS,
            hasher=lambda filename: Spool(Path(folder) / str(next(numbers))),
        ) as form:
            fields = single_fields(form.fields, ("take",))
            new = validate_json_field("take", fields["take"], NewImport) if fields else validate_fields(NewImport, {})
            received = {container: _file(container, part, new.name) for container, part in form.files.items()}
            digest = video_of(received).digest if received else new.digest
            async with services.db.snapshot() as conn:
                existing = await imports.find_imports(conn, [(new, digest)]) if digest is not None else [None]
            if existing[0] is not None:
                return json_response(existing[0])
            if not received:
                raise _no_file(new)
            files = imports.ImportedFiles.of(await asyncio.to_thread(read_metadata, received, new.name))
            if new.dry_run:
                async with services.db.snapshot() as conn:
                    return json_response(await imports.preview_import(conn, new, files))
            for part in form.files.values():
                await part.keep()
    await asyncio.to_thread(_store_decoded, services.store, files.metadata)
    digests = {container: file.digest for container, file in files.metadata.files.items()}
    # The segment in its own transaction: its events would otherwise block other writers until the take is recorded.
    async with services.db.transaction() as conn:
        resolved = await ensure_segment(conn, new.project, new.scene, new.segment, actor)
    async with idempotent_transaction(request, digest_request(request, new.model_dump(mode="json"), digests)) as conn:
        imported = await imports.record_import(conn, new, files, resolved, actor)
        response = json_response(imported, 201 if imported.outcome is ImportOutcome.RECORDED else 200)
        await store_response(request, conn, response)
    return response


@router.post("/imports:find", response_model=FoundImports, **writable_by(Role.CREATOR))
async def find_imports(lookup: ImportLookup, conn: Transaction) -> Response:
    """Find the takes that have the bytes of these videos: null for each that was not imported."""
    takes = [(new, new.digest) for new in lookup.takes]
    return json_response(FoundImports(items=tuple(await imports.find_imports(conn, takes))))


def _no_file(new: NewImport) -> Invalid | NotFound:
    if new.digest is not None:
        return NotFound("This file has not been imported.", hint="Send the files of the take.", code="not_imported")
    return Invalid("There is no file in this form.", hint=f"Send one of {', '.join(CONTAINERS)}.", code="no_file")


def _file(container: str, part: FilePart, name: str) -> File:
    assert isinstance(part.hasher, Spool)  # noqa: S101 - the form's hasher
    digest = part.hasher.whole()
    media_type = media_type_of(container, part.hasher.path, name)
    return File(part.hasher.path, digest, part.hasher.size_bytes, media_type)


def _store_decoded(store: Store, metadata: TakeMetadata) -> None:
    store.put(metadata.video.last_frame)
    if metadata.embedded.graph is not None:
        store.put(graph_bytes(metadata.embedded.graph))
