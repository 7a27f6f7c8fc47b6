"""Tells what was recorded out of what was just written, so that nothing is read back. Pure.

place + written ──▶ take + receipt      as reading them from the same transaction would give them
"""

import json

from genlock.digest import Digest
from genlock.model import Actor
from genlock.takes.claim import Evidence
from genlock.takes.compose import Written
from genlock.takes.model import Receipt, Recorded, RecordedIds, Take
from genlock.takes.record_sql import Place


def told(written: Written, place: Place, actor: Actor, *, selected: bool) -> Recorded:
    """The take and the receipt of a claim that was new."""
    evidence = Evidence(written.evidence)
    observed = written.claim.observed
    # Constructed of parts that were validated before, or came from the database.
    take = Take.model_construct(
        id=place.take_id,
        segment_id=place.segment_id,
        number=place.take,
        receipt_id=place.receipt_id,
        selected=selected,
        recorded_at=place.now,
        recorded_by=actor.name,
        duration_s=observed and observed.duration_s,
        engine=written.claim.engine.name,
        evidence=evidence,
        missing=written.missing,
        outputs={part: output.digest for part, output in written.outputs.items()},
    )
    receipt = Receipt.model_construct(
        id=place.receipt_id,
        project_id=place.project_id,
        segment_id=place.segment_id,
        take_id=place.take_id,
        asset_id=None,
        version=None,
        receipt_digest=written.receipt_digest,
        inputs_digest=written.inputs_digest,
        claim_digest=written.claim_digest,
        evidence=evidence,
        missing=written.missing,
        recorded_at=place.now,
        recorded_by=actor.name,
        document=json.loads(written.document),  # numbers as they were digested, not as the claim wrote them
    )
    return Recorded.model_construct(take=take, receipt=receipt, created=True)


def ids_of(place: Place, receipt_digest: Digest, *, created: bool) -> RecordedIds:
    """The ids of a claim's take and receipt, whether they are new or were there."""
    return RecordedIds.model_construct(
        segment_id=place.segment_id,
        take_id=place.take_id,
        take=place.take,
        receipt_id=place.receipt_id,
        receipt_digest=receipt_digest,
        created=created,
    )
