"""Previews the receipt of a claim without recording anything."""

from typing import NamedTuple

from genlock.db.connection import Conn
from genlock.takes.claim import Claim, Evidence
from genlock.takes.claim_lookup_sql import Project, load_facts
from genlock.takes.claim_resolution import resolve, seed_frames_by_digest
from genlock.takes.parts import Parts, with_video_facts
from genlock.takes.receipt import Input, complete_parameters, evidence_of, missing_of


class Preview(NamedTuple):
    """The part of a receipt that states how well a take is documented."""

    inputs: tuple[Input, ...]
    evidence: Evidence
    missing: tuple[str, ...]


async def preview_take(
    conn: Conn, project_id: int | None, segment_id: int | None, claim: Claim, parts: Parts
) -> Preview:
    """Return what ``record_take`` would record for a segment, new or existing; for a read-only transaction."""
    claim = with_video_facts(claim, parts.video)
    frames = seed_frames_by_digest(segment_id, claim)
    facts = await load_facts(conn, [claim], Project(project_id), frames, read_only=True)
    inputs = resolve(claim, facts, segment_id)
    missing = missing_of(claim, inputs, complete_parameters(claim.parameters), parts.outputs, "video")
    return Preview(inputs, evidence_of(claim, inputs), missing)
