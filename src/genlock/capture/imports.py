"""Records one take that was made before Genlock, with what its files say about it.

    metadata ─┬─ its bytes have a receipt ─▶ exists: nothing is added
              └─ segment ─▶ candidates ─▶ claim ─▶ take + receipt

Importing again adds nothing, whatever was registered meanwhile. A dry run composes the same receipt and writes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from genlock.capture import ingest_sql
from genlock.capture.asset_matching import Match
from genlock.capture.asset_matching_sql import load_candidates
from genlock.capture.claims import accepted, claim_from_run, graph_bytes, inputs_and_evidence, used_files
from genlock.capture.import_model import (
    Imported,
    ImportedInput,
    ImportOutcome,
    ImportSource,
    ImportTarget,
    NewImport,
    is_explained,
)
from genlock.capture.metadata.reader import TakeMetadata
from genlock.capture.run_record import UsedFile
from genlock.capture.segment_resolution import Destination, ResolvedSegment, check_open, destination_of
from genlock.db.connection import Conn
from genlock.digest import Digest, digest_of
from genlock.engines.media import PNG
from genlock.errors import Invalid
from genlock.kinds import JSON
from genlock.library.skeleton import skeleton_digest
from genlock.model import Actor
from genlock.takes import receipt_sql, record
from genlock.takes.claim import Claim, ClaimEngine, Evidence, Output, Recorder
from genlock.takes.model import Receipt
from genlock.takes.parts import FRAMES, LAST_FRAME, VIDEO, Parts
from genlock.takes.preview import preview_take
from genlock.takes.receipt import Input
from genlock.timeline import sql as timeline

RECORDER = "genlock import"
VERSION = version("genlock")
_ENGINES: Mapping[ImportSource, str] = {
    ImportSource.GRAPH: "comfyui",
    ImportSource.WEBUI: "stable-diffusion-webui",
    ImportSource.NOTHING: "unknown",
}


class ImportedFiles(NamedTuple):
    """The files of a take: what they contain, and the parts that are stored, or would be."""

    metadata: TakeMetadata
    parts: Parts

    @classmethod
    def of(cls, metadata: TakeMetadata) -> "ImportedFiles":
        """Return the parts of a take: its video, what is decoded from it, its graph, and its other containers."""
        outputs: dict[str, Output] = {}
        for container, file in metadata.files.items():
            part = container if outputs else VIDEO
            outputs[part] = Output(digest=file.digest, media_type=file.media_type, size_bytes=file.size_bytes)
        frame = metadata.video.last_frame
        outputs[FRAMES] = Output(digest=metadata.video.frames_digest)
        outputs[LAST_FRAME] = Output(digest=digest_of(frame), media_type=PNG, size_bytes=len(frame))
        graph = None
        if metadata.embedded.graph is not None:
            content = graph_bytes(metadata.embedded.graph)
            graph = Output(digest=digest_of(content), media_type=JSON, size_bytes=len(content))
        uploaded = {part: output.digest for part, output in outputs.items()}
        return cls(metadata, Parts(outputs, graph, uploaded, metadata.video.facts))


async def find_imports(conn: Conn, takes: Sequence[tuple[ImportTarget, Digest]]) -> list[Imported | None]:
    """Return, for each take with the digest of its video, the recorded take with these bytes; None if there is none.

    That is a take of the named segment, or one that was recorded at generation.
    """
    destinations: dict[tuple[str, str, str], Destination] = {}
    for new, _ in takes:
        key = (new.project, new.scene, new.segment)
        if key not in destinations:
            destinations[key] = await destination_of(conn, *key)
    segment_ids = [destinations[new.project, new.scene, new.segment].segment_id for new, _ in takes]
    videos = [(segment_id, digest) for segment_id, (_, digest) in zip(segment_ids, takes, strict=True)]
    receipt_ids = await ingest_sql.receipts_of_files(conn, videos, RECORDER)
    receipts = await ingest_sql.receipts_by_id(conn, [identifier for identifier in receipt_ids if identifier])
    imported = await _imported(
        conn,
        [
            (new, receipts[identifier])
            for (new, _), identifier in zip(takes, receipt_ids, strict=True)
            if identifier is not None
        ],
        ImportOutcome.EXISTS,
    )
    left = iter(imported)
    return [None if identifier is None else next(left) for identifier in receipt_ids]


async def record_import(
    conn: Conn, new: NewImport, files: ImportedFiles, resolved: ResolvedSegment, actor: Actor
) -> Imported:
    """Record the take in its segment. It is selected unless the selected take was not imported."""
    segment = resolved.segment
    claim, notes = await _claim(conn, new, files, segment.project_id)
    selected = await receipt_sql.receipt_of_selected(conn, segment.id)
    select = selected is None or selected.document.get("recorder", {}).get("name") == RECORDER
    recorded = await record.record_take(conn, segment.id, claim, files.parts, actor, select=select)
    outcome = ImportOutcome.RECORDED if recorded.created else ImportOutcome.EXISTS
    (imported,) = await _imported(conn, [(new, recorded.receipt)], outcome)
    return imported.model_copy(update={"created": resolved.created, "source": files.metadata.source, "notes": notes})


async def preview_import(conn: Conn, new: NewImport, files: ImportedFiles) -> Imported:
    """Return what ``record_import`` would record, without ids; for a transaction that only reads."""
    destination = await destination_of(conn, new.project, new.scene, new.segment)
    await check_open(conn, destination)
    claim, notes = await _claim(conn, new, files, destination.project_id)
    preview = await preview_take(conn, destination.project_id, destination.segment_id, claim, files.parts)
    segment = None
    if destination.segment_id is not None:
        segment = (await timeline.get_segment(conn, destination.segment_id)).name
    return Imported(
        outcome=ImportOutcome.WOULD_RECORD,
        project=new.project,
        scene=new.scene,
        segment=new.segment if segment is None else segment,
        name=new.name,
        created=destination.absent,
        source=files.metadata.source,
        evidence=preview.evidence,
        missing=preview.missing,
        inputs=_listed(preview.inputs),
        explained=is_explained(preview.missing, preview.inputs),
        notes=notes,
    )


async def _claim(
    conn: Conn, new: NewImport, files: ImportedFiles, project_id: int | None
) -> tuple[Claim, tuple[str, ...]]:
    """Return the claim of a take, and notes on what could not be used."""
    metadata = files.metadata
    used = _used_files(metadata)
    skeleton, trouble = _skeleton(metadata)
    candidates = await load_candidates(conn, used, skeleton, project_id)
    common: dict[str, Any] = {
        "engine": ClaimEngine(
            name=_ENGINES[metadata.source],
            version=new.engine_version or (metadata.webui.version if metadata.webui is not None else None),
        ),
        "recorder": Recorder(name=RECORDER, version=VERSION),
        "note": f"Imported from {new.name}.",
    }
    notes = (*_notes(metadata), *trouble)
    if metadata.reading is not None:
        graph = files.parts.graph and files.parts.graph.digest
        best = Evidence.MATCHED_BY_DIGEST
        return claim_from_run(metadata.reading, used, candidates, evidence=best, graph=graph, **common), notes
    best = Evidence.DECLARED if metadata.webui is None else Evidence.MATCHED_BY_NAME
    parameters = accepted({} if metadata.webui is None else metadata.webui.parameters)
    return Claim(parameters=parameters, **common, **inputs_and_evidence(used, candidates, best)), notes


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


async def _imported(
    conn: Conn, recorded: Sequence[tuple[ImportTarget, Receipt]], outcome: ImportOutcome
) -> list[Imported]:
    """Return the outcome of takes by their receipts; bytes that were registered since are matched by digest."""
    inputs = await _with_versions(
        conn,
        [
            (receipt.project_id, [Input.model_validate(line) for line in receipt.document["inputs"]])
            for _, receipt in recorded
        ],
    )
    names = await ingest_sql.names_of_takes(conn, [receipt.take_id for _, receipt in recorded if receipt.take_id])
    return [
        Imported(
            outcome=outcome,
            project=new.project,
            scene=new.scene,
            segment=names[receipt.take_id or 0].segment,
            name=new.name,
            segment_id=receipt.segment_id,
            take_id=receipt.take_id,
            take=names[receipt.take_id or 0].number,
            receipt_id=receipt.id,
            evidence=receipt.evidence,
            missing=receipt.missing,
            inputs=_listed(each),
            explained=is_explained(receipt.missing, each),
        )
        for (new, receipt), each in zip(recorded, inputs, strict=True)
    ]


def _listed(inputs: Iterable[Input]) -> tuple[ImportedInput, ...]:
    return tuple(
        ImportedInput(role=each.role, name=each.name, asset_id=each.asset, version=each.version, digest=each.digest)
        for each in inputs
        if each.via is None
    )


async def _with_versions(conn: Conn, takes: Sequence[tuple[int | None, list[Input]]]) -> list[list[Input]]:
    """Return the inputs of takes (of a project each) with the versions that have their bytes today.

    A name proves nothing later: it is unchanged.
    """
    unknown = {
        (project_id, each): UsedFile(role=each.role.value, name=each.name or "", digest=each.digest)
        for project_id, inputs in takes
        for each in inputs
        if each.digest is not None and each.version is None and each.take is None
    }
    matches: dict[tuple[int | None, Input], Match | None] = {}
    for project_id in {project_id for project_id, _ in unknown}:
        files = {key: used for key, used in unknown.items() if key[0] == project_id}
        candidates = await load_candidates(conn, tuple(files.values()), None, project_id)
        matches |= {key: candidates.match(used) for key, used in files.items()}
    return [
        [
            each.model_copy(update={"asset": match.asset_id, "version": match.number})
            if (match := matches.get((project_id, each))) is not None and match.by == "digest"
            else each
            for each in inputs
        ]
        for project_id, inputs in takes
    ]


def _notes(metadata: TakeMetadata) -> tuple[str, ...]:
    """Return what the files contain that could not be used."""
    notes = [] if metadata.embedded.without_graph is None else [metadata.embedded.without_graph]
    if metadata.embedded.text is not None and metadata.webui is None:
        notes.append("its text of parameters has an unknown form")
    if metadata.reading is not None:
        notes += [f"{unresolved.word}: {unresolved.reason}" for unresolved in metadata.reading.unresolved]
    return tuple(dict.fromkeys(notes))
