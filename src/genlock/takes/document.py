"""The receipt's document: its canonical form, its digests, what it lacks and how good its evidence is. Pure.

claim + facts ──resolve──▶ inputs ──document──▶ bytes ──SHA-256──▶ receipt_digest
                              └──wish──▶ inputs_digest   (equal wishes ⇔ equal digests)
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from genlock.digest import Digest, digest_of_json
from genlock.model import Model
from genlock.takes.claim import Claim, Evidence, InputRole, Output, Parameters, Via

SCHEMA = "genlock.receipt/1"

_TIERS = ((2160, "2160p"), (1440, "1440p"), (1080, "1080p"), (720, "720p"), (480, "480p"), (360, "360p"), (240, "240p"))
_SMALLEST_TIER = "below 240p"

_ASKED_OF_ALL = ("prompt", "seed", "cfg", "width", "height", "resolution_tier", "frames")
_ASKED_OF_ENGINE: Mapping[str, tuple[str, ...]] = {
    "sketch": ("negative_prompt", "steps", "sampler"),
    "comfyui": ("negative_prompt", "steps", "sampler"),
}
_TAKES_AN_IMAGE = frozenset({"sketch"})
_IMAGE_ROLES = frozenset({InputRole.SOURCE_IMAGE, InputRole.VARIANT, InputRole.SEED_FRAME})


class Input(Model):
    """One resolved line of a receipt. ``effective_digest`` is absent when no version has the digest."""

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

    # Kept, for in a batch many claims name the same things. Nothing changes a line, and no line is copied after this.
    @cached_property
    def written(self) -> dict[str, Any]:
        """The line as it stands in a document."""
        return self.model_dump(mode="json", exclude_none=True)

    @cached_property
    def wished(self) -> dict[str, Any]:
        """The line as it stands in what ``inputs_digest`` is of."""
        line: dict[str, Any] = {
            "role": self.role.value,
            "ordinal": self.ordinal,
            "effective_digest": self.effective_digest or self.digest,
            "strength_model": self.strength_model,
            "strength_clip": self.strength_clip,
            "part": self.part,
        }
        return {key: value for key, value in line.items() if value is not None}


class Subject(Model):
    """What the receipt is of: a take of a segment, or a generated version of an asset."""

    segment: int | None = None
    take: int | None = None
    asset: int | None = None
    version: int | None = None


def resolution_tier(width: int, height: int) -> str:
    """The tier of a size, by its shorter side: 2160p, 1440p, 1080p, 720p, 480p, 360p, 240p or below 240p."""
    shorter = min(width, height)
    return next((tier for least, tier in _TIERS if shorter >= least), _SMALLEST_TIER)


def complete_parameters(parameters: Parameters) -> dict[str, Any]:
    """The parameters as they stand in the document: nulls left out, the resolution tier derived when not given."""
    said = parameters.model_dump(mode="json", exclude_none=True)
    if "resolution_tier" not in said and parameters.width is not None and parameters.height is not None:
        said["resolution_tier"] = resolution_tier(parameters.width, parameters.height)
    return said


def inputs_digest(engine: str, inputs: Iterable[Input], parameters: Mapping[str, Any]) -> Digest:
    """The digest of what determines the picture: no labels, no version numbers, no times, nothing observed.

    An effective digest that nobody knows is written as the digest. Inputs that came ``via`` another stay out.
    """
    own = sorted((item for item in inputs if item.via is None), key=lambda line: (line.role, line.ordinal))
    lines = [item.wished for item in own]
    wish = {key: value for key, value in parameters.items() if key != "resolution_tier"}
    return digest_of_json({"engine": engine, "inputs": lines, "parameters": wish})


def claim_digest(claim: Claim, parts: Mapping[str, Digest]) -> Digest:
    """The digest of the canonical claim together with the digests of all uploaded parts."""
    return digest_of_json({"claim": claim.canonical(), "parts": dict(parts)})


def missing_of(
    claim: Claim, inputs: Iterable[Input], parameters: Mapping[str, Any], outputs: Mapping[str, Output], produces: str
) -> tuple[str, ...]:
    """What a complete receipt would have and this one has not, in a fixed order."""
    inputs = tuple(inputs)
    roles = {item.role for item in inputs}
    lacks: list[str] = []
    if InputRole.WORKFLOW not in roles and claim.graph is None:
        lacks.append("workflow")
    if InputRole.MODEL not in roles:
        lacks.append("model")
    if claim.engine.name in _TAKES_AN_IMAGE and not roles & _IMAGE_ROLES:
        lacks.append("source_image")
    lacks += [
        f"{item.role.value}[{item.ordinal}].digest" for item in inputs if item.digest is None and item.version is None
    ]
    lacks += [
        f"lora[{item.ordinal}].strength_model"
        for item in inputs
        if item.role is InputRole.LORA and item.strength_model is None
    ]
    asked = _ASKED_OF_ALL + _ASKED_OF_ENGINE.get(claim.engine.name, ())
    if produces != "video":
        asked = tuple(name for name in asked if name != "frames")
    lacks += [name for name in asked if name not in parameters]
    if claim.engine.version is None:
        lacks.append("engine.version")
    if produces not in outputs:
        lacks.append(produces)
    return tuple(lacks)


def evidence_of(claim: Claim, inputs: Iterable[Input]) -> Evidence:
    """How good the weakest input is, never better than the claim asks for."""
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
    """The receipt as JSON: absent fields are left out, never null. Its canonical bytes are what is kept."""
    whole: dict[str, Any] = {
        "schema": SCHEMA,
        "subject": subject.model_dump(mode="json", exclude_none=True),
        "inputs": [item.written for item in inputs],
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
