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
from genlock.takes.claim import Claim, Output
from genlock.takes.compose import Written, compose, origins_of
from genlock.takes.document import Subject
from genlock.takes.facts_sql import load_facts
from genlock.takes.model import RecordedIds
from genlock.takes.resolve import LAST_FRAME, FrameFact


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
    scenes, project_id = await _lock(conn, arrivals)
    known = await record_sql.known_claims(conn, [(one.segment_id, one.claim_digest) for one in arrivals])
    first: dict[tuple[int, Digest], Arrival] = {}
    for one in arrivals:
        if (one.segment_id, one.claim_digest) not in known:
            first.setdefault((one.segment_id, one.claim_digest), one)
    if first:
        written = await _write(conn, list(first.values()), project_id, actor)
        if select:
            await _select(conn, written, scenes, actor, only_if)
        await _tell(conn, written, project_id, actor)
        known |= {
            (one.segment_id, one.claim_digest): RecordedIds(
                segment_id=one.segment_id,
                take_id=one.take_id,
                take=one.take,
                receipt_id=one.receipt_id,
                receipt_digest=one.receipt_digest,
                created=True,
            )
            for one in written
            if one.segment_id is not None and one.take_id is not None and one.take is not None
        }
    return tuple(known[one.segment_id, one.claim_digest] for one in arrivals)


async def record_version(
    conn: Conn,
    made: VersionRef,
    derivation_id: int,
    claim: Claim,
    outputs: Mapping[str, Output],
    graph: Digest | None,
    step_id: int | None,
    actor: Actor,
    project_id: int | None,
) -> int:
    """Record how a version of an asset was generated; the receipt's id. The derivation it made is registered."""
    facts = await load_facts(conn, [claim], project_id)
    ((_, receipt_id),) = await record_sql.draw_ids(conn, 1)
    uploaded = {part: output.digest for part, output in outputs.items()}
    subject = Subject(asset=made.asset_id, version=made.number)
    one = compose(claim, outputs, graph, subject, facts, doc.claim_digest(claim, uploaded), receipt_id)
    one = replace(one, derivation_id=derivation_id, step_id=step_id, project_id=project_id)
    await record_sql.insert_receipts(conn, [one], actor)
    return receipt_id


async def _lock(conn: Conn, arrivals: Sequence[Arrival]) -> tuple[set[int], int]:
    places = await record_sql.lock_places(conn, {one.segment_id for one in arrivals})
    for one in arrivals:
        place = places.get(one.segment_id)
        if place is None:
            raise NotFound(f"There is no segment {one.segment_id}.", hint="`genlock project show` lists segments.")
        if place.archived:
            raise Conflict(f"The segment {place.name!r} is archived.", hint="Restore it before recording takes.")
    projects = {place.project_id for place in places.values()}
    if len(projects) != 1:
        raise Invalid("One batch records takes of one project.", hint="Send one batch for each project.")
    return {place.scene_id for place in places.values()}, projects.pop()


async def _write(conn: Conn, arrivals: Sequence[Arrival], project_id: int, actor: Actor) -> list[Written]:
    facts = await load_facts(conn, [one.claim for one in arrivals], project_id)
    frames, by_digest = dict(facts.frames), dict(facts.frames_by_digest)
    # One batch may hold a chain: a later claim continues the frame of an earlier one.
    facts = facts.model_copy(update={"frames": frames, "frames_by_digest": by_digest})
    numbers = await record_sql.draw_numbers(conn, [one.segment_id for one in arrivals])
    ids = await record_sql.draw_ids(conn, len(arrivals))
    written: list[Written] = []
    for one, number, (take_id, receipt_id) in zip(arrivals, numbers, ids, strict=True):
        subject = Subject(segment=one.segment_id, take=number)
        receipt = compose(one.claim, one.outputs, one.graph, subject, facts, one.claim_digest, receipt_id)
        written.append(replace(receipt, take_id=take_id, project_id=project_id, step_id=one.step_id))
        parts = {part: output.digest for part, output in one.outputs.items()}
        frames[take_id] = FrameFact(
            take_id=take_id, segment_id=one.segment_id, parts=parts, origins=origins_of(receipt.inputs)
        )
        if LAST_FRAME in parts:
            by_digest[parts[LAST_FRAME]] = take_id
    await record_sql.insert_takes(conn, written, actor)
    await record_sql.insert_receipts(conn, written, actor)
    return written


async def _select(
    conn: Conn, written: Sequence[Written], scenes: set[int], actor: Actor, only_if: Mapping[int, int | None] | None
) -> None:
    newest = {one.segment_id: one.take_id for one in written if one.segment_id is not None and one.take_id is not None}
    if only_if is not None:
        now = await record_sql.selected_takes(conn, list(newest))
        newest = {segment: take for segment, take in newest.items() if now.get(segment) == only_if.get(segment)}
    await present.select(conn, newest, list(scenes), actor)


async def _tell(conn: Conn, written: Sequence[Written], project_id: int, actor: Actor) -> None:
    takes = [{"segment_id": one.segment_id, "take_id": one.take_id, "take": one.take} for one in written]
    subject = f"take/{written[0].take_id}" if len(written) == 1 else None
    await log.append(conn, "take.recorded", actor, project_id=project_id, subject=subject, data={"takes": takes})
