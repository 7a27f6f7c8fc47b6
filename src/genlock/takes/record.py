"""Records claims: one transaction writes takes, receipts and what they mean for the present, once.

claims ─▶ facts ─▶ receipts ─▶ takes + receipts + inputs + outputs ─▶ selected takes ─▶ event
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from genlock.db.connection import Conn
from genlock.digest import Digest
from genlock.errors import Conflict, Invalid, NotFound
from genlock.events import log
from genlock.library.model import VersionRef
from genlock.model import Actor
from genlock.takes import document as doc
from genlock.takes import present, record_sql
from genlock.takes.claim import Claim, InputRole, Output
from genlock.takes.compose import Workload, Written, compose, origins_of
from genlock.takes.document import Subject
from genlock.takes.facts_sql import load_facts
from genlock.takes.model import RecordedIds
from genlock.takes.record_sql import Place
from genlock.takes.resolve import FrameFact

Places = Mapping[tuple[int, Digest], Place]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A claim for a segment, with the parts whose bytes are stored already and the graph's digest."""

    segment_id: int
    claim: Claim
    outputs: Mapping[str, Output]
    claim_digest: Digest
    graph: Digest | None = None
    step_id: int | None = None


def arrival(
    segment_id: int,
    claim: Claim,
    outputs: Mapping[str, Output],
    uploaded: Mapping[str, Digest],
    graph: Digest | None = None,
    step_id: int | None = None,
) -> Arrival:
    """A claim ready to be recorded; ``uploaded`` are the parts that came with it and make it that claim."""
    return Arrival(segment_id, claim, outputs, doc.claim_digest(claim, uploaded), graph, step_id)


async def record_takes(
    conn: Conn,
    arrivals: Sequence[Arrival],
    actor: Actor,
    *,
    select: bool = True,
    only_if: Mapping[int, int | None] | None = None,
) -> tuple[RecordedIds, ...]:
    """Record claims in order, all or nothing, and put the newest take of each segment in the cut.

    A claim that a segment has already is answered with its ids and writes nothing. ``only_if`` (segment → take id)
    selects a new take only where that take is still the selected one. Raises ``NotFound`` for unknown segments,
    ``Invalid`` for what cannot be resolved, ``Conflict`` for archived segments.
    """
    if not arrivals:
        return ()
    async with conn.pipeline():
        places = await _hold(conn, arrivals)
        first = {_key(one): one for one in reversed(arrivals) if places[_key(one)].take_id is None}
        written: list[Written] = []
        if first:
            written = await _write(conn, list(reversed(first.values())), places, actor)
            if select:
                await _select(conn, written, {place.scene_id for place in places.values()}, actor, only_if)
            await _tell(conn, written, actor)
    made = {(one.segment_id, one.claim_digest): one for one in written}
    return tuple(_ids(made.get(_key(one)), places[_key(one)]) for one in arrivals)


async def record_version(
    conn: Conn,
    made: VersionRef,
    derivation_id: int | None,
    claim: Claim,
    outputs: Mapping[str, Output],
    graph: Digest | None,
    step_id: int | None,
    actor: Actor,
    project_id: int | None,
) -> int:
    """Record how a version of an asset was generated; the receipt's id. The derivation it made is registered."""
    facts = await load_facts(conn, [claim], project_id, ())
    receipt_id = await record_sql.draw_receipt(conn)
    uploaded = {part: output.digest for part, output in outputs.items()}
    subject = Subject(asset=made.asset_id, version=made.number)
    one = compose(claim, outputs, graph, subject, facts, doc.claim_digest(claim, uploaded), receipt_id)
    one = replace(one, derivation_id=derivation_id, step_id=step_id, project_id=project_id)
    await _keep(conn, [one], facts.workloads, actor)
    return receipt_id


def _key(one: Arrival) -> tuple[int, Digest]:
    return (one.segment_id, one.claim_digest)


async def _hold(conn: Conn, arrivals: Sequence[Arrival]) -> Places:
    await record_sql.hold_scenes(conn, {one.segment_id for one in arrivals})
    places = await record_sql.places_of(conn, [_key(one) for one in arrivals])
    for one in arrivals:
        place = places.get(_key(one))
        if place is None:
            raise NotFound(f"There is no segment {one.segment_id}.", hint="`genlock project show` lists segments.")
        if place.archived:
            raise Conflict(f"The segment {place.name!r} is archived.", hint="Restore it before recording takes.")
    if len({place.project_id for place in places.values()}) != 1:
        raise Invalid("One batch records takes of one project.", hint="Send one batch for each project.")
    return places


async def _write(conn: Conn, arrivals: Sequence[Arrival], places: Places, actor: Actor) -> list[Written]:
    project_id = places[_key(arrivals[0])].project_id
    continued = [_continued(one, places[_key(one)]) for one in arrivals]
    claims = [one.claim for one in arrivals]
    facts = await load_facts(conn, claims, project_id, {frame for frames in continued for frame in frames})
    frames, by_digest = dict(facts.frames), dict(facts.frames_by_digest)
    facts = facts.model_copy(update={"frames": frames, "frames_by_digest": by_digest})
    made: dict[tuple[int | None, Digest], int] = {}
    written: list[Written] = []
    drawn = await record_sql.draw_takes(conn, [one.segment_id for one in arrivals])
    for one, (number, take_id, receipt_id), continues in zip(arrivals, drawn, continued, strict=True):
        # One batch may hold a chain: a later claim continues the frame of an earlier one.
        for segment_id, before_id, digest in continues:
            earlier = made.get((before_id, digest)) or by_digest.get((segment_id, digest)) or made.get((None, digest))
            if earlier is not None:
                by_digest[segment_id, digest] = earlier
        subject = Subject(segment=one.segment_id, take=number)
        receipt = compose(one.claim, one.outputs, one.graph, subject, facts, one.claim_digest, receipt_id)
        written.append(replace(receipt, take_id=take_id, project_id=project_id, step_id=one.step_id))
        parts = {part: output.digest for part, output in one.outputs.items()}
        made |= {(place, digest): take_id for digest in parts.values() for place in (one.segment_id, None)}
        frames[take_id] = FrameFact.model_construct(
            take_id=take_id, segment_id=one.segment_id, parts=parts, origins=origins_of(receipt.inputs)
        )
    await _keep(conn, written, facts.workloads, actor)
    return written


async def _keep(conn: Conn, written: Sequence[Written], workloads: Mapping[Workload, int], actor: Actor) -> None:
    new = {one.workload for one in written if one.workload is not None} - set(workloads)
    if new:
        workloads = {**workloads, **await record_sql.make_workloads(conn, new)}
    await record_sql.insert_history(conn, written, workloads, actor)


def _continued(one: Arrival, place: Place) -> tuple[tuple[int, int | None, Digest], ...]:
    """The frames that a claim names by their digest alone, each with the claim's segment and the one before it."""
    return tuple(
        (one.segment_id, place.before_id, item.digest)
        for item in one.claim.inputs
        if item.role is InputRole.SEED_FRAME and item.take is None and item.digest is not None
    )


def _ids(made: Written | None, place: Place) -> RecordedIds:
    source = made or place
    return RecordedIds.model_construct(
        segment_id=source.segment_id,
        take_id=source.take_id,
        take=source.take,
        receipt_id=source.receipt_id,
        receipt_digest=source.receipt_digest,
        created=made is not None,
    )


async def _select(
    conn: Conn, written: Sequence[Written], scenes: set[int], actor: Actor, only_if: Mapping[int, int | None] | None
) -> None:
    newest = {one.segment_id: one.take_id for one in written if one.segment_id is not None and one.take_id is not None}
    if only_if is not None:
        now = await record_sql.selected_takes(conn, list(newest))
        newest = {segment: take for segment, take in newest.items() if now.get(segment) == only_if.get(segment)}
    await present.select_new(conn, newest, list(scenes), actor)


async def _tell(conn: Conn, written: Sequence[Written], actor: Actor) -> None:
    takes = [{"segment_id": one.segment_id, "take_id": one.take_id, "take": one.take} for one in written]
    subject = f"take/{written[0].take_id}" if len(written) == 1 else None
    await log.append(
        conn, "take.recorded", actor, project_id=written[0].project_id, subject=subject, data={"takes": takes}
    )
