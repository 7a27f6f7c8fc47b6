"""The oracle of staleness: short, slow and obviously right. The fast SQL is held equal to it.

Pure functions of plain rows. The numbers in comments are those of the rules:

    1 superseded   an input's asset has an expected version with another effective digest
    2 chain        the selected take of the previous segment has another frame than the one continued from
    3 derived      (a) an input matches, but one of its sources changed; (b) the previous segment has causes
    4 unmatched    an input names a digest that no version of its asset has
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from tests.staleness.oracle.rows import (
    LAST_FRAME,
    DerivationRow,
    InputRow,
    ReceiptRow,
    SegmentRow,
    VersionRow,
    WaiverRow,
    World,
)

from genlock.model import SEED_FRAME, Kind

Content = tuple[int, str]  # (asset, effective digest): equal versions are one content
Identity = tuple[str, int | None, int | None, int | None]
SUFFICIENT = frozenset({"recorded", "matched_by_digest"})  # evidence that is good enough to call a take fresh


class State(StrEnum):
    """The state of a segment, judged by its selected take; the first that applies, in this order."""

    EMPTY = "empty"
    STALE = "stale"
    UNKNOWN = "unknown"
    WAIVED = "waived"
    FRESH = "fresh"


@dataclass(frozen=True)
class Root:
    """The far end of a cause: the used and the expected version, by number and by the digests that decided."""

    kind: Literal["asset", "unmatched", "chain"]
    asset_id: int | None
    used: int | None
    expected: int | None
    used_digest: str
    expected_digest: str

    @property
    def identity(self) -> Identity:
        """Return the identity of a root, which alone distinguishes causes and groups."""
        return (self.kind, self.asset_id, self.used, self.expected if self.kind == "asset" else None)


@dataclass(frozen=True)
class Step:
    """One step of a path: a version (``id`` is its asset's) or a segment (``number`` is its position)."""

    type: Literal["version", "segment"]
    id: int
    number: int
    name: str


Path = tuple[Step, ...]


@dataclass(frozen=True)
class Trail:
    """A root and the path from it, nearest the root first."""

    root: Root
    path: Path


@dataclass(frozen=True)
class Cause:
    """A reason why a take is stale. Its root has the used and the expected version."""

    kind: Literal["superseded", "chain", "derived", "unmatched"]
    role: str
    ordinal: int
    root: Root
    path: Path
    waiver_id: int | None = None

    @property
    def decided_by(self) -> str:
        """Return which digest decided: the effective one for versions, the file digest for frames and unknown files."""
        return "effective_digest" if self.root.kind == "asset" else "digest"


def expected(world: World, scene_id: int | None, asset_id: int) -> VersionRow:
    """Return the version to use now: the scene's pin, else the project's, else the active one (``None``: no scene)."""
    pin = pinned(world, scene_id, asset_id)
    return pin or world.version(asset_id, world.asset(asset_id).active)


def pinned(world: World, scene_id: int | None, asset_id: int) -> VersionRow | None:
    """Return the version that a pin names for a scene: its own pin, else its project's."""
    if scene_id is None:
        return None
    project_id = world.scene(scene_id).project_id
    pins = [row for row in world.pins if row.asset_id == asset_id and row.project_id == project_id]
    for scope in (scene_id, None):
        for row in pins:
            if row.scene_id == scope:
                return world.version(asset_id, row.number)
    return None


def derivations_of(world: World, content: Content) -> tuple[DerivationRow, ...]:
    """Return the derivations of a content, oldest first: those of all its equal versions together."""
    rows = [row for row in world.derivations if world.version(row.asset_id, row.number).content == content]
    return tuple(sorted(rows, key=lambda row: row.id))


def ancestors(world: World, content: Content) -> frozenset[Content]:
    """Return every content that this one was made from, by any of its derivations, directly or through others."""
    contents: set[Content] = set()
    to_visit = [content]
    while to_visit:
        for row in derivations_of(world, to_visit.pop()):
            sources = {world.version(*source).content for source in row.sources} - contents
            contents |= sources
            to_visit.extend(sources)
    return frozenset(contents)


def made_from(world: World, version: VersionRow, x: VersionRow) -> bool:
    """Return whether ``version`` is ``x``, or has it among its ancestors."""
    return version.content == x.content or x.content in ancestors(world, version.content)


def would_be_own_ancestor(world: World, asset_id: int, number: int, sources: Iterable[tuple[int, int]]) -> bool:
    """Return whether deriving this version from these sources would make it its own ancestor."""
    x = world.version(asset_id, number)
    return any(made_from(world, world.version(*source), x) for source in sources)


def version_roots(world: World, scene_id: int | None, asset_id: int, number: int) -> tuple[Trail, ...]:
    """Return why a version is out of date in a scene: its roots, each by its shortest path; none if it is current."""
    return _roots(world, scene_id, world.version(asset_id, number), {})


# Within one query only: a diamond is walked once, not twice per level.
RootsByContent = dict[Content, tuple[Trail, ...]]


def _roots(
    world: World, scene_id: int | None, version: VersionRow, roots_by_content: RootsByContent
) -> tuple[Trail, ...]:
    if version.content not in roots_by_content:
        rows = derivations_of(world, version.content)
        each = [_derivation_roots(world, scene_id, version, row, roots_by_content) for row in rows]
        pin = pinned(world, scene_id, version.asset_id)
        if pin is not None and pin.content == version.content:
            roots_by_content[version.content] = ()  # a pinned version is up to date by definition
        elif not all(each):
            roots_by_content[version.content] = ()  # early cut-off: one derivation from expected sources is enough
        else:
            roots_by_content[version.content] = each[-1] if each else ()
    return roots_by_content[version.content]


def _derivation_roots(
    world: World, scene_id: int | None, x: VersionRow, row: DerivationRow, roots_by_content: RootsByContent
) -> tuple[Trail, ...]:
    sources = [world.version(*source) for source in row.sources]
    today = {source: expected(world, scene_id, source.asset_id) for source in sources}
    up_to_date = {source.asset_id for source in sources if source.content == today[source].content}
    trails: list[Trail] = []
    for source in sources:
        is_expected = source.content == today[source].content
        if not is_expected and not made_from(world, today[source], x):
            trails.append(Trail(_superseded_root(source, today[source]), (_version_step(world, source),)))
            continue
        for trail in _roots(world, scene_id, source, roots_by_content):
            # An older form of x, or of a version made from x, counts only for sources that x does not have up to date.
            if is_expected or trail.root.asset_id not in up_to_date:
                trails.append(Trail(trail.root, (*trail.path, _version_step(world, source))))
    return tuple(_shortest(trails))


def causes(world: World, segment_id: int) -> tuple[Cause, ...]:
    """Return every reason why the selected take of a segment is stale, waived ones included."""
    segment = world.segment(segment_id)
    receipt = _receipt(world, segment)
    if receipt is None:
        return ()
    segment_step = _segment_step(segment)
    direct: list[Cause] = []
    derived: list[tuple[InputRow, Trail]] = []
    for line, asset_id in judged(world, segment, receipt):
        today = expected(world, segment.scene_id, asset_id)
        used = world.version_with(asset_id, line.digest)
        if used is None:  # 4
            root = Root("unmatched", asset_id, None, today.number, line.digest, today.effective_digest)
            direct.append(Cause("unmatched", line.role, line.ordinal, root, (segment_step,)))  # no version to name
        elif used.content != today.content:  # 1
            path = (_version_step(world, used), segment_step)
            direct.append(Cause("superseded", line.role, line.ordinal, _superseded_root(used, today), path))
        else:  # 3a
            for trail in version_roots(world, segment.scene_id, asset_id, used.number):
                derived.append((line, Trail(trail.root, (*trail.path, _version_step(world, used), segment_step))))
    before = continued(world, segment)
    if before is not None:
        now_selected = world.take(world.selected[before.id]).outputs
        frame = receipt.seed_frames[0]
        now_frame = now_selected.get(frame.part or LAST_FRAME)
        if now_frame is not None and now_frame != frame.digest:  # 2
            root = Root("chain", None, None, None, frame.digest, now_frame)
            direct.append(Cause("chain", frame.role, frame.ordinal, root, (segment_step,)))
        for cause in causes(world, before.id):  # 3b
            if cause.waiver_id is None:
                derived.append((frame, Trail(cause.root, (*cause.path, segment_step))))
    return _judge(world, segment, direct, derived)


def _judge(
    world: World, segment: SegmentRow, direct: list[Cause], derived: list[tuple[InputRow, Trail]]
) -> tuple[Cause, ...]:
    """Return the direct causes, and a derived one per root that is not direct; each with the waiver that covers it."""
    roots = {cause.root.identity for cause in direct}
    judged_causes: list[Cause] = list(direct)
    for trail in _shortest(trail for _, trail in derived):
        if trail.root.identity not in roots:
            line = min((line for line, of in derived if of == trail), key=lambda line: (line.role, line.ordinal))
            judged_causes.append(Cause("derived", line.role, line.ordinal, trail.root, trail.path))
    return tuple(replace(cause, waiver_id=_waiver(world, segment, cause.root)) for cause in judged_causes)


def judged(world: World, segment: SegmentRow, receipt: ReceiptRow) -> tuple[tuple[InputRow, int], ...]:
    """Return the inputs that are judged themselves, with their assets, without those that another accounts for."""
    variants = [
        version
        for line in receipt.inputs
        if line.role == Kind.VARIANT and line.via is None and line.asset_id is not None
        if (version := world.version_with(line.asset_id, line.digest)) is not None
    ]
    spoken_for = {
        source_asset
        for version in variants
        for row in derivations_of(world, version.content)
        for source_asset, _ in row.sources
    }
    before = world.segment_before(segment)
    # An unchained segment starts a new run: no earlier segment accounts for the origin of its frame.
    frame_is_from_before = (
        segment.chained
        and before is not None
        and any(
            frame.take_id is not None and world.take(frame.take_id).segment_id == before.id
            for frame in receipt.seed_frames[:1]
        )
    )
    return tuple(
        (line, line.asset_id)
        for line in sorted(receipt.inputs, key=lambda line: (line.role, line.ordinal))
        if line.asset_id is not None
        if not (line.via == Kind.VARIANT and line.asset_id in spoken_for)
        if not (line.via == SEED_FRAME and frame_is_from_before)
    )


def continued(world: World, segment: SegmentRow) -> SegmentRow | None:
    """Return the previous segment, if causes pass from it: this one is chained and has a frame, that one has a take."""
    receipt = _receipt(world, segment)
    before = world.segment_before(segment)
    if not segment.chained or receipt is None or not receipt.seed_frames:
        return None  # a new run
    return before if before is not None and before.id in world.selected else None


def state(world: World, segment_id: int) -> State:
    """Return the state of a segment."""
    segment = world.segment(segment_id)
    segment_causes = causes(world, segment_id)
    if segment_id not in world.selected:
        return State.EMPTY
    if any(cause.waiver_id is None for cause in segment_causes):
        return State.STALE
    if _unknown(world, segment):
        return State.UNKNOWN
    return State.WAIVED if segment_causes else State.FRESH


def _unknown(world: World, segment: SegmentRow) -> bool:
    """Return whether evidence is lacking for this take, or for an earlier one in its run."""
    receipt = _receipt(world, segment)
    before = continued(world, segment)
    is_unknown = receipt is not None and (
        bool(receipt.missing)
        or receipt.evidence not in SUFFICIENT
        or any(line.asset_id is None and line.role != SEED_FRAME for line in receipt.inputs)
    )
    return is_unknown or (before is not None and _unknown(world, before))


def _waiver(world: World, segment: SegmentRow, root: Root) -> int | None:
    """Return the waiver that covers a root for a segment now: both digests must still be those that were accepted."""
    covering = [
        row.id
        for row in world.waivers
        if _in_force(world, row) and row.segment_id == segment.id
        if (row.asset_id, row.used_digest, row.expected_digest)
        == (root.asset_id, root.used_digest, root.expected_digest)
    ]
    return min(covering, default=None)


def _in_force(world: World, row: WaiverRow) -> bool:
    return not row.withdrawn and (row.expires_at is None or row.expires_at > world.now)


def _receipt(world: World, segment: SegmentRow) -> ReceiptRow | None:
    take = world.selected_take(segment.id)
    return None if take is None else world.receipt(take.receipt_id)


def _superseded_root(used: VersionRow, today: VersionRow) -> Root:
    return Root("asset", used.asset_id, used.number, today.number, used.effective_digest, today.effective_digest)


def _version_step(world: World, version: VersionRow) -> Step:
    return Step("version", version.asset_id, version.number, world.asset(version.asset_id).name)


def _segment_step(segment: SegmentRow) -> Step:
    return Step("segment", segment.id, segment.position or segment.archived_position or 0, segment.name)


def _shortest(trails: Iterable[Trail]) -> list[Trail]:
    """Return one trail per root: the shortest, then the one with the lowest ids; ordered by root.

    A version and a segment can have the same ids: then the trail with more versions.
    """

    def length_then_ids(trail: Trail) -> tuple[int, list[tuple[int, int]], str, int]:
        ids = [(step.id, step.number) for step in trail.path]
        return (len(ids), ids, trail.root.used_digest, sum(step.type == "segment" for step in trail.path))

    best: dict[Identity, Trail] = {}
    for trail in sorted(trails, key=length_then_ids):
        best.setdefault(trail.root.identity, trail)
    return sorted(
        best.values(),
        key=lambda trail: (trail.root.kind, trail.root.asset_id or 0, trail.root.used or 0, trail.root.expected or 0),
    )
