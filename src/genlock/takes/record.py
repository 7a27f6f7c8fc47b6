"""Records claims: one transaction writes takes, receipts and what they mean for the present, once.

claims ─▶ facts ─▶ receipts ─▶ takes + receipts + inputs + outputs ─▶ selected takes ─▶ event
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from genlock.db.connection import Conn, hand_over, pipelined
from genlock.digest import Digest
from genlock.errors import Conflict, Invalid, NotFound
from genlock.events import log
from genlock.library.model import VersionRef
from genlock.model import Actor
from genlock.takes import document as doc
from genlock.takes import present, receipt_sql, record_sql, take_sql
from genlock.takes.claim import Claim, InputRole, Output
from genlock.takes.compose import Workload, Written, compose, origins_of
from genlock.takes.document import Subject
from genlock.takes.facts_sql import Project, load_facts
from genlock.takes.model import Recorded, RecordedIds
from genlock.takes.record_sql import Place
from genlock.takes.resolve import Facts, FrameFact
from genlock.takes.telling import ids_of, told

_WRITTEN_AT_ONCE = 100  # of a large batch; the database writes these while the next ones are composed
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
    places, written = await _record(conn, arrivals, actor, select, only_if)
    made = {(one.segment_id, one.claim_digest): one.receipt_digest for one in written}
    return tuple(
        ids_of(place, place.receipt_digest or made[key], created=key in made)
        for key, place in ((_key(one), places[_key(one)]) for one in arrivals)
    )


async def record_take(conn: Conn, arrival: Arrival, actor: Actor, *, select: bool = True) -> Recorded:
    """Record one claim as ``record_takes`` does; the take and the receipt that it made now, or before."""
    places, written = await _record(conn, [arrival], actor, select, None)
    place = places[_key(arrival)]
    if not written:
        return Recorded(
            take=await take_sql.get_take_by_id(conn, place.take_id),
            receipt=await receipt_sql.get_receipt(conn, place.receipt_id),
            created=False,
        )
    return told(written[0], place, actor, selected=select)


async def _record(
    conn: Conn, arrivals: Sequence[Arrival], actor: Actor, select: bool, only_if: Mapping[int, int | None] | None
) -> tuple[Places, list[Written]]:
    """Where the claims belong, and what was written for those that were new."""
    first: dict[tuple[int, Digest], Arrival] = {}
    for one in arrivals:
        first.setdefault(_key(one), one)
    async with pipelined(conn):
        places, facts = await _hold(conn, first)
        new = [one for key, one in first.items() if places[key].receipt_digest is None]
        if not new:
            return places, []
        newest = {one.segment_id: places[_key(one)].take_id for one in new} if select else {}
        if newest and only_if is not None:
            now = await record_sql.selected_takes(conn, list(newest))
            newest = {segment: take for segment, take in newest.items() if now.get(segment) == only_if.get(segment)}
        written = await _write(conn, new, places, facts, actor, newest)
        if newest:
            await present.settle(conn, list({place.scene_id for place in places.values()}), list(newest))
        await _tell(conn, written, actor)
    return places, written


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
    facts = await load_facts(conn, [claim], Project(project_id), ())
    receipt_id = await record_sql.draw_receipt(conn)
    uploaded = {part: output.digest for part, output in outputs.items()}
    subject = Subject(asset=made.asset_id, version=made.number)
    one = compose(claim, outputs, graph, subject, facts, doc.claim_digest(claim, uploaded), receipt_id)
    one = replace(one, derivation_id=derivation_id, step_id=step_id, project_id=project_id)
    await _keep(conn, [one], facts.workloads, actor, {})
    return receipt_id


def _key(one: Arrival) -> tuple[int, Digest]:
    return (one.segment_id, one.claim_digest)


async def _hold(conn: Conn, claims: Mapping[tuple[int, Digest], Arrival]) -> tuple[Places, Facts]:
    """Hold the scenes of claims, and find where they belong and what they name: asked at once, answered together."""
    await record_sql.hold_scenes(conn, {segment_id for segment_id, _ in claims})
    asked = await record_sql.ask_places(conn, list(claims))
    project = Project(of_segment=next(segment_id for segment_id, _ in claims))
    continued = {frame for one in claims.values() for frame in _continued(one)}
    facts = await load_facts(conn, [one.claim for one in claims.values()], project, continued)
    places = await record_sql.places_of(asked)
    for segment_id, digest in claims:
        place = places.get((segment_id, digest))
        if place is None:
            raise NotFound(f"There is no segment {segment_id}.", hint="`genlock project show` lists segments.")
        if place.archived:
            raise Conflict(f"The segment {place.name!r} is archived.", hint="Restore it before recording takes.")
    if len({place.project_id for place in places.values()}) != 1:
        raise Invalid("One batch records takes of one project.", hint="Send one batch for each project.")
    return places, facts


async def _write(
    conn: Conn,
    arrivals: Sequence[Arrival],
    places: Places,
    facts: Facts,
    actor: Actor,
    chosen: Mapping[int, int],
) -> list[Written]:
    frames, by_digest = dict(facts.frames), dict(facts.frames_by_digest)
    facts = facts.model_copy(update={"frames": frames, "frames_by_digest": by_digest})
    made: dict[tuple[int | None, Digest], int] = {}
    workloads = facts.workloads
    written: list[Written] = []
    for start in range(0, len(arrivals), _WRITTEN_AT_ONCE):
        kept = len(written)
        for one in arrivals[start : start + _WRITTEN_AT_ONCE]:
            place = places[_key(one)]
            # One batch may hold a chain: a later claim continues the frame of an earlier one.
            for segment_id, digest in _continued(one):
                earlier = made.get((place.before_id, digest)) or by_digest.get((segment_id, digest))
                earlier = earlier or made.get((None, digest))
                if earlier is not None:
                    by_digest[segment_id, digest] = earlier
            subject = Subject(segment=one.segment_id, take=place.take)
            receipt = compose(one.claim, one.outputs, one.graph, subject, facts, one.claim_digest, place.receipt_id)
            receipt = replace(receipt, take_id=place.take_id, project_id=place.project_id, step_id=one.step_id)
            written.append(receipt)
            parts = {part: output.digest for part, output in one.outputs.items()}
            made |= {(spot, digest): place.take_id for digest in parts.values() for spot in (one.segment_id, None)}
            frames[place.take_id] = FrameFact.model_construct(
                take_id=place.take_id, segment_id=one.segment_id, parts=parts, origins=origins_of(receipt.inputs)
            )
        workloads = await _keep(conn, written[kept:], workloads, actor, chosen)
        await hand_over(conn)
    return written


async def _keep(
    conn: Conn,
    written: Sequence[Written],
    workloads: Mapping[Workload, int],
    actor: Actor,
    chosen: Mapping[int, int],
) -> Mapping[Workload, int]:
    """Write receipts; the workloads that there are now."""
    new = {one.workload for one in written if one.workload is not None} - set(workloads)
    if new:
        workloads = {**workloads, **await record_sql.make_workloads(conn, new)}
    await record_sql.insert_history(conn, written, workloads, actor, chosen)
    return workloads


def _continued(one: Arrival) -> tuple[tuple[int, Digest], ...]:
    """The frames that a claim names by their digest alone, each with the claim's segment."""
    return tuple(
        (one.segment_id, item.digest)
        for item in one.claim.inputs
        if item.role is InputRole.SEED_FRAME and item.take is None and item.digest is not None
    )


async def _tell(conn: Conn, written: Sequence[Written], actor: Actor) -> None:
    takes = [{"segment_id": one.segment_id, "take_id": one.take_id, "take": one.take} for one in written]
    subject = f"take/{written[0].take_id}" if len(written) == 1 else None
    await log.send(
        conn, "take.recorded", actor, project_id=written[0].project_id, subject=subject, data={"takes": takes}
    )
