"""The plain rows that the oracle judges: a whole world as frozen values, in no particular order.

Nothing here is fast or clever on purpose: every look-up walks the rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from genlock.model import SEED_FRAME

LAST_FRAME = "last_frame"


@dataclass(frozen=True)
class ProjectRow:
    """A project."""

    id: int
    slug: str
    archived: bool = False


@dataclass(frozen=True)
class SceneRow:
    """A scene of a project."""

    id: int
    project_id: int
    name: str
    position: int = 1
    archived: bool = False


@dataclass(frozen=True)
class SegmentRow:
    """A slot of a scene. ``position`` orders those that are not archived; an archived one keeps the one it had."""

    id: int
    scene_id: int
    project_id: int
    position: int | None
    name: str
    chained: bool = True
    archived: bool = False
    archived_position: int | None = None


@dataclass(frozen=True)
class AssetRow:
    """An asset and the number of its active version."""

    id: int
    project_id: int | None
    kind: str
    name: str
    active: int = 1
    archived: bool = False


@dataclass(frozen=True)
class VersionRow:
    """The immutable content of an asset under one number."""

    asset_id: int
    number: int
    digest: str
    effective_digest: str
    filename: str
    registered: int = 0  # the order in which versions were registered, over all assets

    @property
    def content(self) -> tuple[int, str]:
        """The identity of equal versions of one asset. Equal versions share their derivations."""
        return (self.asset_id, self.effective_digest)


@dataclass(frozen=True)
class DerivationRow:
    """A version was made from ``sources``, each (asset, number); by a receipt, or declared. A higher id is newer."""

    id: int
    asset_id: int
    number: int
    sources: tuple[tuple[int, int], ...]
    receipt_id: int | None = None


@dataclass(frozen=True)
class PinRow:
    """A scene, or without one a whole project, follows a fixed version of an asset."""

    project_id: int
    scene_id: int | None
    asset_id: int
    number: int


@dataclass(frozen=True)
class TakeRow:
    """One result for a segment; ``outputs`` are digests by part."""

    id: int
    segment_id: int
    number: int
    receipt_id: int
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class InputRow:
    """One line of a receipt: the digest used and its asset, or for a seed frame the take and its ``part``."""

    role: str
    ordinal: int
    digest: str
    asset_id: int | None = None
    take_id: int | None = None
    part: str | None = None
    via: str | None = None
    strength_model: float | None = None
    strength_clip: float | None = None


@dataclass(frozen=True)
class ReceiptRow:
    """How a take, or (without ``take_id``) a generated version, was made; and the measured work."""

    id: int
    take_id: int | None
    inputs: tuple[InputRow, ...]
    missing: tuple[str, ...] = ()
    evidence: str = "recorded"
    duration_s: float | None = None
    workflow_digest: str | None = None
    width: int | None = None
    height: int | None = None
    inputs_digest: str | None = None

    @property
    def seed_frames(self) -> tuple[InputRow, ...]:
        """Return the frames that this take used, in order; it continues the first. Nearly always none or one."""
        frames = (line for line in self.inputs if line.role == SEED_FRAME and line.via is None)
        return tuple(sorted(frames, key=lambda line: line.ordinal))


@dataclass(frozen=True)
class WaiverRow:
    """A user accepted one root for one segment, bound to both digests. ``asset_id`` None: the chain."""

    id: int
    segment_id: int
    asset_id: int | None
    used_digest: str
    expected_digest: str
    expires_at: datetime | None = None
    withdrawn: bool = False


@dataclass(frozen=True)
class World:
    """Everything that states depend on, at one moment."""

    projects: tuple[ProjectRow, ...] = ()
    scenes: tuple[SceneRow, ...] = ()
    segments: tuple[SegmentRow, ...] = ()
    assets: tuple[AssetRow, ...] = ()
    versions: tuple[VersionRow, ...] = ()
    derivations: tuple[DerivationRow, ...] = ()
    pins: tuple[PinRow, ...] = ()
    takes: tuple[TakeRow, ...] = ()
    receipts: tuple[ReceiptRow, ...] = ()
    selected: Mapping[int, int] = field(default_factory=dict[int, int])
    waivers: tuple[WaiverRow, ...] = ()
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def project(self, project_id: int) -> ProjectRow:
        """Return the project with this id."""
        return next(row for row in self.projects if row.id == project_id)

    def scene(self, scene_id: int) -> SceneRow:
        """Return the scene with this id."""
        return next(row for row in self.scenes if row.id == scene_id)

    def segment(self, segment_id: int) -> SegmentRow:
        """Return the segment with this id."""
        return next(row for row in self.segments if row.id == segment_id)

    def asset(self, asset_id: int) -> AssetRow:
        """Return the asset with this id."""
        return next(row for row in self.assets if row.id == asset_id)

    def version(self, asset_id: int, number: int) -> VersionRow:
        """Return the version of an asset with this number."""
        return next(row for row in self.versions if (row.asset_id, row.number) == (asset_id, number))

    def version_with(self, asset_id: int, digest: str) -> VersionRow | None:
        """Return the version of an asset that has these bytes, if one has."""
        return next((row for row in self.versions if (row.asset_id, row.digest) == (asset_id, digest)), None)

    def take(self, take_id: int) -> TakeRow:
        """Return the take with this id."""
        return next(row for row in self.takes if row.id == take_id)

    def receipt(self, receipt_id: int) -> ReceiptRow:
        """Return the receipt with this id, its bare digests with the assets that have registered them."""
        row = next(row for row in self.receipts if row.id == receipt_id)
        if row.take_id is None:
            return row
        project_id = self.segment(self.take(row.take_id).segment_id).project_id
        return replace(row, inputs=tuple(self._registered(line, project_id) for line in row.inputs))

    def _registered(self, line: InputRow, project_id: int) -> InputRow:
        """Return a bare digest as an input of the first asset, of the project or shared, that registered it."""
        if line.asset_id is not None or line.role == SEED_FRAME:
            return line
        visible = {row.id for row in self.assets if row.kind == line.role and row.project_id in (None, project_id)}
        versions = [row for row in self.versions if row.asset_id in visible and row.digest == line.digest]
        first = min(versions, key=lambda row: row.registered, default=None)
        return line if first is None else replace(line, asset_id=first.asset_id)

    def selected_take(self, segment_id: int) -> TakeRow | None:
        """Return the selected take of a segment."""
        return self.take(self.selected[segment_id]) if segment_id in self.selected else None

    def segment_before(self, segment: SegmentRow) -> SegmentRow | None:
        """Return the nearest segment before this one in its scene; archived segments have none and are skipped."""
        scene = self.scene(segment.scene_id)
        if segment.archived or scene.archived or self.project(scene.project_id).archived:
            return None
        earlier = [
            (row.position, row)
            for row in self.segments
            if row.scene_id == segment.scene_id and not row.archived and row.position is not None
            if segment.position is not None and row.position < segment.position
        ]
        return max(earlier, key=lambda pair: pair[0])[1] if earlier else None

    def live_segments(self, project_id: int) -> tuple[SegmentRow, ...]:
        """Return the segments of a project in order, without archived ones and those of archived scenes or projects."""
        if self.project(project_id).archived:
            return ()
        scenes = {row.id: row.position for row in self.scenes if row.project_id == project_id and not row.archived}
        live = [row for row in self.segments if row.scene_id in scenes and not row.archived]
        return tuple(sorted(live, key=lambda row: (scenes[row.scene_id], row.scene_id, row.position or 0, row.id)))
