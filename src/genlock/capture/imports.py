"""Records one take that was made before Genlock, with what its files say about it.

    metadata ─┬─ its bytes have a receipt ─▶ exists: nothing is added
              └─ segment ─▶ candidates ─▶ claim ─▶ take + receipt

Importing again adds nothing, whatever was registered meanwhile. A dry run does the same and rolls it back.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from genlock.capture import ingest_sql
from genlock.capture.asset_matching_sql import load_candidates
from genlock.capture.claims import accepted, claim_from_run, inputs_and_evidence, used_files
from genlock.capture.import_model import (
    Imported,
    ImportedInput,
    ImportOutcome,
    ImportSource,
    NewImport,
    is_explained,
)
from genlock.capture.metadata.reader import TakeMetadata
from genlock.capture.run_record import UsedFile
from genlock.capture.segment_resolution import ResolvedSegment, existing_segment
from genlock.db.connection import Conn
from genlock.digest import Digest
from genlock.errors import Invalid
from genlock.library.skeleton import skeleton_digest
from genlock.model import Actor
from genlock.takes import parts, receipt_sql, record, take_sql
from genlock.takes.claim import Claim, ClaimEngine, Evidence, Output, Recorder
from genlock.takes.model import Receipt
from genlock.takes.receipt import Input
from genlock.timeline import sql as timeline

RECORDER = "genlock import"
_ENGINES: Mapping[ImportSource, str] = {
    ImportSource.GRAPH: "comfyui",
    ImportSource.WEBUI: "stable-diffusion-webui",
    ImportSource.NOTHING: "unknown",
}


async def find_import(conn: Conn, new: NewImport, video: Digest) -> Imported | None:
    """Return the take that has these bytes, of the segment or recorded at generation; None if there is none."""
    segment_id = await existing_segment(conn, new.project, new.scene, new.segment)
    receipt_id = await ingest_sql.receipt_of_file(conn, segment_id, video, RECORDER)
    if receipt_id is None:
        return None
    return await _imported(conn, new, await receipt_sql.get_receipt(conn, receipt_id), ImportOutcome.EXISTS)


async def record_import(
    conn: Conn,
    new: NewImport,
    metadata: TakeMetadata,
    resolved: ResolvedSegment,
    last_frame: Output,
    graph: Output | None,
    actor: Actor,
) -> Imported:
    """Record the take in its segment. It is selected unless the selected take was not imported."""
    segment = resolved.segment
    used = _used_files(metadata)
    skeleton, trouble = _skeleton(metadata)
    candidates = await load_candidates(conn, used, skeleton, segment.project_id)
    common: dict[str, Any] = {
        "engine": ClaimEngine(
            name=_ENGINES[metadata.source],
            version=new.engine_version or (metadata.webui.version if metadata.webui is not None else None),
        ),
        "recorder": Recorder(name=RECORDER, version=version("genlock")),
        "note": f"Imported from {new.name}.",
    }
    if metadata.reading is not None:
        best = Evidence.MATCHED_BY_DIGEST
        claim = claim_from_run(
            metadata.reading, used, candidates, evidence=best, graph=None if graph is None else graph.digest, **common
        )
    else:
        best = Evidence.DECLARED if metadata.webui is None else Evidence.MATCHED_BY_NAME
        parameters = accepted({} if metadata.webui is None else metadata.webui.parameters)
        claim = Claim(parameters=parameters, **common, **inputs_and_evidence(used, candidates, best))
    outputs = _outputs(metadata, last_frame)
    uploaded = {part: output.digest for part, output in outputs.items()}
    take_parts = parts.Parts(outputs, graph, uploaded, metadata.video.facts)
    selected = await receipt_sql.receipt_of_selected(conn, segment.id)
    select = selected is None or selected.document.get("recorder", {}).get("name") == RECORDER
    recorded = await record.record_take(conn, segment.id, claim, take_parts, actor, select=select)
    outcome = ImportOutcome.RECORDED if recorded.created else ImportOutcome.EXISTS
    imported = await _imported(conn, new, recorded.receipt, outcome)
    notes = (*_notes(metadata), *trouble)
    return imported.model_copy(update={"created": resolved.created, "source": metadata.source, "notes": notes})


def as_dry_run(imported: Imported) -> Imported:
    """Return the response of an import that was rolled back: it has no ids."""
    if imported.outcome is ImportOutcome.EXISTS:
        return imported
    without_ids = dict.fromkeys(("segment_id", "take_id", "take", "receipt_id"))
    return imported.model_copy(update={"outcome": ImportOutcome.WOULD_RECORD, **without_ids})


def _used_files(metadata: TakeMetadata) -> tuple[UsedFile, ...]:
    if metadata.reading is not None and metadata.embedded.graph is not None:
        return used_files(metadata.reading, metadata.embedded.graph, metadata.embedded.files)
    return metadata.webui.used if metadata.webui is not None else ()


def _skeleton(metadata: TakeMetadata) -> tuple[Digest | None, tuple[str, ...]]:
    """Return the effective digest of the graph as a workflow, or the reason why it has none."""
    if metadata.embedded.graph is None:
        return None, ()
    try:
        return skeleton_digest(metadata.embedded.graph), ()
    except Invalid as error:
        return None, (error.message,)


def _outputs(metadata: TakeMetadata, last_frame: Output) -> dict[str, Output]:
    """Return the parts of the take: its video, what is decoded from it, and the same take in other containers."""
    outputs: dict[str, Output] = {}
    for container, file in metadata.files.items():
        part = container if outputs else parts.VIDEO
        outputs[part] = Output(digest=file.digest, media_type=file.media_type, size_bytes=file.size_bytes)
    outputs[parts.FRAMES] = Output(digest=metadata.video.frames_digest)
    outputs[parts.LAST_FRAME] = last_frame
    return outputs


async def _imported(conn: Conn, new: NewImport, receipt: Receipt, outcome: ImportOutcome) -> Imported:
    """Return the outcome of a take by its receipt; bytes that were registered since are matched by digest."""
    recorded = [Input.model_validate(line) for line in receipt.document["inputs"]]
    inputs = await _with_versions(conn, recorded, receipt.project_id)
    assert receipt.take_id is not None and receipt.segment_id is not None  # noqa: S101 - the receipt of a take
    take = await take_sql.get_take_by_id(conn, receipt.take_id)
    segment = await timeline.get_segment(conn, receipt.segment_id)
    return Imported(
        outcome=outcome,
        project=new.project,
        scene=new.scene,
        segment=segment.name,
        name=new.name,
        segment_id=receipt.segment_id,
        take_id=receipt.take_id,
        take=take.number,
        receipt_id=receipt.id,
        evidence=receipt.evidence,
        missing=receipt.missing,
        inputs=tuple(
            ImportedInput(role=each.role, name=each.name, asset_id=each.asset, version=each.version, digest=each.digest)
            for each in inputs
            if each.via is None
        ),
        explained=is_explained(receipt.missing, inputs),
    )


async def _with_versions(conn: Conn, inputs: list[Input], project_id: int | None) -> list[Input]:
    """Return inputs with the versions that have their bytes today. A name proves nothing later: it is unchanged."""
    unknown = {
        each: UsedFile(role=each.role.value, name=each.name or "", digest=each.digest)
        for each in inputs
        if each.digest is not None and each.version is None and each.take is None
    }
    if not unknown:
        return inputs
    candidates = await load_candidates(conn, tuple(unknown.values()), None, project_id)
    matches = {each: candidates.match(used) for each, used in unknown.items()}
    return [
        each.model_copy(update={"asset": match.asset_id, "version": match.number})
        if (match := matches.get(each)) is not None and match.by == "digest"
        else each
        for each in inputs
    ]


def _notes(metadata: TakeMetadata) -> tuple[str, ...]:
    """Return what the files contain that could not be used."""
    notes = [] if metadata.embedded.without_graph is None else [metadata.embedded.without_graph]
    if metadata.embedded.text is not None and metadata.webui is None:
        notes.append("its text of parameters has an unknown form")
    if metadata.reading is not None:
        notes += [f"{unresolved.word}: {unresolved.reason}" for unresolved in metadata.reading.unresolved]
    return tuple(dict.fromkeys(notes))
