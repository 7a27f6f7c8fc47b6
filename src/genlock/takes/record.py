"""Records takes and generated versions: one transaction writes everything that follows from a claim.

    claim + parts ─▶ stored blobs ─▶ facts ─▶ receipt ─▶ take + inputs + outputs ─▶ selected take ─▶ event

Every take is recorded here, whether it comes from the API, an import, a run of ComfyUI or a plan.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from genlock.blobs import sql as blobs
from genlock.db.connection import Conn, flush, pipelined
from genlock.digest import Digest
from genlock.errors import Conflict, Invalid, NotFound
from genlock.events import log
from genlock.kinds import OCTETS
from genlock.library.model import VersionRef
from genlock.model import Actor
from genlock.takes import receipt_sql, record_sql, selection, take_sql
from genlock.takes.claim import Claim, Output
from genlock.takes.claim_lookup_sql import Project, load_facts
from genlock.takes.claim_resolution import Facts, FrameFact, resolve, seed_frames_by_digest, workload_of
from genlock.takes.model import Receipt, Recorded, RecordedIds, Take
from genlock.takes.parts import Parts, with_video_facts
from genlock.takes.receipt import NewReceipt, Subject, Workload, claim_digest, compose, origins_of
from genlock.takes.record_sql import Place

_CHUNK = 100  # receipts per statement of a large batch: the database writes them while the next ones are composed
ClaimKey = tuple[int, Digest]
"""The identity of a recording: its segment and the digest of the claim."""
Places = Mapping[ClaimKey, Place]


@dataclass(frozen=True, slots=True)
class Recording:
    """A claim for a segment, with its parts. ``step_id`` is the step of a plan that rendered it."""

    segment_id: int
    claim: Claim
    parts: Parts
    step_id: int | None = None

    @property
    def claim_digest(self) -> Digest:
        """Return the digest that identifies the claim within its segment."""
        return claim_digest(self.claim, self.parts.uploaded)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A recording with all its parts stored, and the digest that identifies it."""

    segment_id: int
    claim: Claim
    claim_digest: Digest
    outputs: Mapping[str, Output]
    graph: Digest | None
    step_id: int | None

    @property
    def key(self) -> ClaimKey:
        return (self.segment_id, self.claim_digest)

    @property
    def unnamed_frames(self) -> tuple[tuple[int | None, Digest], ...]:
        """The seed frames that the claim names by digest only, each with the claim's segment."""
        return seed_frames_by_digest(self.segment_id, self.claim)


async def record_take(
    conn: Conn, segment_id: int, claim: Claim, parts: Parts, actor: Actor, *, select: bool = True
) -> Recorded:
    """Record a claim as ``record_takes`` does; return the take and its receipt, new or existing."""
    places, receipts = await _record(conn, [Recording(segment_id, claim, parts)], actor, select, None)
    (place,) = places
    if not receipts:
        return Recorded(
            take=await take_sql.get_take_by_id(conn, place.take_id),
            receipt=await receipt_sql.get_receipt(conn, place.receipt_id),
            created=False,
        )
    return _recorded(receipts[0], place, actor, selected=select)


async def record_takes(
    conn: Conn,
    recordings: Sequence[Recording],
    actor: Actor,
    *,
    select: bool = True,
    only_if: Mapping[int, int | None] | None = None,
) -> tuple[RecordedIds, ...]:
    """Record claims in order, all or nothing, and select the newest take of each segment.

    A claim that was already recorded for its segment returns the same ids and writes nothing. ``only_if`` (segment →
    take id) selects a new take only where that take is still selected. Raise ``NotFound`` for unknown segments,
    ``Invalid`` for claims that cannot be resolved and for outputs that are not stored, ``Conflict`` for archived
    segments.
    """
    if not recordings:
        return ()
    places, receipts = await _record(conn, recordings, actor, select, only_if)
    digests = {receipt.receipt_id: receipt.receipt_digest for receipt in receipts}
    return tuple(
        RecordedIds.model_construct(
            segment_id=place.segment_id,
            take_id=place.take_id,
            take=place.take,
            receipt_id=place.receipt_id,
            receipt_digest=place.receipt_digest or digests[place.receipt_id],
            created=place.receipt_id in digests,
        )
        for place in places
    )


async def record_version(
    conn: Conn,
    version: VersionRef,
    derivation_id: int | None,
    claim: Claim,
    parts: Parts,
    step_id: int | None,
    actor: Actor,
    project_id: int | None,
) -> int:
    """Record how a version of an asset was generated; return the receipt's id. Its derivation must be registered."""
    outputs = await _store_parts(conn, [parts])
    facts = await load_facts(conn, [claim], Project(project_id), ())
    inputs = resolve(claim, facts, None)
    receipt = compose(
        await record_sql.next_receipt_id(conn),
        Subject(asset=version.asset_id, version=version.number),
        claim,
        inputs,
        outputs[0],
        parts.graph and parts.graph.digest,
        claim_digest=claim_digest(claim, parts.digests),
        workload=workload_of(claim, inputs, facts),
        project_id=project_id,
        derivation_id=derivation_id,
        step_id=step_id,
    )
    await _write(conn, [receipt], facts.workloads, actor, {})
    return receipt.receipt_id


async def store_parts(conn: Conn, parts: Parts) -> None:
    """Register the blobs of parts that may become a take later. Raise ``Invalid`` for outputs that are not stored."""
    await _store_parts(conn, [parts])


async def _record(
    conn: Conn, recordings: Sequence[Recording], actor: Actor, select: bool, only_if: Mapping[int, int | None] | None
) -> tuple[list[Place], list[NewReceipt]]:
    """Return the place of each claim in order, and the receipts of the new ones."""
    async with pipelined(conn):
        claims = await _prepare(conn, recordings)
        distinct: dict[ClaimKey, _Prepared] = {}
        for claim in claims:
            distinct.setdefault(claim.key, claim)
        places, facts = await _lock(conn, distinct)
        ordered = [places[claim.key] for claim in claims]
        new = [claim for key, claim in distinct.items() if places[key].receipt_digest is None]
        if not new:
            return ordered, []
        newest = {claim.segment_id: places[claim.key].take_id for claim in new} if select else {}
        if newest and only_if is not None:
            current = await record_sql.selected_takes(conn, list(newest))
            newest = {segment: take for segment, take in newest.items() if current.get(segment) == only_if.get(segment)}
        receipts = await _compose_and_write(conn, new, places, facts, actor, newest)
        if newest:
            await selection.relink_scenes(conn, list({place.scene_id for place in places.values()}), list(newest))
        await _publish(conn, receipts, actor)
    return ordered, receipts


async def _prepare(conn: Conn, recordings: Sequence[Recording]) -> list[_Prepared]:
    """Return the claims with their parts stored."""
    outputs = await _store_parts(conn, [recording.parts for recording in recordings])
    return [
        _Prepared(
            segment_id=recording.segment_id,
            claim=with_video_facts(recording.claim, recording.parts.video),
            claim_digest=recording.claim_digest,
            outputs=stored,
            graph=recording.parts.graph and recording.parts.graph.digest,
            step_id=recording.step_id,
        )
        for recording, stored in zip(recordings, outputs, strict=True)
    ]


async def _store_parts(conn: Conn, parts: Sequence[Parts]) -> list[dict[str, Output]]:
    """Register the blobs of parts; return the outputs of each, named ones with their size and media type."""
    stored = {output.digest: output for each in parts for output in each.stored}
    named = {digest for each in parts for digest in each.named}
    registered = await blobs.stored(conn, named | stored.keys()) if named or stored else {}
    # Most blobs are already registered; register the others, and those that were marked as gone.
    new = [output for digest, output in stored.items() if digest not in registered]
    await blobs.note_blobs(
        conn, [(output.digest, output.size_bytes or 0, output.media_type or OCTETS) for output in new]
    )
    _check_stored(named - stored.keys() - registered.keys())
    return [
        {
            part: output
            if output.size_bytes is not None or (blob := registered.get(output.digest)) is None
            else Output(digest=output.digest, media_type=blob.media_type, size_bytes=blob.size_bytes)
            for part, output in each.outputs.items()
        }
        for each in parts
    ]


def _check_stored(absent: Iterable[Digest]) -> None:
    lost = sorted(absent)
    if lost:
        raise Invalid(
            f"The bytes of an output are not stored: {lost[0]}" + (f", and {len(lost) - 1} more." if lost[1:] else "."),
            hint="Upload them with the claim, or record without naming them.",
            code="not_stored",
        )


async def _lock(conn: Conn, claims: Mapping[ClaimKey, _Prepared]) -> tuple[Places, Facts]:
    """Lock the scenes of claims, and load their places and facts in one round trip."""
    segment_ids = {segment_id for segment_id, _ in claims}
    await record_sql.lock_scenes(conn, segment_ids)
    request = await record_sql.ask_places(conn, list(claims))
    project = Project(of_segment=next(iter(segment_ids)))
    frames = {frame for claim in claims.values() for frame in claim.unnamed_frames}
    facts = await load_facts(conn, [claim.claim for claim in claims.values()], project, frames)
    places = await record_sql.places_of(request)
    for segment_id, digest in claims:
        place = places.get((segment_id, digest))
        if place is None:
            raise NotFound(f"There is no segment {segment_id}.", hint="`genlock project show` lists segments.")
        if place.archived:
            raise Conflict(f"The segment {place.name!r} is archived.", hint="Restore it before recording takes.")
    if len({place.project_id for place in places.values()}) != 1:
        raise Invalid("One batch records takes of one project.", hint="Send one batch for each project.")
    return places, facts


async def _compose_and_write(
    conn: Conn,
    claims: Sequence[_Prepared],
    places: Places,
    facts: Facts,
    actor: Actor,
    selected: Mapping[int, int],
) -> list[NewReceipt]:
    frames, by_digest = dict(facts.frames), dict(facts.frames_by_digest)
    facts = facts.model_copy(update={"frames": frames, "frames_by_digest": by_digest})
    batch_frames: dict[
        tuple[int | None, Digest], int
    ] = {}  # takes of this batch by segment and part; None is any segment
    workloads = facts.workloads
    receipts: list[NewReceipt] = []
    for start in range(0, len(claims), _CHUNK):
        for claim in claims[start : start + _CHUNK]:
            place = places[claim.key]
            # A batch may contain a chain: a later claim continues the frame of an earlier one.
            for segment_id, digest in claim.unnamed_frames:
                earlier = batch_frames.get((place.before_id, digest)) or by_digest.get((segment_id, digest))
                earlier = earlier or batch_frames.get((None, digest))
                if earlier is not None:
                    by_digest[segment_id, digest] = earlier
            receipt = _compose(claim, place, facts)
            receipts.append(receipt)
            parts = {part: output.digest for part, output in claim.outputs.items()}
            batch_frames |= {(key, part): place.take_id for part in parts.values() for key in (claim.segment_id, None)}
            frames[place.take_id] = FrameFact.model_construct(
                take_id=place.take_id, segment_id=claim.segment_id, parts=parts, origins=origins_of(receipt.inputs)
            )
        workloads = await _write(conn, receipts[start:], workloads, actor, selected)
        await flush(conn)
    return receipts


def _compose(claim: _Prepared, place: Place, facts: Facts) -> NewReceipt:
    inputs = resolve(claim.claim, facts, claim.segment_id)
    return compose(
        place.receipt_id,
        Subject(segment=claim.segment_id, take=place.take),
        claim.claim,
        inputs,
        claim.outputs,
        claim.graph,
        claim_digest=claim.claim_digest,
        workload=workload_of(claim.claim, inputs, facts),
        take_id=place.take_id,
        project_id=place.project_id,
        step_id=claim.step_id,
    )


async def _write(
    conn: Conn,
    receipts: Sequence[NewReceipt],
    workloads: Mapping[Workload, int],
    actor: Actor,
    selected: Mapping[int, int],
) -> Mapping[Workload, int]:
    """Write receipts; return the ids of all workloads, new ones included."""
    new = {receipt.workload for receipt in receipts if receipt.workload is not None} - set(workloads)
    if new:
        workloads = {**workloads, **await record_sql.insert_workloads(conn, new)}
    await record_sql.insert_history(conn, receipts, workloads, actor, selected)
    return workloads


def _recorded(receipt: NewReceipt, place: Place, actor: Actor, *, selected: bool) -> Recorded:
    """Build the take and the receipt as they would be read from the database."""
    observed = receipt.claim.observed
    # Constructed without validation: the values were validated before or come from the database.
    take = Take.model_construct(
        id=place.take_id,
        segment_id=place.segment_id,
        number=place.take,
        receipt_id=place.receipt_id,
        selected=selected,
        recorded_at=place.now,
        recorded_by=actor.name,
        duration_s=observed and observed.duration_s,
        engine=receipt.claim.engine.name,
        evidence=receipt.evidence,
        missing=receipt.missing,
        unregistered=receipt.unregistered,
        outputs={part: output.digest for part, output in receipt.outputs.items()},
    )
    stored = Receipt.model_construct(
        id=place.receipt_id,
        project_id=place.project_id,
        segment_id=place.segment_id,
        take_id=place.take_id,
        asset_id=None,
        version=None,
        receipt_digest=receipt.receipt_digest,
        inputs_digest=receipt.inputs_digest,
        claim_digest=receipt.claim_digest,
        evidence=receipt.evidence,
        missing=receipt.missing,
        recorded_at=place.now,
        recorded_by=actor.name,
        document=json.loads(receipt.document),  # numbers as digested, not as written in the claim
    )
    return Recorded.model_construct(take=take, receipt=stored, created=True)


async def _publish(conn: Conn, receipts: Sequence[NewReceipt], actor: Actor) -> None:
    takes = [
        {"segment_id": receipt.segment_id, "take_id": receipt.take_id, "take": receipt.take} for receipt in receipts
    ]
    subject = f"take/{receipts[0].take_id}" if len(receipts) == 1 else None
    await log.send(
        conn, "take.recorded", actor, project_id=receipts[0].project_id, subject=subject, data={"takes": takes}
    )
