"""What a project's reports and counts are added up from: own causes and runs, as arrays. Pure.

    hits     run 7 position 2, run 7 position 3, …      ─▶ outdated contents (root, scope, world), or a broken link
    runs     run 7: scene 3, 5 segments, known to the end

These are the own causes that ``causes_sql`` spreads as ranges. Runs that are walked, for a waiver or for what no
version has, are left out here and counted from those ranges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
ASSET, CHAIN = 0, 2
BEFORE, AFTER, NEITHER = 1, 2, -1
"""Of two worlds: what is so only in the one, only in the other, and neither of these. 0 is what is so in both."""


class Root(NamedTuple):
    """What a group is about: kinds as in ``causes_sql``, 0 where there is no number."""

    project_id: int
    kind: int
    asset: int
    used: int
    expected: int


@dataclass(frozen=True, slots=True)
class Runs:
    """Every run of some projects, by ascending id. ``unknown_from`` and ``workload`` are 0 where there is none."""

    id: Ints
    project: Ints
    scene: Ints
    length: Ints
    unknown_from: Ints
    workload: Ints


@dataclass(frozen=True, slots=True)
class Outdated:
    """Contents that are out of date and that a project uses, each with one of its roots, in a scope and a world."""

    project: Ints
    scope: Ints
    world: Ints
    direct: Ints
    asset: Ints
    used: Ints
    expected: Ints


@dataclass(frozen=True, slots=True)
class Hits:
    """Where something begins: a run, a position in it; ``what`` is a place in ``Outdated``, or -1 for a link."""

    what: Ints
    run: Ints
    position: Ints


class Pinned(NamedTuple):
    """An asset that a project, or one scene of it, pins."""

    project_id: int
    scene_id: int | None
    asset_id: int


class Scoped(NamedTuple):
    """A scope of its own: of a project, or of one scene."""

    id: int
    project_id: int
    scene_id: int | None


@dataclass(frozen=True, slots=True)
class Changes:
    """How many segments become stale and fresh from one world to the other, by project."""

    becomes_stale: Mapping[int, int]
    becomes_fresh: Mapping[int, int]


@dataclass(frozen=True)
class Present:
    """Everything of some projects that their reports and counts are added up from."""

    runs: Runs
    outdated: Outdated
    hits: Hits
    scopes: Sequence[Scoped]
    pins: Sequence[Pinned]
    walked_runs: Ints
    expecting: Ints  # of those, the ones that use what no version has of an asset that moves between the worlds

    @cached_property
    def walked(self) -> Bools:
        """Which runs are walked."""
        return np.isin(self.runs.id, self.walked_runs)

    @cached_property
    def scope(self) -> Ints:
        """The scope of each run: of its scene, else of its project, else the global one."""
        found = np.zeros(len(self.runs.id), np.int64)
        for one in sorted(self.scopes, key=lambda scope: scope.scene_id is not None):
            here = self.runs.project == one.project_id if one.scene_id is None else self.runs.scene == one.scene_id
            found[here] = one.id
        return found

    @cached_property
    def place(self) -> Ints:
        """For each hit the place of its run."""
        return np.searchsorted(self.runs.id, self.hits.run)

    @cached_property
    def stride(self) -> int:
        """More than any position."""
        return int(self.runs.length.max(initial=0)) + 2

    @cached_property
    def roots(self) -> tuple[Ints, Ints]:
        """Every root as a row with the numbers of a ``Root``, and for each hit which one it has."""
        out = self.outdated
        table = np.stack([out.project, out.asset, out.used, out.expected])
        order = np.lexsort(table[::-1])
        table = table[:, order]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (table[:, 1:] != table[:, :-1]).any(axis=0)
        which = np.empty(len(order), np.int64)
        which[order] = np.cumsum(begins) - 1
        roots = np.insert(table[:, begins], 1, ASSET, axis=0).T
        found = np.append(which, 0)[self.hits.what]
        links = np.flatnonzero(self.hits.what < 0)
        chains, chain = np.unique(self.runs.project[self.place[links]], return_inverse=True)
        found[links] = len(roots) + chain
        of_chains = np.zeros((len(chains), roots.shape[1]), np.int64)
        of_chains[:, 0], of_chains[:, 1] = chains, CHAIN
        return np.concatenate([roots, of_chains]), found

    @cached_property
    def world(self) -> Ints:
        """For each hit the world that it is so in alone; 0 for both, and for links."""
        return np.append(self.outdated.world, 0)[self.hits.what]

    @cached_property
    def judged(self) -> Bools:
        """Which hits are of their run's scope, and of a run that is not walked."""
        judged = np.append(self.outdated.scope, 0)[self.hits.what] == self.scope[self.place]
        judged[self.hits.what < 0] = True  # a link is broken in every scope
        return judged & ~self.walked[self.place]

    def counting(self, without: int = NEITHER) -> Bools:
        """Which hits count in the world that lacks what is so only in the other."""
        return self.judged & (self.world != without)

    def firsts(self, without: int) -> Ints:
        """For each run the position from which on it is stale, behind its end if it is not or is walked."""
        counts = self.counting(without)
        first = self.runs.length + 1
        np.minimum.at(first, self.place[counts], self.hits.position[counts])
        return first

    @cached_property
    def unknown(self) -> Ints:
        """For each run the position from which on nothing is known, behind its end if all is."""
        return np.where(self.runs.unknown_from > 0, self.runs.unknown_from, self.runs.length + 1)

    def states(self) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
        """By project: how many takes are selected, and how many of those not in walked runs are stale and unknown."""
        runs, first = self.runs, self.firsts(NEITHER)
        unknown = np.where(self.walked, 0, np.maximum(first - self.unknown, 0))
        return by(runs.project, runs.length), by(runs.project, runs.length + 1 - first), by(runs.project, unknown)

    @cached_property
    def walked_changes(self) -> Ints:
        """The walked runs in which the two worlds may differ: in all others the same causes meet the same waivers."""
        return np.intersect1d(self.walked_runs, np.concatenate([self.hits.run[self.world != 0], self.expecting]))

    def changes(self) -> Changes:
        """What is stale or fresh in one of the two worlds only, walked runs left out."""
        before, after = self.firsts(AFTER), self.firsts(BEFORE)
        fresh = np.minimum(after, self.unknown) - np.minimum(before, self.unknown)
        return Changes(
            by(self.runs.project, np.maximum(before - after, 0)), by(self.runs.project, np.maximum(fresh, 0))
        )


def total(which: Ints, values: Ints, many: int) -> Ints:
    """The sum of the values for each of so many places."""
    # As floats, which are exact for whole numbers up to 2^53.
    return np.bincount(which, values, many).astype(np.int64)


def by(key: Ints, values: Ints) -> dict[int, int]:
    """The sum of the values for each key."""
    keys, which = np.unique(key, return_inverse=True)
    return dict(zip(keys.tolist(), total(which.reshape(-1), values, len(keys)).tolist(), strict=True))
