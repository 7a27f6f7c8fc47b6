"""Takes, receipts and usage as the API returns them, and the requests that record takes."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from genlock.digest import Digest
from genlock.model import Kind, Model
from genlock.takes.claim import Claim, Evidence

MAX_TAKES = 1000
"""The largest number of claims in a batch."""


class Take(Model):
    """A generated result for a segment, numbered from 1; never overwritten.

    ``unregistered`` are the inputs (``role[ordinal]``) with a digest that no asset has: they are not judged yet.
    """

    id: int
    segment_id: int
    number: int
    receipt_id: int
    selected: bool
    recorded_at: datetime
    recorded_by: str
    duration_s: float | None = None
    engine: str
    evidence: Evidence
    missing: tuple[str, ...]
    unregistered: tuple[str, ...] = ()
    outputs: dict[str, Digest]


class Receipt(Model):
    """The immutable record of how a take, or a generated version, was made.

    ``document`` is the parsed content of the receipt; ``…/document`` returns the verbatim bytes that were digested.
    """

    id: int
    project_id: int | None
    segment_id: int | None
    take_id: int | None
    asset_id: int | None
    version: int | None
    receipt_digest: Digest
    inputs_digest: Digest
    claim_digest: Digest
    evidence: Evidence
    missing: tuple[str, ...]
    recorded_at: datetime
    recorded_by: str
    document: dict[str, Any]


class ReceiptLine(Model):
    """A receipt in search results."""

    id: int
    project_id: int | None
    segment_id: int | None
    take_id: int | None
    take: int | None
    asset_id: int | None
    version: int | None
    receipt_digest: Digest
    engine: str
    seed: str | None
    prompt: str | None
    evidence: Evidence
    recorded_at: datetime


class Recorded(Model):
    """A take and its receipt. ``created`` is false if the claim was already recorded."""

    take: Take
    receipt: Receipt
    created: bool


class RecordedIds(Model):
    """The ids of a take in a recorded batch. ``created`` is false if the claim was already recorded."""

    segment_id: int
    take_id: int
    take: int
    receipt_id: int
    receipt_digest: Digest
    created: bool


class RecordedBatch(Model):
    """The ids of the recorded takes, in the order of the claims."""

    items: tuple[RecordedIds, ...]


class NewTake(Model):
    """A claim for a segment. Its outputs are named by digest."""

    segment_id: Annotated[int, Field(ge=1, le=2**63 - 1)]
    claim: Claim


class NewTakes(Model):
    """Claims of one project, recorded in order. With ``select``, the newest take of each segment is selected."""

    takes: Annotated[tuple[NewTake, ...], Field(min_length=1, max_length=MAX_TAKES)]
    select: bool = True


class Use(Model):
    """An input of a take that used the asset."""

    role: str
    ordinal: int
    via: str | None = None
    strength_model: float | None = None
    strength_clip: float | None = None


class Usage(Model):
    """A take that used an asset. ``state`` is the segment's when the take is selected, else null."""

    segment_id: int
    segment: str
    scene: str
    project_id: int
    take_id: int
    take: int
    receipt_id: int
    uses: tuple[Use, ...]
    selected: bool
    state: str | None = None
    archived: bool


class VersionUsage(Model):
    """The number of takes that used a version."""

    number: int
    total: int


class UsagePage(Model):
    """A page of an asset's usage; ``total`` is the exact number of takes."""

    items: tuple[Usage, ...]
    next: str | None
    total: int
    versions: tuple[VersionUsage, ...] | None = None


class ReferencedAsset(Model):
    """An asset as explanations and plans name it."""

    id: int
    kind: Kind
    name: str
