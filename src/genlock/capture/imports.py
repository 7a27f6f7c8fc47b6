"""Records one take that was made before Genlock, with what its files say of themselves.

    looked at ─┬─ its bytes have a receipt ─▶ exists: nothing is added
               └─ place ─▶ shelf ─▶ claim ─▶ take + receipt

Running an import again adds nothing, whatever was registered meanwhile. A dry run does the same and takes it back.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from genlock.capture import import_sql, places_sql, shelf_sql
from genlock.capture.claims import accepted, claim_from_run, inputs_and_evidence, used_files
from genlock.capture.import_model import (
    Imported,
    ImportedInput,
    ImportOutcome,
    ImportSource,
    NewImport,
    is_explained,
)
from genlock.capture.look import Looked
from genlock.capture.places import Place, segment_names
from genlock.capture.seen import Used
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


async def known_already(conn: Conn, new: NewImport, video: Digest) -> Imported | None:
    """The take that these bytes are already, if they are one: of that segment, or recorded when they were made."""
    project_id = await places_sql.project_of_slug(conn, new.project)
    scene_id = project_id and await places_sql.scene_of_name(conn, project_id, new.scene)
    segment_id = scene_id and await places_sql.segment_of_name(conn, scene_id, segment_names(new.segment))
    receipt_id = await import_sql.receipt_of_file(conn, segment_id, video, RECORDER)
    if receipt_id is None:
        return None
    return await _told(conn, new, await receipt_sql.get_receipt(conn, receipt_id), ImportOutcome.EXISTS)


async def record_import(
    conn: Conn, new: NewImport, looked: Looked, place: Place, last_frame: Output, graph: Output | None, actor: Actor
) -> Imported:
    """Record the take in its segment. It goes into the cut unless a take is there that was not imported."""
    segment = place.segment
    used = _used(looked)
    skeleton, trouble = _skeleton(looked)
    shelf = await shelf_sql.load_shelf(conn, used, skeleton, segment.project_id)
    engine = ClaimEngine(
        name=_ENGINES[looked.source],
        version=new.engine_version or (looked.webui.version if looked.webui is not None else None),
    )
    said: dict[str, Any] = {
        "engine": engine,
        "recorder": Recorder(name=RECORDER, version=version("genlock")),
        "note": f"Imported from {new.name}.",
    }
    if looked.reading is not None:
        best = Evidence.MATCHED_BY_DIGEST
        claim = claim_from_run(
            looked.reading, used, shelf, evidence=best, graph=None if graph is None else graph.digest, **said
        )
    else:
        best = Evidence.DECLARED if looked.webui is None else Evidence.MATCHED_BY_NAME
        parameters = accepted({} if looked.webui is None else looked.webui.parameters)
        claim = Claim(parameters=parameters, **said, **inputs_and_evidence(used, shelf, best))
    outputs = _outputs(looked, last_frame)
    uploaded = {part: output.digest for part, output in outputs.items()}
    take_parts = parts.Parts(outputs, graph, uploaded, looked.video.facts)
    in_the_cut = await receipt_sql.receipt_of_selected(conn, segment.id)
    select = in_the_cut is None or in_the_cut.document.get("recorder", {}).get("name") == RECORDER
    recorded = await record.record_take(conn, segment.id, claim, take_parts, actor, select=select)
    outcome = ImportOutcome.RECORDED if recorded.created else ImportOutcome.EXISTS
    told = await _told(conn, new, recorded.receipt, outcome)
    notes = (*_notes(looked), *trouble)
    return told.model_copy(update={"made": place.made, "source": looked.source, "notes": notes})


def as_dry_run(imported: Imported) -> Imported:
    """The answer of a run that was taken back: nothing of it has an id."""
    if imported.outcome is ImportOutcome.EXISTS:
        return imported
    nothing = dict.fromkeys(("segment_id", "take_id", "take", "receipt_id"))
    return imported.model_copy(update={"outcome": ImportOutcome.WOULD_RECORD, **nothing})


def _used(looked: Looked) -> tuple[Used, ...]:
    if looked.reading is not None and looked.embedded.graph is not None:
        return used_files(looked.reading, looked.embedded.graph, looked.embedded.seen)
    return looked.webui.used if looked.webui is not None else ()


def _skeleton(looked: Looked) -> tuple[Digest | None, tuple[str, ...]]:
    """The effective digest of the graph as a workflow, or why it is none."""
    if looked.embedded.graph is None:
        return None, ()
    try:
        return skeleton_digest(looked.embedded.graph), ()
    except Invalid as error:
        return None, (error.message,)


def _outputs(looked: Looked, last_frame: Output) -> dict[str, Output]:
    """The parts of the take: its video, what is decoded from it, and the same take in other containers."""
    outputs: dict[str, Output] = {}
    for container, file in looked.files.items():
        part = container if outputs else parts.VIDEO
        outputs[part] = Output(digest=file.digest, media_type=file.media_type, size_bytes=file.size_bytes)
    outputs[parts.FRAMES] = Output(digest=looked.video.frames_digest)
    outputs[parts.LAST_FRAME] = last_frame
    return outputs


async def _told(conn: Conn, new: NewImport, receipt: Receipt, outcome: ImportOutcome) -> Imported:
    """What became of a take, as its receipt has it; bytes that were registered since are known by their digest."""
    written = [Input.model_validate(line) for line in receipt.document["inputs"]]
    inputs = await _known_since(conn, written, receipt.project_id)
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
            ImportedInput(role=one.role, name=one.name, asset_id=one.asset, version=one.version, digest=one.digest)
            for one in inputs
            if one.via is None
        ),
        explained=is_explained(receipt.missing, inputs),
    )


async def _known_since(conn: Conn, inputs: list[Input], project_id: int | None) -> list[Input]:
    """Inputs with the versions that have their bytes today. A name proves nothing afterwards: it stays as it was."""
    unknown = {
        one: Used(role=one.role.value, name=one.name or "", digest=one.digest)
        for one in inputs
        if one.digest is not None and one.version is None and one.take is None
    }
    if not unknown:
        return inputs
    shelf = await shelf_sql.load_shelf(conn, tuple(unknown.values()), None, project_id)
    found = {one: shelf.match(used) for one, used in unknown.items()}
    return [
        one.model_copy(update={"asset": match.asset_id, "version": match.number})
        if (match := found.get(one)) is not None and match.by == "digest"
        else one
        for one in inputs
    ]


def _notes(looked: Looked) -> tuple[str, ...]:
    """What was there and could not be used."""
    notes = [] if looked.embedded.without_graph is None else [looked.embedded.without_graph]
    if looked.embedded.text is not None and looked.webui is None:
        notes.append("its text of parameters is of a form that is not known here")
    if looked.reading is not None:
        notes += [f"{one.word}: {one.reason}" for one in looked.reading.unresolved]
    return tuple(dict.fromkeys(notes))
