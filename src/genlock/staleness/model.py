"""Staleness in responses: states, causes, groups, the report, what-if, waivers."""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import AwareDatetime, ConfigDict, Field

from genlock.digest import Digest
from genlock.model import Model, Note
from genlock.takes.model import Receipt, ReferencedAsset, Take
from genlock.timeline.model import Pin, Segment

CHAIN = "chain"


class State(StrEnum):
    """The state of a segment: the first that holds, in this order."""

    EMPTY = "empty"
    STALE = "stale"
    UNKNOWN = "unknown"
    WAIVED = "waived"
    FRESH = "fresh"


class CauseKind(StrEnum):
    """Why a take is stale."""

    SUPERSEDED = "superseded"
    CHAIN = "chain"
    DERIVED = "derived"
    UNMATCHED = "unmatched"


class GroupKind(StrEnum):
    """What the segments of a group have in common."""

    ASSET = "asset"
    UNMATCHED = "unmatched"
    CHAIN = "chain"


class RootKind(IntEnum):
    """The kind of a root as the database stores it. Names are those of ``GroupKind``."""

    ASSET = 0
    UNMATCHED = 1
    CHAIN = 2

    @property
    def group(self) -> GroupKind:
        """The kind of the groups with this kind of root."""
        return GroupKind[self.name]


class RootKey(NamedTuple):
    """The identity of a root: asset and version numbers, 0 if absent.

    ``expected`` is 0 except for ``RootKind.ASSET``: one group holds all segments that used unmatched bytes of an asset.
    """

    kind: int
    asset: int
    used: int
    expected: int


class Side(Model):
    """One side of a change: the version number, if it has one, and the digest."""

    version: int | None = None
    digest: Digest | None = None


class Root(Model):
    """The change at the far end of a cause."""

    kind: GroupKind
    asset_id: int | None = None
    used: int | None = None
    expected: int | None = None


class PathStep(Model):
    """A step of the path from a root to a segment. For a version ``id`` is the asset's."""

    type: Literal["version", "segment"]
    id: int
    number: int
    name: str


class Cause(Model):
    """A reason why a segment's selected take is stale, as data. Waived if ``waiver_id`` is set.

    ``path`` leads from the root to the segment and holds its first six steps; ``path_total`` counts them all, and
    ``path_rest`` is the URL of the rest, null when nothing is left out.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True
    )

    kind: CauseKind
    role: str
    ordinal: int
    asset_id: int | None
    from_: Side = Field(alias="from")
    to: Side
    decided_by: Literal["effective_digest", "digest"]
    root: Root
    path: tuple[PathStep, ...]
    path_total: int
    path_rest: str | None
    since: datetime | None
    moved_by: str | None
    waiver_id: int | None


class SegmentView(Segment):
    """A segment with its state, its causes, and its takes.

    ``takes`` are the newest ones, at most 100, and come only with a single segment; ``takes_total`` counts them all.
    ``pins`` are the first five that apply to it, and ``pins_total`` counts them all. ``unknown_because`` says why it is
    ``unknown``, and is empty otherwise.
    """

    state: State
    causes: tuple[Cause, ...] = ()
    selected_take: Take | None = None
    takes: tuple[Take, ...] = ()
    takes_total: int | None = None
    pins: tuple[Pin, ...] = ()
    pins_total: int = 0
    unknown_because: tuple[str, ...] = ()


class Provenance(Model):
    """What was used to make a segment's selected take, and whether that is up to date.

    ``takes`` are the segment's newest ones, at most 100; ``takes_total`` counts them all.
    """

    segment: Segment
    state: State
    causes: tuple[Cause, ...]
    take: Take | None
    receipt: Receipt | None
    takes: tuple[Take, ...]
    takes_total: int


class Totals(Model):
    """A project's stale segments, each counted once; by kind they overlap. ``waived`` counts waived segments."""

    segments: int
    scenes: int
    superseded: int
    chain: int
    derived: int
    unmatched: int
    waived: int


class Estimate(Model):
    """The cost of rendering again: medians measured for the same workflow and size."""

    gpu_seconds: float
    samples: int


class Group(Model):
    """The stale segments that one change accounts for.

    ``restorable``: the number of segments for which a plan of the group would restore an earlier take instead of
    rendering. Null where it is not counted: in a group of more than 1,000 segments, when more than 1,000 segments would
    have to be planned for one response, in a what-if, and in the report of an activation. A plan always states it.
    """

    id: str
    kind: GroupKind
    asset: ReferencedAsset | None
    used: int | None
    expected: int | None
    sentence: str
    segments: int
    scenes: int
    direct: int
    derived: int
    estimate: Estimate | None = None
    restorable: int | None = None


class Report(Model):
    """What is out of date in a project, why, and the cost of fixing it; groups with most segments first."""

    project_id: int
    as_of: datetime
    totals: Totals
    groups: tuple[Group, ...]
    next: str | None = None
    total: int


class SegmentChanges(Model):
    """Number of segments that are in a state after a change and were in another one before it.

    ``becomes_fresh`` counts those that were stale, unknown or waived; ``becomes_unknown`` those with too incomplete a
    receipt, here or before them in their run, to be called fresh once nothing is out of date any more.
    """

    becomes_stale: int
    becomes_unknown: int
    becomes_fresh: int


class ProjectImpact(Model):
    """A project's report as it is, or would be, after an activation.

    ``groups`` are those with most segments, at most 100; ``total`` counts all of them.
    """

    project_id: int
    segments: SegmentChanges
    totals: Totals
    groups: tuple[Group, ...]
    next: str | None = None
    total: int


class Impact(Model):
    """The actual or hypothetical effect of an activation, by project."""

    segments: SegmentChanges
    projects: tuple[ProjectImpact, ...]


class Waiver(Model):
    """A user accepted a cause for a segment, with a reason; it ends with the next real change."""

    id: int
    project_id: int
    segment_id: int
    asset_id: int | None
    used_digest: Digest
    expected_digest: Digest
    reason: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    withdrawn_at: datetime | None


class NewWaiver(Model):
    """The cause to accept: an asset's change, or ``chain``, for segments, a scene or a whole project."""

    segment_ids: Annotated[tuple[int, ...], Field(min_length=1, max_length=10_000)] | None = None
    scene_id: int | None = None
    project_id: int | None = None
    asset_id: int | Literal["chain"]
    reason: Annotated[Note, Field(min_length=1)]
    expires_at: AwareDatetime | None = None
