"""Composes receipts: a claim and the facts it names become a document, its digests and its rows. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from genlock.digest import Digest, canonical, digest_of
from genlock.takes import document as doc
from genlock.takes.claim import Claim, InputRole, Output
from genlock.takes.document import Input, Subject
from genlock.takes.resolve import Facts, resolve

Workload = tuple[int, int, int]
"""What a render costs depends on: the workflow's content, width and height."""


@dataclass(frozen=True, slots=True)
class Written:
    """A receipt about to be written: its document, and the same facts as columns."""

    receipt_id: int
    take_id: int | None
    take: int | None
    segment_id: int | None
    project_id: int | None
    asset_id: int | None
    version: int | None
    derivation_id: int | None
    step_id: int | None
    document: bytes
    receipt_digest: Digest
    inputs_digest: Digest
    claim_digest: Digest
    claim: Claim
    parameters: Mapping[str, Any]
    graph: Digest | None
    evidence: str
    missing: tuple[str, ...]
    inputs: tuple[Input, ...]
    outputs: Mapping[str, Output]
    workload: Workload | None


def compose(
    claim: Claim,
    outputs: Mapping[str, Output],
    graph: Digest | None,
    subject: Subject,
    facts: Facts,
    claim_digest: Digest,
    receipt_id: int,
) -> Written:
    """The receipt that a claim becomes, for a subject. Pure."""
    inputs = resolve(claim, facts, subject.segment)
    parameters = doc.complete_parameters(claim.parameters)
    produces = "image" if subject.asset is not None else "video"
    missing = doc.missing_of(claim, inputs, parameters, outputs, produces)
    evidence = doc.evidence_of(claim, inputs)
    content = canonical(
        doc.document(subject, claim, inputs, parameters, outputs, graph, missing=missing, evidence=evidence)
    )
    return Written(
        receipt_id=receipt_id,
        take_id=None,
        take=subject.take,
        segment_id=subject.segment,
        project_id=None,
        asset_id=subject.asset,
        version=subject.version,
        derivation_id=None,
        step_id=None,
        document=content,
        receipt_digest=digest_of(content),
        inputs_digest=doc.inputs_digest(claim.engine.name, inputs, parameters),
        claim_digest=claim_digest,
        claim=claim,
        parameters=parameters,
        graph=graph,
        evidence=evidence.value,
        missing=missing,
        inputs=inputs,
        outputs=outputs,
        workload=_workload(claim, inputs, facts),
    )


def _workload(claim: Claim, inputs: Iterable[Input], facts: Facts) -> Workload | None:
    width, height = claim.parameters.width, claim.parameters.height
    for line in inputs:
        if line.role is InputRole.WORKFLOW and line.asset and line.digest and width and height:
            return facts.contents[line.asset, line.digest].id, width, height
    return None


def used_several(one: Written) -> dict[int, int]:
    """Assets of which a receipt used several contents, with how many."""
    digests: dict[int, set[Digest]] = {}
    for line in one.inputs:
        if line.asset is not None and line.digest is not None:
            digests.setdefault(line.asset, set()).add(line.digest)
    return {asset: len(found) for asset, found in digests.items() if len(found) > 1}


def origins_of(inputs: tuple[Input, ...]) -> tuple[Input, ...]:
    """The variants and source images among a receipt's inputs: what its frames go back to."""
    found = [line for line in inputs if line.role in (InputRole.VARIANT, InputRole.SOURCE_IMAGE) and line.digest]
    return tuple(sorted(found, key=lambda line: (line.role != InputRole.VARIANT, line.ordinal)))
