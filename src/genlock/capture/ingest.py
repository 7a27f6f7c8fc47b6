"""Ingests a run that arrives: it becomes a take, waits in the inbox, or is noted as generating nothing.

    record ─┬─ rendered by Genlock itself ──────▶ dismissed: the worker that started it records its receipt
            ├─ failed, interrupted ─────────────▶ failed
            ├─ all from ComfyUI's cache ────────▶ repeated, next to the receipt of the cached run
            ├─ its segment is named and exists, in a project where the sender may record
            │                                   ─▶ recorded: claim ─▶ take + receipt; for review, not selected, if
            │                                      the selected take is not one of this sender's runs
            └─ else ────────────────────────────▶ inbox, until a person assigns it

A run is ingested once: the same run again returns its capture unchanged. Weights that no version has become assets
whose versions are known by digest alone:

    rain.safetensors, sha256:1a… ── no asset of that name ──▶ lora:rain v1, unmanaged
    rain.safetensors, sha256:2b… ── lora:rain is unmanaged ─▶ lora:rain v2, unmanaged, active
                                 ── lora:rain was uploaded ─▶ nothing: the take is stale by bytes that no version has

Their bytes are not stored, so such a version is equal only to itself: another header makes another version.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from genlock.blobs.store import Store
from genlock.capture import inbox_sql, ingest_sql
from genlock.capture.asset_matching import Candidates, basename
from genlock.capture.asset_matching_sql import load_candidates
from genlock.capture.claims import claim_from_run, graph_bytes, read_run, used_files
from genlock.capture.inbox import Assignment, Capture, Captured, CaptureDetails, CaptureState
from genlock.capture.ingest_sql import SelectedTake
from genlock.capture.run_record import (
    RunRecord,
    RunStatus,
    UsedFile,
    acting_graph,
    declared_segment,
    video_of,
    without_places,
)
from genlock.capture.segment_resolution import segment_for
from genlock.db.connection import Conn
from genlock.digest import Digest
from genlock.engines.animation import is_animated_png
from genlock.engines.media import PNG
from genlock.errors import Conflict, Invalid, NotFound
from genlock.events import log
from genlock.graphs.uses import Reading
from genlock.kinds import JSON, OCTETS, WEIGHTS
from genlock.library import actions as library
from genlock.library import sql as library_sql
from genlock.library.model import NewAsset, NewVersion
from genlock.library.skeleton import skeleton_digest
from genlock.model import Actor, Kind, Model
from genlock.names import name_from
from genlock.staleness import activation
from genlock.takes import input_links, record
from genlock.takes.claim import Claim, ClaimEngine, Evidence, Observed, Output, Recorder
from genlock.takes.parts import VIDEO, Parts, decode, output_of
from genlock.timeline import sql as timeline

ENGINE = "comfyui"
RECORDER = "genlock-comfyui"
UNMANAGED = "unmanaged"
_MANAGED_WEIGHTS = WEIGHTS - {Kind.OTHER}
_RENDERED = "Genlock rendered this itself, and its worker records the receipt."
_CACHED = "ComfyUI answered from its cache: nothing was generated."
_NO_VIDEO = "No video of this run was uploaded."


@dataclass(frozen=True)
class RunParts:
    """What was uploaded with a run, stored already: the graph and the video, as the ``parts`` of a take.

    ``parts`` has no outputs where there is no video that can be a take; ``trouble`` is the reason.
    """

    graph: Digest
    parts: Parts
    video: Digest | None = None
    trouble: str | None = None


class UnknownWeights(Model):
    """Weights that no version has; ``asset_id`` is that of an unmanaged asset of their name."""

    kind: Kind
    name: str
    filename: str
    digest: Digest
    asset_id: int | None


def collect_parts(store: Store, run: RunRecord) -> RunParts:
    """Return the stored files of a run as parts of a take, its graph included. Blocks."""
    blob = store.put(graph_bytes(run.graph))
    graph = Output(digest=blob.digest, media_type=JSON, size_bytes=blob.size_bytes)
    generated = {run.outputs[number].digest for number in run.generated}
    stored_digests = {digest for digest in generated if digest is not None and store.exists(digest)}
    pictures = stored_digests & {output.digest for output in run.outputs if output.media_type == PNG}
    video = video_of(run, stored_digests, {digest for digest in pictures if _is_animated(store, digest)})
    if video is None or video.digest is None:
        return RunParts(graph.digest, Parts({}, graph))
    try:
        outputs, facts = decode(store, {VIDEO: output_of(store, video.digest)})
    except Invalid as damaged:
        return RunParts(graph.digest, Parts({}, graph), video.digest, trouble=damaged.message)
    return RunParts(graph.digest, Parts(outputs, graph, video=facts), video.digest)


def _is_animated(store: Store, digest: Digest) -> bool:
    with store.open(digest) as source:
        return is_animated_png(source)


async def register_weights(conn: Conn, run: RunRecord, actor: Actor) -> None:
    """Register the weights of a run that no version has as unmanaged assets, in a transaction before ``ingest_run``.

    It takes the library's lock, which must not be waited for while a scene is locked.
    """
    if run.status is not RunStatus.SUCCESS or run.rendered_by_genlock:
        return
    place = declared_segment(run).place
    segment_id = None if place is None else (await segment_for(conn, place, actor)).segment_id
    project_id = None if segment_id is None else (await timeline.get_segment(conn, segment_id)).project_id
    try:
        _, used = _read(run, None)
        if not await _unknown_weights(conn, run, used, project_id):
            return
        await library_sql.lock(conn)
        weights = await _unknown_weights(conn, run, used, project_id)  # again: another run may have registered them
    except Invalid:
        return  # ``ingest_run`` reports what is wrong with the graph
    sizes = {file.digest: file.size_bytes or 0 for file in run.files if file.digest is not None}
    await _register(conn, weights, sizes, actor)


async def ingest_run(conn: Conn, run: RunRecord, stored: RunParts, actor: Actor) -> tuple[Captured, bool]:
    """Ingest a run; return its capture, and whether it is new."""
    declaration = declared_segment(run)
    capture_id = await inbox_sql.insert_capture(conn, run, stored.graph, stored.video, declaration.place, actor)
    if capture_id is None:
        existing = await inbox_sql.by_run(conn, run.run)
        if existing is None:  # another request ingests it now, and may still fail
            raise Conflict("This run is just arriving.", hint="Send it again in a moment.", code="capture_in_progress")
        return Captured(run=run.run, capture=existing), False
    await record.store_parts(conn, stored.parts)
    warnings: tuple[str, ...] = ()
    if run.rendered_by_genlock:
        await inbox_sql.set_outcome(conn, capture_id, CaptureState.DISMISSED, _RENDERED)
    elif run.status is not RunStatus.SUCCESS:
        await inbox_sql.set_outcome(conn, capture_id, CaptureState.FAILED, run.error_text)
    elif not run.generated and run.cached_nodes:
        outputs = [output.digest for output in run.outputs if output.digest is not None]
        receipt_id = await ingest_sql.receipt_of_repeated(conn, stored.graph, outputs)
        await inbox_sql.set_outcome(conn, capture_id, CaptureState.REPEATED, _CACHED, receipt_id=receipt_id)
    else:
        capture = await inbox_sql.get_capture(conn, capture_id)
        segment_id, why = None, declaration.why
        if declaration.place is not None:
            segment_id, why = await segment_for(conn, declaration.place, actor)
        warnings = await _record_or_queue(conn, capture, stored, segment_id, why, actor)
    capture = await inbox_sql.get_capture(conn, capture_id)
    await _publish(conn, capture, actor)
    return Captured(run=run.run, capture=_without_record(capture), warnings=warnings), True


async def assign(conn: Conn, capture_id: int, assignment: Assignment, stored: RunParts, actor: Actor) -> Captured:
    """Record a capture as a take of a segment. Raises ``Conflict`` if it is a take already, or cannot become one."""
    capture = await inbox_sql.lock_capture(conn, capture_id)
    if capture.state is CaptureState.RECORDED:
        raise Conflict(
            f"Capture {capture_id} is a take already, with receipt {capture.receipt_id}.",
            hint="Record the run for another segment by rendering it there.",
        )
    if capture.state in {CaptureState.FAILED, CaptureState.REPEATED}:
        raise Conflict(
            f"Capture {capture_id} generated nothing: {capture.why}",
            hint="Only a run that generated a video becomes a take.",
        )
    await record.store_parts(conn, stored.parts)
    await timeline.get_segment(conn, assignment.segment_id)
    warnings = await _record(conn, capture, stored, assignment.segment_id, actor, select=assignment.select)
    assigned = await inbox_sql.get_capture(conn, capture_id)
    await _publish(conn, assigned, actor)
    return Captured(run=capture.run, capture=_without_record(assigned), warnings=warnings)


async def dismiss(conn: Conn, capture_id: int, actor: Actor) -> Capture:
    """Remove a capture from the inbox; its record stays. A take for review stays unselected, and counts as reviewed.

    Raises ``Conflict`` for a capture that is a take and not for review.
    """
    capture = await inbox_sql.lock_capture(conn, capture_id)
    if capture.for_review:
        why = f"{actor.name} reviewed the take and did not select it."
        segment_id, receipt_id = capture.segment_id, capture.receipt_id
        await inbox_sql.set_outcome(
            conn, capture_id, CaptureState.RECORDED, why, segment_id=segment_id, receipt_id=receipt_id
        )
        await _publish(conn, await inbox_sql.get_capture(conn, capture_id), actor)
    elif capture.state is CaptureState.RECORDED:
        raise Conflict(f"Capture {capture_id} is a take; takes stay.", hint="Select another take, or archive.")
    elif capture.state is not CaptureState.DISMISSED:
        why = f"Dismissed by {actor.name}."
        await inbox_sql.set_outcome(conn, capture_id, CaptureState.DISMISSED, why, receipt_id=capture.receipt_id)
        await _publish(conn, await inbox_sql.get_capture(conn, capture_id), actor)
    return _without_record(await inbox_sql.get_capture(conn, capture_id))


def unknown_weights(
    used: Iterable[UsedFile], candidates: Candidates, unmanaged: frozenset[int]
) -> tuple[UnknownWeights, ...]:
    """Return the weights that need a version: those without an asset, or with an unmanaged asset. Pure."""
    weights: dict[tuple[str, Digest], UnknownWeights] = {}
    for file in used:
        if file.digest is None or file.role not in _MANAGED_WEIGHTS:
            continue
        match = candidates.match(file)
        if match is not None and (match.number is not None or match.asset_id not in unmanaged):
            continue
        name = _asset_name(file.name)
        if name:
            weights[name, file.digest] = UnknownWeights(
                kind=Kind(file.role),
                name=name,
                filename=basename(file.name)[:255],
                digest=file.digest,
                asset_id=None if match is None else match.asset_id,
            )
    return tuple(weights.values())


async def _unknown_weights(
    conn: Conn, run: RunRecord, used: Sequence[UsedFile], project_id: int | None
) -> tuple[UnknownWeights, ...]:
    candidates = await _load_candidates(conn, run, used, project_id)
    asset_ids = {candidate.asset_id for candidate in candidates.versions}
    return unknown_weights(used, candidates, await ingest_sql.unmanaged_assets(conn, asset_ids))


async def _register(conn: Conn, weights: Sequence[UnknownWeights], sizes: Mapping[Digest, int], actor: Actor) -> None:
    """Create the assets and versions of weights. The library is locked."""
    created: dict[tuple[Kind, str], int] = {}
    await input_links.lock(conn, [file.digest for file in weights])
    for file in weights:  # a handful, once for each new file
        asset_id = file.asset_id or created.get((file.kind, file.name))
        if asset_id is None:
            if await library_sql.assets_named(conn, [(file.kind, file.name)], None):
                continue  # archived, or managed under the same name: a person decides
            asset = await library.create_asset(conn, NewAsset(kind=file.kind, name=file.name), actor)
            asset_id = created[file.kind, file.name] = asset.id
        new = NewVersion(
            digest=file.digest,
            effective_digest=file.digest,
            size_bytes=sizes.get(file.digest, 0),
            media_type=OCTETS,
            filename=file.filename,
            note="seen in ComfyUI; its bytes are not stored here",
            details={UNMANAGED: True},
        )
        await activation.add_version(conn, asset_id, new, actor)


async def _record_or_queue(
    conn: Conn, capture: CaptureDetails, stored: RunParts, segment_id: int | None, why: str | None, actor: Actor
) -> tuple[str, ...]:
    """Record a new run as a take of its segment, or leave it in the inbox with the reason; return the warnings."""
    if segment_id is not None:
        try:
            async with conn.transaction():
                return await _record(conn, capture, stored, segment_id, actor, select=None)
        except (Invalid, NotFound, Conflict) as refused:
            why = refused.message
    await inbox_sql.set_outcome(conn, capture.id, CaptureState.INBOX, why)
    try:
        _, used = _read(capture.record, stored.video)
        candidates = await _load_candidates(conn, capture.record, used, None)
    except Invalid:
        return ()  # a graph that cannot be read has no inputs to warn about; assigning it reports the reason
    return await _outdated(conn, used, candidates)


async def _record(
    conn: Conn, capture: CaptureDetails, stored: RunParts, segment_id: int, actor: Actor, *, select: bool | None
) -> tuple[str, ...]:
    """Record the take and its receipt; return the warnings.

    ``select`` is whether to select the take; None selects it unless the selected take came from elsewhere.
    """
    run = capture.record
    if stored.trouble is not None or not stored.parts.outputs:
        raise Conflict(stored.trouble or _NO_VIDEO, hint="Send the run again with its files, or render it again.")
    segment = await timeline.get_segment(conn, segment_id)
    reading, used = _read(run, stored.video)
    candidates = await _load_candidates(conn, run, used, segment.project_id)
    claim = _claim(run, reading, used, candidates, stored)
    await timeline.lock_scene_of(conn, segment_id)  # so that no other take is selected meanwhile
    rival = await ingest_sql.selected_from_elsewhere(conn, segment_id, actor) if select is None else None
    recorded = await record.record_take(
        conn, segment_id, claim, stored.parts, actor, select=rival is None if select is None else select
    )
    for_review = rival is not None and recorded.take.id != rival.take_id
    await inbox_sql.set_outcome(
        conn,
        capture.id,
        CaptureState.RECORDED,
        _for_review(recorded.take.number, rival) if rival is not None and for_review else None,
        segment_id=segment_id,
        receipt_id=recorded.receipt.id,
        for_review=for_review,
    )
    return await _outdated(conn, used, candidates)


async def _outdated(conn: Conn, used: Sequence[UsedFile], candidates: Candidates) -> tuple[str, ...]:
    """Return a warning for each asset that a run used in a version that is not its active one."""
    matches = [candidates.match(file) for file in used]
    versions = {(match.asset_id, match.number) for match in matches if match is not None and match.number is not None}
    return await ingest_sql.outdated(conn, sorted(versions))


def _read(run: RunRecord, video: Digest | None) -> tuple[Reading, tuple[UsedFile, ...]]:
    """Return what the graph used to generate the video, with the files as they were loaded."""
    graph = acting_graph(run)
    node = next((output.node for output in run.outputs if output.digest == video), None)
    reading = read_run(graph, run.resolved, node if node in graph else None)
    return reading, used_files(reading, graph, run.files)


async def _load_candidates(conn: Conn, run: RunRecord, used: Sequence[UsedFile], project_id: int | None) -> Candidates:
    return await load_candidates(conn, used, skeleton_digest(without_places(run.graph)), project_id)


def _claim(
    run: RunRecord, reading: Reading, used: Sequence[UsedFile], candidates: Candidates, stored: RunParts
) -> Claim:
    version = run.environment.get("comfyui")
    return claim_from_run(
        reading,
        used,
        candidates,
        engine=ClaimEngine(
            name=ENGINE,
            version=version if isinstance(version, str) and version else None,
            environment=dict(run.environment),
        ),
        recorder=Recorder(name=RECORDER, version=run.capture.version),
        evidence=Evidence.MATCHED_BY_NAME if run.capture.reasons else Evidence.RECORDED,
        unobserved=run.capture.reasons,
        graph=stored.graph,
        outputs=stored.parts.digests,
        observed=Observed(
            started_at=run.started_at,
            finished_at=run.finished_at,
            duration_s=run.duration_s,
            per_node_s=dict(run.per_node_s),
        ),
    )


async def _publish(conn: Conn, capture: Capture, actor: Actor) -> None:
    project_id = None
    if capture.segment_id is not None:
        project_id = (await timeline.get_segment(conn, capture.segment_id)).project_id
    data = {
        "state": capture.state.value,
        "prompt_id": capture.prompt_id,
        "receipt_id": capture.receipt_id,
        "for_review": capture.for_review,
    }
    await log.append(
        conn, f"capture.{capture.state.value}", actor, project_id=project_id, subject=f"capture/{capture.id}", data=data
    )


def _without_record(capture: CaptureDetails) -> Capture:
    return Capture.model_construct(**{name: getattr(capture, name) for name in Capture.model_fields})


def _for_review(number: int, rival: SelectedTake) -> str:
    return (
        f"Take {number} is for review: the selected take {rival.number} was recorded by {rival.recorded_by}, "
        "not by this ComfyUI."
    )


def _asset_name(filename: str) -> str:
    """Return the stem of a file as an asset's name; empty if no character of it is allowed."""
    name = basename(filename)
    return name_from(name.rpartition(".")[0] or name)
