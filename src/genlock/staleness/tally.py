"""Adds up a judgement: counts by state, totals, groups, changes between two worlds. Pure.

Every number is a sum over the places or the intervals of ``Judged``: a count and the list that it counts cannot differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from genlock.staleness.arrays import Bools, Ints, expanded
from genlock.staleness.judge import FRESH, STALE, UNKNOWN, WAIVED, Judged
from genlock.staleness.model import RootKey, RootKind, SegmentChanges, Totals

NO_TOTALS = Totals(segments=0, scenes=0, superseded=0, chain=0, derived=0, unmatched=0, waived=0)


class StateCounts(NamedTuple):
    """Number of segments with a selected take, by state."""

    taken: int
    fresh: int
    stale: int
    unknown: int
    waived: int


class Takes(NamedTuple):
    """Selected takes of runs with several workloads: run id, position, workload."""

    run: Ints
    position: Ints
    workload: Ints


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of a project's group. ``expected`` is null if its segments expect different versions or none.

    ``pinned``: a pin holds its asset wherever the group has segments. ``shares`` are the segments of each workload.
    """

    project_id: int
    root: RootKey
    expected: int | None
    segments: int
    scenes: int
    direct: int
    pinned: bool
    shares: Mapping[int, int]


def counts_by_project(judged: Judged) -> dict[int, StateCounts]:
    """Return each project's number of segments by state; projects without a selected take are absent."""
    return _counts(judged, judged.present.runs.project)


def counts_by_scene(judged: Judged) -> dict[int, StateCounts]:
    """Return each scene's number of segments by state; scenes without a selected take are absent."""
    return _counts(judged, judged.present.runs.scene)


def _counts(judged: Judged, key: Ints) -> dict[int, StateCounts]:
    by_code = [_by(key, judged.counts(code)) for code in (FRESH, STALE, UNKNOWN, WAIVED)]
    return {
        number: StateCounts(taken, *(counts[number] for counts in by_code))
        for number, taken in _by(key, judged.present.runs.length).items()
    }


def totals(judged: Judged) -> dict[int, Totals]:
    """Return the totals of each project with a selected take."""
    runs, covers = judged.present.runs, judged.covers
    kinds = np.array([root.kind for root in judged.present.roots])[covers.root]
    direct_roots = np.zeros(judged.size, np.int64)
    sums: dict[str, Ints] = {"segments": judged.counts(STALE), "waived": judged.counts(WAIVED)}
    for name, kind in (
        ("superseded", RootKind.ASSET),
        ("unmatched", RootKind.UNMATCHED),
        ("chain", RootKind.CHAIN),
    ):
        marks = covers.direct & (kinds == kind)
        by_place_count = np.bincount(judged.places(covers.run[marks], covers.start[marks]), minlength=judged.size)
        direct_roots += by_place_count
        sums[name] = judged.sums(by_place_count > 0)
    sums["derived"] = judged.sums(judged.roots_at > direct_roots)
    of_scene, _ = _distinct(runs.project[sums["segments"] > 0], runs.scene[sums["segments"] > 0])
    scenes = _by(of_scene, np.ones(len(of_scene), np.int64))
    by_name = {name: _by(runs.project, values) for name, values in sums.items()}
    return {
        project_id: Totals(
            scenes=scenes.get(project_id, 0), **{name: values[project_id] for name, values in by_name.items()}
        )
        for project_id in by_name["segments"]
    }


def mixed_runs(judged: Judged) -> list[int]:
    """Return the ids of the runs with several workloads in which anything is stale; ``groups`` needs their takes."""
    runs, covers = judged.present.runs, judged.covers
    mixed = covers.run[(covers.end > covers.start) & (runs.workload[covers.run] == 0)]
    return np.unique(runs.id[mixed]).tolist()


def groups(judged: Judged, takes: Takes) -> list[Sums]:
    """Return the sums of each project's groups, unordered. ``takes`` are those of ``mixed_runs``."""
    runs, roots = judged.present.runs, judged.present.roots
    stale = judged.covers.end > judged.covers.start
    covers = judged.covers.only(stale)
    projects, project = np.unique(runs.project[covers.run], return_inverse=True)
    group = project.reshape(-1) * len(roots) + covers.root
    size = len(projects) * len(roots)
    scene = runs.scene[covers.run]
    segments = _total(group, covers.end - covers.start, size)
    direct = _total(group, covers.direct, size)
    scenes = np.bincount(_distinct(group, scene)[0], minlength=size)
    least, most = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
    np.minimum.at(least, group, covers.expected)
    np.maximum.at(most, group, covers.expected)
    table = np.array(roots, np.int64).reshape(-1, len(RootKey._fields))
    pinned = _pinned(judged, runs.project[covers.run], scene, table[covers.root, 1])
    unpinned = np.bincount(group[~pinned], minlength=size)
    shares = _shares(judged, covers.run, covers.start, covers.end, group, takes)
    present = np.flatnonzero(segments)
    return [
        Sums(
            project_id=int(projects[place // len(roots)]),
            root=roots[place % len(roots)],
            expected=(int(most[place]) if least[place] == most[place] else 0) or None,
            segments=int(segments[place]),
            scenes=int(scenes[place]),
            direct=int(direct[place]),
            pinned=roots[place % len(roots)].kind == RootKind.ASSET and not unpinned[place],
            shares=shares.get(place, {}),
        )
        for place in present.tolist()
    ]


def changes(before: Judged, after: Judged) -> dict[int, SegmentChanges]:
    """Return each project's number of segments that become stale, unknown and fresh between two judgements.

    A segment becomes fresh from whatever state it was in, stale, unknown or waived.
    """
    project = after.present.runs.project
    changed = before.states != after.states
    stale, unknown, fresh = (
        _by(project, after.sums(changed & (after.states == code))) for code in (STALE, UNKNOWN, FRESH)
    )
    return {
        project_id: SegmentChanges(
            becomes_stale=stale[project_id], becomes_unknown=unknown[project_id], becomes_fresh=fresh[project_id]
        )
        for project_id in stale
    }


def _pinned(judged: Judged, project: Ints, scene: Ints, asset: Ints) -> Bools:
    """Mark for each project, scene and asset whether a pin applies to the asset there."""
    pins = judged.present.pins
    pinned = np.zeros(len(asset), np.bool_)
    for where, pairs in (
        (project, [(pin.project_id, pin.asset_id) for pin in pins if pin.scene_id is None]),
        (scene, [(pin.scene_id, pin.asset_id) for pin in pins if pin.scene_id is not None]),
    ):
        if pairs:
            held = np.array(pairs, np.int64)
            stride = int(max(asset.max(initial=0), held[:, 1].max())) + 1
            pinned |= np.isin(where * stride + asset, held[:, 0] * stride + held[:, 1])
    return pinned


def _shares(judged: Judged, run: Ints, start: Ints, end: Ints, group: Ints, takes: Takes) -> dict[int, dict[int, int]]:
    """Return for each group its segments by workload, where the workload is known."""
    workload = judged.present.runs.workload[run]
    by_place = np.zeros(judged.size, np.int64)
    by_place[judged.places(judged.present.run_index(takes.run), takes.position)] = takes.workload
    mixed = np.flatnonzero(workload == 0)
    index, offset = expanded(end[mixed] - start[mixed])
    interval = mixed[index]
    taken = by_place[judged.places(run[interval], start[interval] + offset)]
    pure = workload > 0
    groups = np.concatenate([group[pure], group[interval[taken > 0]]])
    loads = np.concatenate([workload[pure], taken[taken > 0]])
    segments = np.concatenate([(end - start)[pure], np.ones(int((taken > 0).sum()), np.int64)])
    stride = int(loads.max(initial=0)) + 1
    keys, which = np.unique(groups * stride + loads, return_inverse=True)
    shares: dict[int, dict[int, int]] = {}
    for key, value in zip(keys.tolist(), _total(which.reshape(-1), segments, len(keys)).tolist(), strict=True):
        shares.setdefault(key // stride, {})[key % stride] = value
    return shares


def _total(which: Ints, values: Ints | Bools, size: int) -> Ints:
    # As floats, which are exact for whole numbers up to 2^53.
    return np.bincount(which, values, size).astype(np.int64)


def _by(key: Ints, values: Ints) -> dict[int, int]:
    """Return the sum of the values for each key."""
    keys, which = np.unique(key, return_inverse=True)
    return dict(zip(keys.tolist(), _total(which.reshape(-1), values, len(keys)).tolist(), strict=True))


def _distinct(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """Return the distinct pairs of two columns."""
    stride = int(second.max(initial=0)) + 1
    pairs = np.sort(first * stride + second)  # much faster than numpy's hashing of distinct values
    return np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], stride)
