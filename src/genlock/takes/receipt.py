"""The receipt: its inputs, canonical document, digests, missing fields and evidence. Pure.

claim ──claim_resolution──▶ inputs ──document──▶ bytes ──SHA-256──▶ receipt_digest
                               └──requested──▶ inputs_digest   (equal requests ⇔ equal digests)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from genlock.digest import Digest, canonical, digest_of, digest_of_json
from genlock.engines.model import START_ROLES
from genlock.engines.offers import OFFERS
from genlock.model import InputRole, Model
from genlock.takes.claim import Claim, Evidence, Output, Parameters, Via

SCHEMA = "genlock.receipt/1"
Workload = tuple[int, int, int]
"""The key of render times: the workflow's content id, width and height."""

_TIERS = ((2160, "2160p"), (1440, "1440p"), (1080, "1080p"), (720, "720p"), (480, "480p"), (360, "360p"), (240, "240p"))
_SMALLEST_TIER = "below 240p"

_REQUIRED_PARAMETERS = ("prompt", "seed", "cfg", "width", "height", "resolution_tier", "frames")


class Input(Model):
    """A resolved input of a receipt. ``effective_digest`` is absent if no version has the digest."""

    role: InputRole
    ordinal: int
    kind: str | None = None
    asset: int | None = None
    name: str | None = None
    version: int | None = None
    digest: Digest | None = None
    effective_digest: Digest | None = None
    strength_model: float | None = None
    strength_clip: float | None = None
    part: str | None = None
    take: int | None = None
    via: Via | None = None

    # Cached because the claims of a batch, and the segments of a plan, share many inputs.
    @cached_property
    def as_document(self) -> dict[str, Any]:
        """The line as JSON for the document."""
        return self.model_dump(mode="json", exclude_none=True)

    @cached_property
    def as_request(self) -> dict[str, Any]:
        """The line as JSON for ``inputs_digest``."""
        line: dict[str, Any] = {
            "role": self.role.value,
            "ordinal": self.ordinal,
            "effective_digest": self.effective_digest or self.digest,
            "strength_model": self.strength_model,
            "strength_clip": self.strength_clip,
            "part": self.part,
        }
        return {key: value for key, value in line.items() if value is not None}

    def __copy__(self) -> Self:
        """Return a copy without cached values, which an update may invalidate."""
        copied = super().__copy__()
        for derived in ("as_document", "as_request"):
            vars(copied).pop(derived, None)
        return copied


class Subject(Model):
    """The subject of a receipt: a take of a segment, or a generated version of an asset."""

    segment: int | None = None
    take: int | None = None
    asset: int | None = None
    version: int | None = None


def resolution_tier(width: int, height: int) -> str:
    """Return the tier of a size, by its shorter side: 2160p, 1440p, 1080p, 720p, 480p, 360p, 240p or below 240p."""
    shorter = min(width, height)
    return next((tier for least, tier in _TIERS if shorter >= least), _SMALLEST_TIER)


def complete_parameters(parameters: Parameters) -> dict[str, Any]:
    """Return the parameters as JSON for the document: nulls omitted, the resolution tier derived if absent."""
    values = parameters.model_dump(mode="json", exclude_none=True)
    if "resolution_tier" not in values and parameters.width is not None and parameters.height is not None:
        values["resolution_tier"] = resolution_tier(parameters.width, parameters.height)
    return values


def request_of(engine: str, inputs: Iterable[Input], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what determines the picture: no labels, version numbers, times or observations.

    The digest replaces an unknown effective digest. Inputs recorded ``via`` another are omitted.
    """
    own = sorted((line for line in inputs if line.via is None), key=lambda line: (line.role, line.ordinal))
    requested = {key: value for key, value in parameters.items() if key != "resolution_tier"}
    return {"engine": engine, "inputs": [line.as_request for line in own], "parameters": requested}


def inputs_digest(engine: str, inputs: Iterable[Input], parameters: Mapping[str, Any]) -> Digest:
    """Return the digest of a request; equal requests have equal digests."""
    return digest_of_json(request_of(engine, inputs, parameters))


def claim_digest(claim: Claim, parts: Mapping[str, Digest]) -> Digest:
    """Return the digest of the canonical claim and the digests of all uploaded parts."""
    return digest_of_json({"claim": claim.canonical(), "parts": dict(parts)})


def missing_of(
    claim: Claim, inputs: Iterable[Input], parameters: Mapping[str, Any], outputs: Mapping[str, Output], produces: str
) -> tuple[str, ...]:
    """Return the fields of a complete receipt that this one lacks, in a fixed order."""
    inputs = tuple(inputs)
    roles = {item.role for item in inputs}
    lacks: list[str] = []
    if InputRole.WORKFLOW not in roles and claim.graph is None:
        lacks.append("workflow")
    if InputRole.MODEL not in roles:
        lacks.append("model")
    offer = OFFERS.get(claim.engine.name)
    if offer is not None and offer.requires_start_image and roles.isdisjoint(START_ROLES):
        lacks.append("source_image")
    lacks += [
        f"{item.role.value}[{item.ordinal}].digest" for item in inputs if item.digest is None and item.version is None
    ]
    lacks += [
        f"lora[{item.ordinal}].strength_model"
        for item in inputs
        if item.role is InputRole.LORA and item.strength_model is None
    ]
    required = _REQUIRED_PARAMETERS + (offer.required_parameters if offer is not None else ())
    if produces != "video":
        required = tuple(name for name in required if name != "frames")
    lacks += [name for name in required if name not in parameters]
    if claim.engine.version is None:
        lacks.append("engine.version")
    if produces not in outputs:
        lacks.append(produces)
    return (*lacks, *(claim.unobserved or ()))


def evidence_of(claim: Claim, inputs: Iterable[Input]) -> Evidence:
    """Return the evidence of the weakest input, at most the evidence stated by the claim."""
    weakest = claim.evidence or Evidence.RECORDED
    for item in inputs:
        if item.digest is None and item.version is None:
            weakest = weakest.weaker(Evidence.DECLARED if item.asset is None else Evidence.MATCHED_BY_NAME)
    return weakest


def document(
    subject: Subject,
    claim: Claim,
    inputs: Iterable[Input],
    parameters: Mapping[str, Any],
    outputs: Mapping[str, Output],
    graph: Digest | None,
    *,
    missing: tuple[str, ...],
    evidence: Evidence,
) -> dict[str, Any]:
    """Return the receipt as JSON: absent fields are omitted, never null. Its canonical bytes are stored."""
    whole: dict[str, Any] = {
        "schema": SCHEMA,
        "subject": subject.model_dump(mode="json", exclude_none=True),
        "inputs": [item.as_document for item in inputs],
        "parameters": dict(parameters),
        "graph": graph,
        "engine": claim.engine.model_dump(mode="json", exclude_none=True),
        "outputs": {part: output.model_dump(mode="json", exclude_none=True) for part, output in outputs.items()},
        "observed": claim.observed and claim.observed.model_dump(mode="json", exclude_none=True),
        "recorder": claim.recorder and claim.recorder.model_dump(mode="json", exclude_none=True),
        "evidence": evidence.value,
        "missing": list(missing),
        "regenerates": claim.regenerates and claim.regenerates.model_dump(mode="json", exclude_none=True),
        "note": claim.note,
    }
    return {key: value for key, value in whole.items() if value is not None}


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """A receipt to write: its document, and the same facts as columns."""

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
    evidence: Evidence
    missing: tuple[str, ...]
    inputs: tuple[Input, ...]
    outputs: Mapping[str, Output]
    workload: Workload | None

    @property
    def unregistered(self) -> tuple[str, ...]:
        """The inputs with a digest that no asset has, as ``role[ordinal]``."""
        return tuple(
            f"{line.role.value}[{line.ordinal}]"
            for line in self.inputs
            if line.asset is None and line.digest is not None and line.role is not InputRole.SEED_FRAME
        )

    @property
    def unknown(self) -> bool:
        """Whether too little is known about the take to call it fresh."""
        return bool(self.missing or self.unregistered) or not self.evidence.is_good


def compose(
    receipt_id: int,
    subject: Subject,
    claim: Claim,
    inputs: tuple[Input, ...],
    outputs: Mapping[str, Output],
    graph: Digest | None,
    *,
    claim_digest: Digest,
    workload: Workload | None = None,
    take_id: int | None = None,
    project_id: int | None = None,
    derivation_id: int | None = None,
    step_id: int | None = None,
) -> NewReceipt:
    """Return the receipt of a subject, from a claim and its resolved inputs."""
    parameters = complete_parameters(claim.parameters)
    produces = "image" if subject.asset is not None else "video"
    missing = missing_of(claim, inputs, parameters, outputs, produces)
    evidence = evidence_of(claim, inputs)
    content = canonical(
        document(subject, claim, inputs, parameters, outputs, graph, missing=missing, evidence=evidence)
    )
    return NewReceipt(
        receipt_id=receipt_id,
        take_id=take_id,
        take=subject.take,
        segment_id=subject.segment,
        project_id=project_id,
        asset_id=subject.asset,
        version=subject.version,
        derivation_id=derivation_id,
        step_id=step_id,
        document=content,
        receipt_digest=digest_of(content),
        inputs_digest=inputs_digest(claim.engine.name, inputs, parameters),
        claim_digest=claim_digest,
        claim=claim,
        parameters=parameters,
        graph=graph,
        evidence=evidence,
        missing=missing,
        inputs=inputs,
        outputs=outputs,
        workload=workload,
    )


def contents_per_asset(inputs: Iterable[Input]) -> dict[int, int]:
    """Return the number of contents of each asset that has several among the inputs."""
    digests: dict[int, set[Digest]] = {}
    for line in inputs:
        if line.asset is not None and line.digest is not None:
            digests.setdefault(line.asset, set()).add(line.digest)
    return {asset: len(contents) for asset, contents in digests.items() if len(contents) > 1}


def origins_of(inputs: Iterable[Input]) -> tuple[Input, ...]:
    """Return the variants and source images among a receipt's inputs: the origins of its frames."""
    images = [line for line in inputs if line.role in (InputRole.VARIANT, InputRole.SOURCE_IMAGE) and line.digest]
    return tuple(sorted(images, key=lambda line: (line.role != InputRole.VARIANT, line.ordinal)))
