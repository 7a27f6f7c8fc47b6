"""A claim: a recorder's (worker, extension, SDK, importer) statement of how a take was made.

A claim is resolved once, at recording, into a receipt's document. This module looks nothing up.
"""

import math
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from genlock.digest import Digest
from genlock.model import InputRole, Model, Note, Seed
from genlock.names import normalise_name

MAX_INPUTS = 1000
"""The maximum number of inputs of a claim."""


class Evidence(StrEnum):
    """How reliably an input is known, strongest first."""

    RECORDED = "recorded"
    MATCHED_BY_DIGEST = "matched_by_digest"
    MATCHED_BY_NAME = "matched_by_name"
    DECLARED = "declared"

    @property
    def is_good(self) -> bool:
        """Whether it suffices to call a take fresh. In the database: ``well_evidenced``."""
        return self in (Evidence.RECORDED, Evidence.MATCHED_BY_DIGEST)

    def weaker(self, other: "Evidence") -> "Evidence":
        """Return the weaker of two."""
        order = list(Evidence)
        return max(self, other, key=order.index)


def check_finite(value: dict[str, Any]) -> dict[str, Any]:
    """Return ``value``. Raise ``ValueError`` if a number in it is NaN or infinite, which JSON cannot represent."""
    within: list[Any] = [value]
    while within:
        item = within.pop()
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError("NaN and infinities have no place in JSON")
        if isinstance(item, dict):
            within += cast("dict[str, Any]", item).values()
        elif isinstance(item, list):
            within += cast("list[Any]", item)
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(check_finite)]
"""A JSON object of any shape."""


AssetReference = Annotated[str, Field(min_length=1, max_length=240), AfterValidator(normalise_name)]
"""An asset by kind and name, such as ``lora:rain``."""


class ClaimInput(Model):
    """An input that was used.

    ``asset`` is an id or a reference such as ``lora:rain``; ``version`` or ``digest`` identifies its content. ``take``
    and ``part`` name the frame that a chained segment continues.
    """

    role: InputRole
    ordinal: Annotated[int, Field(ge=0, le=999)] | None = None
    asset: Annotated[int, Field(ge=1, le=2**63 - 1)] | AssetReference | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    digest: Digest | None = None
    name: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    take: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    part: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None
    strength_model: float | None = None
    strength_clip: float | None = None


class Parameters(Model):
    """Every setting that is not a file. Parameters that Genlock does not define are stored unchanged."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    prompt: Annotated[str, Field(max_length=100_000)] | None = None
    negative_prompt: Annotated[str, Field(max_length=100_000)] | None = None
    cfg: float | None = None
    seed: Seed | None = None
    steps: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    sampler: Annotated[str, Field(max_length=200)] | None = None
    scheduler: Annotated[str, Field(max_length=200)] | None = None
    denoise: float | None = None
    width: Annotated[int, Field(ge=1, le=65_536)] | None = None
    height: Annotated[int, Field(ge=1, le=65_536)] | None = None
    frames: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    fps: Annotated[float, Field(gt=0, le=10_000)] | None = None
    resolution_tier: Annotated[str, Field(min_length=1, max_length=40)] | None = None

    @model_validator(mode="after")
    def _keep_only_scalars(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            if not isinstance(value, str | int | float | bool | None) or (
                isinstance(value, float) and not math.isfinite(value)
            ):
                raise ValueError(f"the parameter {name!r} is neither text nor a finite number nor true or false")
        return self


class ClaimEngine(Model):
    """The engine that rendered, and its environment."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    version: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    environment: JsonObject | None = None


class Observed(Model):
    """Measurements of the render; never part of what determines the picture."""

    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_s: Annotated[float, Field(ge=0)] | None = None
    per_node_s: dict[str, Annotated[float, Field(ge=0)]] | None = None
    worker: Annotated[str, Field(max_length=200)] | None = None


class Recorder(Model):
    """The program that made the claim."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    version: Annotated[str, Field(max_length=100)] | None = None


class Regenerates(Model):
    """The receipt that a new take replaces, and the causes for which it was rendered."""

    receipt: Digest
    causes: tuple[JsonObject, ...] = ()


class Claim(Model):
    """A recorder's statement of how one take was made.

    ``graph`` is the submitted graph, or its digest if its bytes are already stored. ``outputs`` names parts whose bytes
    are already stored; uploaded parts need not be named. ``unobserved`` states in words what the recorder could not
    observe: the receipt lists it as missing.
    """

    inputs: Annotated[tuple[ClaimInput, ...], Field(max_length=MAX_INPUTS)] = ()
    parameters: Parameters = Parameters()
    engine: ClaimEngine
    graph: Digest | JsonObject | None = None
    outputs: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Digest] | None = None
    observed: Observed | None = None
    recorder: Recorder | None = None
    evidence: Evidence | None = None
    unobserved: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=500)], ...] | None, Field(max_length=100)
    ] = None
    regenerates: Regenerates | None = None
    note: Note | None = None

    def canonical(self) -> dict[str, Any]:
        """Return the claim as the JSON that is digested: absent fields are omitted, never null."""
        return self.model_dump(mode="json", exclude_none=True)


class Output(Model):
    """A stored part of the result."""

    digest: Digest
    media_type: str | None = None
    size_bytes: int | None = None


Via = Literal["variant", "seed_frame"]
