"""Takes and receipts as they are answered: history that nobody changes."""

from datetime import datetime
from typing import Any

from genlock.digest import Digest
from genlock.model import Kind, Model
from genlock.takes.claim import Evidence


class Take(Model):
    """One generated result for a segment, numbered from 1; never overwritten."""

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
    outputs: dict[str, Digest]


class Receipt(Model):
    """The immutable record of how one take, or one generated version, was made.

    ``document`` is what was digested; ``…/document`` answers its verbatim bytes.
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
    """One receipt in a list of found ones."""

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
    """A take and the receipt that was written with it. ``created`` is false when the claim was there already."""

    take: Take
    receipt: Receipt
    created: bool


class RecordedIds(Model):
    """One line of a recorded batch."""

    segment_id: int
    take_id: int
    take: int
    receipt_id: int
    receipt_digest: Digest
    created: bool


class Use(Model):
    """One way in which a take used something."""

    role: str
    ordinal: int
    via: str | None = None
    strength_model: float | None = None
    strength_clip: float | None = None


class Usage(Model):
    """A take that used something. ``state`` is the segment's when the take is selected, else null."""

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
    """How many takes used one version."""

    number: int
    total: int


class UsagePage(Model):
    """One page of an asset's usage; ``total`` counts takes exactly."""

    items: tuple[Usage, ...]
    next: str | None
    total: int
    versions: tuple[VersionUsage, ...] | None = None


class ReferencedAsset(Model):
    """An asset as an explanation names it."""

    id: int
    kind: Kind
    name: str
