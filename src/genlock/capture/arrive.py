"""What becomes of a run that arrives: a take with its receipt, a place in the inbox, or a note that nothing was made.

    record ─┬─ rendered by Genlock itself ──────▶ dismissed: its receipt is made by whoever started it
            ├─ failed, interrupted ─────────────▶ failed
            ├─ all from ComfyUI's cache ────────▶ repeated, beside the receipt of what it showed again
            ├─ a segment is named and is there ─▶ recorded: claim ─▶ take + receipt
            └─ else ────────────────────────────▶ inbox, until a person assigns it

A run is taken in once: the same run again is answered with what became of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from genlock.blobs.store import Store
from genlock.capture import inbox_sql, shelf_sql, unmanaged
from genlock.capture.belongs import place_of, video_of, without_places
from genlock.capture.claims import claim_from_run, graph_bytes, read_run, used_files
from genlock.capture.inbox import Assignment, Capture, Captured, CaptureDetails, CaptureState
from genlock.capture.runs import RunRecord, RunStatus
from genlock.capture.seen import Used
from genlock.capture.shelf import Shelf
from genlock.capture.warnings_sql import out_of_date
from genlock.db.connection import Conn
from genlock.digest import Digest
from genlock.errors import Conflict, Invalid, NotFound
from genlock.events import log
from genlock.graphs.uses import Reading
from genlock.library import sql as library_sql
from genlock.library.kinds import JSON
from genlock.library.skeleton import skeleton_digest
from genlock.model import Actor
from genlock.takes import record
from genlock.takes.claim import Claim, ClaimEngine, Evidence, Observed, Output, Recorder
from genlock.takes.parts import VIDEO, Parts, decode, output_of
from genlock.timeline import sql as timeline

ENGINE = "comfyui"
RECORDER = "genlock-comfyui"
_RENDERED = "Genlock rendered this itself, and its receipt is made there."
_CACHED = "ComfyUI answered from its cache: nothing was generated."
_NO_VIDEO = "It saved no video whose bytes are here."


@dataclass(frozen=True)
class RunParts:
    """What was uploaded with a run, stored already: the graph and the video, as the ``parts`` of a take.

    ``parts`` has no outputs where there is no video that can be a take; ``trouble`` is why not.
    """

    graph: Digest
    parts: Parts
    video: Digest | None = None
    trouble: str | None = None


def gather(store: Store, run: RunRecord) -> RunParts:
    """Return the stored files of a run as parts of a take, its graph included. Blocks."""
    kept = store.put(graph_bytes(run.graph))
    graph = Output(digest=kept.digest, media_type=JSON, size_bytes=kept.size_bytes)
    made = {run.outputs[number].digest for number in run.generated}
    video = video_of(run, {digest for digest in made if digest is not None and store.exists(digest)})
    if video is None or video.digest is None:
        return RunParts(graph.digest, Parts({}, graph))
    try:
        outputs, facts = decode(store, {VIDEO: output_of(store, video.digest)})
    except Invalid as damaged:
        return RunParts(graph.digest, Parts({}, graph), video.digest, trouble=damaged.message)
    return RunParts(graph.digest, Parts(outputs, graph, video=facts), video.digest)


async def introduce(conn: Conn, run: RunRecord, actor: Actor) -> None:
    """Make assets of weights that a run used and nobody registered; in a transaction before that of ``arrive``.

    It holds the library's lock, which must not be waited for by whoever holds a scene.
    """
    if run.status is not RunStatus.SUCCESS or run.rendered_by_genlock:
        return
    place = place_of(run).place
    segment_id = None if place is None else await inbox_sql.segment_at_place(conn, place)
    project_id = None if segment_id is None else (await timeline.get_segment(conn, segment_id)).project_id
    try:
        _, used = _read(run, None)
        shelf = await _shelve(conn, run, used, project_id)
        if not unmanaged.unknown_weights(used, shelf, await unmanaged.unmanaged_assets(conn, shelf)):
            return
        await library_sql.lock(conn)
        shelf = await _shelve(conn, run, used, project_id)  # again: another run may have met the same files
    except Invalid:
        return  # whatever the graph is, ``arrive`` says so
    unknown = unmanaged.unknown_weights(used, shelf, await unmanaged.unmanaged_assets(conn, shelf))
    sizes = {seen.digest: seen.size_bytes or 0 for seen in run.files if seen.digest is not None}
    await unmanaged.register(conn, unknown, sizes, actor)


async def arrive(conn: Conn, run: RunRecord, came: RunParts, actor: Actor) -> tuple[Captured, bool]:
    """Take in a run; what became of it, and whether it is new here."""
    belongs = place_of(run)
    capture_id = await inbox_sql.insert_capture(conn, run, came.graph, came.video, belongs.place, actor)
    if capture_id is None:
        known = await inbox_sql.by_run(conn, run.run)
        if known is None:  # it is being taken in elsewhere, and that may still fail
            raise Conflict("This run is just arriving.", hint="Send it again in a moment.", code="capture_in_progress")
        return Captured(run=run.run, capture=known), False
    await record.store_parts(conn, came.parts)
    warnings: tuple[str, ...] = ()
    if run.rendered_by_genlock:
        await inbox_sql.settle(conn, capture_id, CaptureState.DISMISSED, _RENDERED)
    elif run.status is not RunStatus.SUCCESS:
        await inbox_sql.settle(conn, capture_id, CaptureState.FAILED, run.said_of_error)
    elif not run.generated and run.cached_nodes:
        shown = [output.digest for output in run.outputs if output.digest is not None]
        receipt_id = await inbox_sql.receipt_of_repeated(conn, came.graph, shown)
        await inbox_sql.settle(conn, capture_id, CaptureState.REPEATED, _CACHED, receipt_id=receipt_id)
    else:
        capture = await inbox_sql.get_capture(conn, capture_id)
        segment_id, why = None, belongs.why
        if belongs.place is not None:
            segment_id = await inbox_sql.segment_at_place(conn, belongs.place)
            why = None if segment_id is not None else _nowhere(capture)
        warnings = await _place(conn, capture, came, segment_id, why, actor)
    told = await inbox_sql.get_capture(conn, capture_id)
    await _tell(conn, told, actor)
    return Captured(run=run.run, capture=_plain(told), warnings=warnings), True


async def assign(conn: Conn, capture_id: int, wanted: Assignment, came: RunParts, actor: Actor) -> Captured:
    """Record a capture as a take of a segment. ``Conflict`` if it is one already, or can be none."""
    capture = await inbox_sql.lock_capture(conn, capture_id)
    if capture.state is CaptureState.RECORDED:
        raise Conflict(
            f"Capture {capture_id} is a take already, with receipt {capture.receipt_id}.",
            hint="Record the run for another segment by rendering it there.",
        )
    if capture.state in {CaptureState.FAILED, CaptureState.REPEATED}:
        raise Conflict(
            f"Capture {capture_id} made nothing: {capture.why}", hint="Only a run that made a video becomes a take."
        )
    await record.store_parts(conn, came.parts)
    await timeline.get_segment(conn, wanted.segment_id)
    warnings = await _record(conn, capture, came, wanted.segment_id, actor, select=wanted.select)
    told = await inbox_sql.get_capture(conn, capture_id)
    await _tell(conn, told, actor)
    return Captured(run=capture.run, capture=_plain(told), warnings=warnings)


async def dismiss(conn: Conn, capture_id: int, actor: Actor) -> Capture:
    """Take a capture out of the inbox. The record stays. ``Conflict`` for one that is a take."""
    capture = await inbox_sql.lock_capture(conn, capture_id)
    if capture.state is CaptureState.RECORDED:
        raise Conflict(f"Capture {capture_id} is a take; takes stay.", hint="Select another take, or archive.")
    if capture.state is not CaptureState.DISMISSED:
        why = f"Dismissed by {actor.name}."
        await inbox_sql.settle(conn, capture_id, CaptureState.DISMISSED, why, receipt_id=capture.receipt_id)
        await _tell(conn, await inbox_sql.get_capture(conn, capture_id), actor)
    return _plain(await inbox_sql.get_capture(conn, capture_id))


async def _place(
    conn: Conn, capture: CaptureDetails, came: RunParts, segment_id: int | None, why: str | None, actor: Actor
) -> tuple[str, ...]:
    """Record a new run where it belongs, or leave it in the inbox with the reason."""
    if segment_id is not None:
        try:
            async with conn.transaction():
                return await _record(conn, capture, came, segment_id, actor, select=True)
        except (Invalid, NotFound, Conflict) as refused:
            why = refused.message
    await inbox_sql.settle(conn, capture.id, CaptureState.INBOX, why)
    try:
        _, used = _read(capture.record, came.video)
        shelf = await _shelve(conn, capture.record, used, None)
    except Invalid:
        return ()  # a graph that cannot be read has no inputs to warn of; assigning it says why
    return await out_of_date(conn, used, shelf)


async def _record(
    conn: Conn, capture: CaptureDetails, came: RunParts, segment_id: int, actor: Actor, *, select: bool
) -> tuple[str, ...]:
    """The take and its receipt."""
    run = capture.record
    if came.trouble is not None or not came.parts.outputs:
        raise Conflict(came.trouble or _NO_VIDEO, hint="Send the run again with its files, or render it anew.")
    segment = await timeline.get_segment(conn, segment_id)
    reading, used = _read(run, came.video)
    shelf = await _shelve(conn, run, used, segment.project_id)
    claim = _claim(run, reading, used, shelf, came)
    recorded = await record.record_take(conn, segment_id, claim, came.parts, actor, select=select)
    receipt_id = recorded.receipt.id
    await inbox_sql.settle(conn, capture.id, CaptureState.RECORDED, segment_id=segment_id, receipt_id=receipt_id)
    return await out_of_date(conn, used, shelf)


def _read(run: RunRecord, video: Digest | None) -> tuple[Reading, tuple[Used, ...]]:
    """What the graph used to make the video, with the files as they were loaded."""
    graph = without_places(run.graph)
    node = next((output.node for output in run.outputs if output.digest == video), None)
    reading = read_run(graph, run.resolved, node if node in graph else None)
    return reading, used_files(reading, graph, run.files)


async def _shelve(conn: Conn, run: RunRecord, used: Sequence[Used], project_id: int | None) -> Shelf:
    return await shelf_sql.load_shelf(conn, used, skeleton_digest(without_places(run.graph)), project_id)


def _claim(run: RunRecord, reading: Reading, used: Sequence[Used], shelf: Shelf, came: RunParts) -> Claim:
    version = run.environment.get("comfyui")
    return claim_from_run(
        reading,
        used,
        shelf,
        engine=ClaimEngine(
            name=ENGINE,
            version=version if isinstance(version, str) and version else None,
            environment=dict(run.environment),
        ),
        recorder=Recorder(name=RECORDER, version=run.capture.version),
        evidence=Evidence.RECORDED,
        graph=came.graph,
        outputs=came.parts.digests,
        observed=Observed(
            started_at=run.started_at,
            finished_at=run.finished_at,
            duration_s=run.duration_s,
            per_node_s=dict(run.per_node_s),
        ),
    )


async def _tell(conn: Conn, capture: Capture, actor: Actor) -> None:
    project_id = None
    if capture.segment_id is not None:
        project_id = (await timeline.get_segment(conn, capture.segment_id)).project_id
    said = {"state": capture.state.value, "prompt_id": capture.prompt_id, "receipt_id": capture.receipt_id}
    await log.append(
        conn, f"capture.{capture.state.value}", actor, project_id=project_id, subject=f"capture/{capture.id}", data=said
    )


def _plain(capture: CaptureDetails) -> Capture:
    return Capture.model_construct(**{name: getattr(capture, name) for name in Capture.model_fields})


def _nowhere(capture: CaptureDetails) -> str:
    place = capture.place
    return f"There is no segment {place.project}/{place.scene}/{place.segment}." if place is not None else ""
