"""The oracle's report and what-if: the causes of a project's segments, counted by root."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from tests.staleness.oracle.rows import ReceiptRow, SegmentRow, World
from tests.staleness.oracle.rules import Cause, Identity, Root, State, causes, pinned, state

from genlock.staleness.sentence import sentence


@dataclass(frozen=True)
class Totals:
    """Stale segments and their scenes; how many of them have an unwaived cause of each kind; and waived segments."""

    segments: int
    scenes: int
    superseded: int
    chain: int
    derived: int
    unmatched: int
    waived: int


@dataclass(frozen=True)
class Estimate:
    """GPU seconds to redo a group, and the number of renders that they were learned from."""

    gpu_seconds: float
    samples: int


@dataclass(frozen=True)
class Group:
    """The stale segments of one root, in order; ``direct`` + ``derived`` = ``segments``."""

    root: Identity
    kind: str
    asset_id: int | None
    used: int | None
    expected: int | None
    sentence: str
    segments: int
    scenes: int
    direct: int
    derived: int
    estimate: Estimate | None
    segment_ids: tuple[int, ...]


@dataclass(frozen=True)
class Report:
    """The stale segments of a project by root, largest group first."""

    project_id: int
    totals: Totals
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class ProjectImpact:
    """The effect on one project: the segments that change their state, and its report afterwards."""

    project_id: int
    becomes_stale: tuple[int, ...]
    becomes_unknown: tuple[int, ...]
    becomes_fresh: tuple[int, ...]
    report: Report


@dataclass(frozen=True)
class Impact:
    """The effect of activating a version, by project; projects without a change are left out."""

    projects: tuple[ProjectImpact, ...]

    @property
    def becomes_stale(self) -> int:
        """Segments that are not stale now and would be."""
        return sum(len(project.becomes_stale) for project in self.projects)

    @property
    def becomes_unknown(self) -> int:
        """Segments that are not unknown now and would be."""
        return sum(len(project.becomes_unknown) for project in self.projects)

    @property
    def becomes_fresh(self) -> int:
        """Segments that are not fresh now, whatever their state, and would be."""
        return sum(len(project.becomes_fresh) for project in self.projects)


def states(world: World, project_id: int) -> dict[int, State]:
    """Return the state of every live segment of a project."""
    return {segment.id: state(world, segment.id) for segment in world.live_segments(project_id)}


def report(world: World, project_id: int) -> Report:
    """Return the report of a project."""
    segments = world.live_segments(project_id)
    live = {segment.id: _unwaived(world, segment) for segment in segments}
    stale = [segment for segment in segments if live[segment.id]]
    by_kind = {
        kind: sum(any(cause.kind == kind for cause in live[segment.id]) for segment in stale)
        for kind in ("superseded", "chain", "derived", "unmatched")
    }
    waived = sum(state is State.WAIVED for state in states(world, project_id).values())
    scenes = len({segment.scene_id for segment in stale})
    roots = {cause.root.identity for segment in stale for cause in live[segment.id]}
    groups = (_group(world, root, stale, live) for root in roots)
    order = sorted(groups, key=lambda group: (-group.segments, *((part is not None, part or 0) for part in group.root)))
    return Report(project_id, Totals(len(stale), scenes, **by_kind, waived=waived), tuple(order))


def _group(world: World, identity: Identity, stale: list[SegmentRow], live: Mapping[int, tuple[Cause, ...]]) -> Group:
    mine = {
        segment: [cause for cause in live[segment.id] if cause.root.identity == identity]
        for segment in stale
        if any(cause.root.identity == identity for cause in live[segment.id])
    }
    root = next(cause.root for mine_of_segment in mine.values() for cause in mine_of_segment)
    direct = sum(any(cause.kind != "derived" for cause in mine_of_segment) for mine_of_segment in mine.values())
    scenes = len({segment.scene_id for segment in mine})
    expected = {cause.root.expected for mine_of_segment in mine.values() for cause in mine_of_segment}
    return Group(
        root=identity,
        kind=root.kind,
        asset_id=root.asset_id,
        used=root.used,
        expected=root.expected if len(expected) == 1 else None,  # pins can make one unmatched asset expect several
        sentence=_sentence(world, root, list(mine), scenes),
        segments=len(mine),
        scenes=scenes,
        direct=direct,
        derived=len(mine) - direct,
        estimate=_estimate(world, list(mine)),
        segment_ids=tuple(segment.id for segment in mine),
    )


def _sentence(world: World, root: Root, segments: list[SegmentRow], scenes: int) -> str:
    if root.asset_id is None:
        return sentence(segments=len(segments), scenes=scenes)
    asset_id, asset = root.asset_id, world.asset(root.asset_id)
    if root.used is None:
        return sentence(segments=len(segments), scenes=scenes, kind=asset.kind, name=asset.name)
    return sentence(
        segments=len(segments),
        scenes=scenes,
        kind=asset.kind,
        name=asset.name,
        used=root.used,
        filename=world.version(asset_id, root.used).filename,
        expected=root.expected,
        pinned=all(pinned(world, segment.scene_id, asset_id) is not None for segment in segments),
    )


def _estimate(world: World, segments: list[SegmentRow]) -> Estimate | None:
    """Return the sum of the median durations of renders of the same workflow and size; None if there was none."""
    kinds_of_work = [_work(world.receipt(world.take(world.selected[segment.id]).receipt_id)) for segment in segments]
    samples = {work: _durations(world, work) for work in kinds_of_work if None not in work}
    seconds = [median(samples[work]) for work in kinds_of_work if samples.get(work)]
    return Estimate(sum(seconds), sum(map(len, samples.values()))) if seconds else None


def _durations(world: World, work: tuple[str | None, int | None, int | None]) -> list[float]:
    """Return the newest measurements of a kind of work: machines change, and the newest thousand show today's cost."""
    newest_first = sorted(world.receipts, key=lambda row: -row.id)
    return [row.duration_s for row in newest_first if _work(row) == work and row.duration_s is not None][:1000]


def _work(receipt: ReceiptRow) -> tuple[str | None, int | None, int | None]:
    return (receipt.workflow_digest, receipt.width, receipt.height)


def _unwaived(world: World, segment: SegmentRow) -> tuple[Cause, ...]:
    return tuple(cause for cause in causes(world, segment.id) if cause.waiver_id is None)


def activated(world: World, asset_id: int, number: int) -> World:
    """Return the world with another active version of an asset."""
    assets = (replace(row, active=number) if row.id == asset_id else row for row in world.assets)
    return replace(world, assets=tuple(assets))


def impact(world: World, asset_id: int, number: int) -> Impact:
    """Return the effect of activating a version."""
    after = activated(world, asset_id, number)
    return Impact(
        tuple(project for row in world.projects if (project := _project_impact(world, after, row.id)) is not None)
    )


def _project_impact(world: World, after: World, project_id: int) -> ProjectImpact | None:
    segments = world.live_segments(project_id)
    if all(causes(world, segment.id) == causes(after, segment.id) for segment in segments):
        return None
    old, new = states(world, project_id), states(after, project_id)

    def becoming(target: State) -> tuple[int, ...]:
        return tuple(segment_id for segment_id in new if new[segment_id] is target is not old[segment_id])

    return ProjectImpact(
        project_id,
        becoming(State.STALE),
        becoming(State.UNKNOWN),
        becoming(State.FRESH),
        report(after, project_id),
    )
