"""Adds up what is out of date, over arrays: what a report of a large project says, in a few milliseconds. Pure.

run       1 ─ 2 ─ 3 ─ 4 ─ 5        a root covers everything from its first own cause to the end of the run,
root a        ●───●───────         so: first 2, segments 4, direct 2, derived 2
root b                ●───         and with it: stale 4, of which derived 4 (all but where every root is direct)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from genlock.staleness.model import Totals
from genlock.staleness.world import ASSET, CHAIN, NEITHER, Bools, Ints, Present, Root, by, total


class Part(NamedTuple):
    """What a root covers of a walked run. ``shares`` are the segments of each workload."""

    root: Root
    scene_id: int
    segments: int
    direct: int
    shares: Mapping[int, int]


class Walked(NamedTuple):
    """What is the matter in one walked run."""

    run_id: int
    project_id: int
    scene_id: int
    stale: int
    unknown: int
    waived: int
    superseded: int
    chain: int
    derived: int
    unmatched: int


@dataclass(frozen=True, slots=True)
class Sums:
    """What a group adds up to; ``expected`` is null where its causes expect different versions or none."""

    root: Root
    expected: int | None
    segments: int
    scenes: int
    direct: int
    pinned: bool
    shares: Mapping[int, int]


def tally(present: Present, without: int = NEITHER) -> "Tally":
    """What is out of date, added up; in the world that lacks what is so only in ``without``. Nothing is walked yet."""
    roots, root = present.roots
    counts = present.counting(without)
    direct = np.append(present.outdated.direct, 1)[present.hits.what]
    stride = present.stride
    # One number for run, root, position and whether it is direct: sorted, equal ones stand together.
    order = (present.place[counts] * len(roots) + root[counts]) * stride + present.hits.position[counts]
    order = np.sort(order * 2 + direct[counts])
    key, is_direct = np.divmod(order, 2)
    pair, position = np.divmod(key, stride)
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    run, which = np.divmod(pair[starts], max(len(roots), 1))
    first = position[starts]
    sums = np.add.reduceat(is_direct, starts) if len(starts) else np.zeros(0, np.int64)
    return Tally(
        present=present,
        roots=roots,
        run=run,
        root=which,
        first=first,
        direct=sums,
        standing=_standing(pair // max(len(roots), 1), position, pair % max(len(roots), 1), is_direct > 0),
        walked=(),
        parts=(),
    )


class Standing(NamedTuple):
    """Where something is direct: run, position, how many roots are direct there, and whether assets and links are."""

    run: Ints
    position: Ints
    direct: Ints
    root: Ints  # of each direct cause
    at: Ints  # and where it stands among the above


def _standing(run: Ints, position: Ints, root: Ints, direct: Bools) -> Standing:
    stride = int(position.max(initial=0)) + 1
    places, at, many = np.unique(run[direct] * stride + position[direct], return_inverse=True, return_counts=True)
    where, position = np.divmod(places, stride)
    return Standing(where, position, many, root[direct], at.reshape(-1))


@dataclass(frozen=True)
class Tally:
    """Per run and root where it begins and how often it is direct; walked runs as they were counted elsewhere."""

    present: Present
    roots: Ints  # as rows
    run: Ints
    root: Ints
    first: Ints
    direct: Ints
    standing: Standing
    walked: Sequence[Walked]
    parts: Sequence[Part]

    @cached_property
    def segments(self) -> Ints:
        """How many segments each root covers in each run."""
        return self.present.runs.length[self.run] - self.first + 1

    @cached_property
    def mixed(self) -> list[int]:
        """The runs whose takes have different workloads, and in which something is out of date."""
        runs = self.present.runs
        return np.unique(runs.id[self.run[runs.workload[self.run] == 0]]).tolist()

    def totals(self) -> dict[int, Totals]:
        """Of each project with something out of date or waived; each segment counts once."""
        runs = self.present.runs
        starts = np.flatnonzero(np.diff(self.run, prepend=-1))
        stale_run = self.run[starts]
        first = np.minimum.reduceat(self.first, starts) if len(starts) else self.first
        stale = runs.length[stale_run] - first + 1
        project = runs.project[stale_run]
        at = self.standing
        here = runs.project[at.run]
        is_chain = self.roots[at.root, 1] == CHAIN
        superseded, chain = (np.zeros(len(at.run), np.int64) for _ in range(2))
        superseded[at.at[~is_chain]] = 1
        chain[at.at[is_chain]] = 1
        stride = self.present.stride
        begins = np.sort(self.run * stride + self.first)
        begun = np.searchsorted(begins, at.run * stride + at.position, "right") - np.searchsorted(
            begins, at.run * stride, "left"
        )
        sums = {
            "segments": by(project, stale),
            "superseded": by(here, superseded),
            "chain": by(here, chain),
            # Derived is what is stale, but for where all that has begun is direct.
            "derived": _plus(by(project, stale), by(here, -(begun == at.direct).astype(np.int64))),
            "unmatched": {},
            "waived": {},
        }
        for one in self.walked:
            for name, value in (("segments", one.stale), *one._asdict().items()):
                if name in sums:
                    sums[name][one.project_id] = sums[name].get(one.project_id, 0) + value
        also = np.array([(one.project_id, one.scene_id) for one in self.walked if one.stale], np.int64).reshape(-1, 2)
        of_scene, _ = _distinct(
            np.concatenate([project, also[:, 0]]), np.concatenate([runs.scene[stale_run], also[:, 1]])
        )
        scenes = by(of_scene, np.ones(len(of_scene), np.int64))
        return {
            project_id: Totals(
                scenes=scenes.get(project_id, 0),
                **{name: values.get(project_id, 0) for name, values in sums.items()},
            )
            for project_id in {*sums["segments"], *sums["waived"]}
        }

    def groups(self, takes: tuple[Ints, Ints, Ints]) -> list[Sums]:
        """Each root with what it adds up to. ``takes`` of mixed runs: run, position and workload."""
        runs = self.present.runs
        index: dict[tuple[int, ...], int] = {}
        if self.parts:
            index = {tuple(root): place for place, root in enumerate(self.roots.tolist())}
        named = [tuple(p.root if p.root.kind == ASSET else p.root._replace(expected=0)) for p in self.parts]
        of_part = [index.setdefault(root, len(index)) for root in named]
        roots = np.array([*index], np.int64) if len(index) > len(self.roots) else self.roots
        root = np.concatenate([self.root, np.array(of_part, np.int64)])
        scene = np.concatenate([runs.scene[self.run], np.array([part.scene_id for part in self.parts], np.int64)])
        segments = total(root, np.concatenate([self.segments, [part.segments for part in self.parts]]), len(roots))
        direct = total(root, np.concatenate([self.direct, [part.direct for part in self.parts]]), len(roots))
        scenes = np.bincount(_distinct(root, scene)[0], minlength=len(roots))
        loose = np.bincount(root[~self._pinned(roots, root, scene)], minlength=len(roots))
        shares = self._shares(takes)
        expected: dict[int, set[int]] = {}
        for place, part in zip(of_part, self.parts, strict=True):
            expected.setdefault(place, set()).add(part.root.expected)
            mine = shares.setdefault(place, {})
            for workload, many in part.shares.items():
                mine[workload] = mine.get(workload, 0) + many
        told = np.flatnonzero(segments)
        return [
            Sums(
                root=(one := Root(*numbers)),
                expected=(one.expected if one.kind == ASSET else _only(expected.get(place, set()))) or None,
                segments=int(segments[place]),
                scenes=int(scenes[place]),
                direct=int(direct[place]),
                pinned=one.kind == ASSET and not loose[place],
                shares=shares.get(place, {}),
            )
            for place, numbers in zip(told.tolist(), roots[told].tolist(), strict=True)
        ]

    def _pinned(self, roots: Ints, root: Ints, scene: Ints) -> Bools:
        """For each part of a group whether a pin holds its asset there."""
        found = np.zeros(len(root), np.bool_)
        if not self.present.pins:
            return found
        project, asset = roots[root, 0], roots[root, 2]
        for where, wanted in (
            (project, [(pin.project_id, pin.asset_id) for pin in self.present.pins if pin.scene_id is None]),
            (scene, [(pin.scene_id, pin.asset_id) for pin in self.present.pins if pin.scene_id is not None]),
        ):
            if wanted:
                pins = np.array(wanted, np.int64)
                stride = int(max(asset.max(initial=0), pins[:, 1].max())) + 1
                found |= np.isin(where * stride + asset, pins[:, 0] * stride + pins[:, 1])
        return found

    def _shares(self, takes: tuple[Ints, Ints, Ints]) -> dict[int, dict[int, int]]:
        """For each root the segments of each workload."""
        workload = self.present.runs.workload[self.run]
        pure = workload > 0
        mixed = np.flatnonzero(~pure)
        run, position, of_take = takes
        order = np.lexsort((position, run))
        run, position, of_take = run[order], position[order], of_take[order]
        ids = self.present.runs.id[self.run[mixed]]
        start, end = np.searchsorted(run, ids, "left"), np.searchsorted(run, ids, "right")
        many = end - start
        entry = np.repeat(mixed, many)
        take = np.arange(len(entry)) - np.repeat(np.cumsum(many) - many, many) + np.repeat(start, many)
        behind = position[take] >= self.first[entry]
        root = np.concatenate([self.root[pure], self.root[entry[behind]]])
        load = np.concatenate([workload[pure], of_take[take[behind]]])
        segments = np.concatenate([self.segments[pure], np.ones(int(behind.sum()), np.int64)])
        stride = int(load.max(initial=0)) + 1
        keys, which = np.unique(root * stride + load, return_inverse=True)
        sums = total(which.reshape(-1), segments, len(keys))
        found: dict[int, dict[int, int]] = {}
        for key, value in zip(keys.tolist(), sums.tolist(), strict=True):
            found.setdefault(key // stride, {})[key % stride] = value
        return found


def _distinct(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """The distinct pairs of two columns."""
    stride = int(second.max(initial=0)) + 1
    pairs = np.sort(first * stride + second)  # far sooner than numpy tells distinct ones by hashing
    return np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], stride)


def _plus(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {*one, *other}}


def _only(values: set[int]) -> int | None:
    """The value that there is only one of; 0 stands for none."""
    known = values - {0}
    return known.pop() if len(known) == 1 else None
