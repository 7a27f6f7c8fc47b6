"""The present of some runs as arrays: what is out of date, where it is used, broken links, waivers, pins. Pure.

    sources   content 3 is out of date in scope 0, because of root (asset 12, used v1, expected v2)   ┐
    uses      content 3 is used in run 7 at position 2                                                ┼─▶ own causes
    links     the link into run 7, position 4 is broken                                               ┘

A run is identified by its index in ``Runs``; positions count from 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from genlock.staleness.arrays import PAIR_BYTES, Bools, Digests, Ints, expanded, integers
from genlock.staleness.model import RootKey, RootKind

BOTH, BEFORE, AFTER = 0, 1, 2
"""The worlds of a what-if: a source holds in both, only before the change, or only after it."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs by ascending id. ``unknown_from`` (a position) and ``workload`` are 0 where there is none."""

    id: Ints
    project: Ints
    scene: Ints
    length: Ints
    unknown_from: Ints
    workload: Ints

    def hold(self, run_ids: Ints, positions: Ints) -> Bools:
        """Mark the places that exist: a run can have changed between two statements."""
        if not len(self.id):
            return np.zeros(len(run_ids), np.bool_)
        run = np.minimum(np.searchsorted(self.id, run_ids), len(self.id) - 1)
        return (self.id[run] == run_ids) & (positions <= self.length[run])


@dataclass(frozen=True, slots=True)
class Sources:
    """Why contents are out of date: one row per content, scope, root and world. ``digests`` has a pair per row."""

    content: Ints
    scope: Ints
    world: Ints
    direct: Ints
    kind: Ints
    asset: Ints
    used: Ints
    expected: Ints
    digests: Digests


@dataclass(frozen=True, slots=True)
class Uses:
    """Where the contents of the sources are used: run ids and positions."""

    content: Ints
    run: Ints
    position: Ints


@dataclass(frozen=True, slots=True)
class Links:
    """Broken links: run ids and positions. ``digests`` has a pair of frames per row."""

    run: Ints
    position: Ints
    digests: Digests


@dataclass(frozen=True, slots=True)
class Waivers:
    """Waivers in force: run ids, positions and the asset, 0 for a link. ``digests`` has the accepted pair per row."""

    id: Ints
    run: Ints
    position: Ints
    asset: Ints
    digests: Digests


class Pinned(NamedTuple):
    """An asset that a project, or one of its scenes, pins."""

    project_id: int
    scene_id: int | None
    asset_id: int


class Scoped(NamedTuple):
    """The scope of a project or of one of its scenes."""

    id: int
    project_id: int
    scene_id: int | None


class Own(NamedTuple):
    """Own causes: a run, a position and a root each. ``binding`` numbers the asset and digests that a waiver accepts.

    ``source`` is an index into ``Sources``, or -1 - i for the link i.
    """

    run: Ints
    position: Ints
    root: Ints
    direct: Bools
    expected: Ints
    binding: Ints
    source: Ints

    def only(self, rows: Ints) -> "Own":
        """Return the own causes with these indices, in this order."""
        return Own(
            self.run[rows],
            self.position[rows],
            self.root[rows],
            self.direct[rows],
            self.expected[rows],
            self.binding[rows],
            self.source[rows],
        )


@dataclass(frozen=True)
class Present:
    """The data for judging some runs."""

    runs: Runs
    sources: Sources
    uses: Uses
    links: Links
    waivers: Waivers
    scopes: Sequence[Scoped]
    pins: Sequence[Pinned]

    @cached_property
    def scope(self) -> Ints:
        """The scope of each run: its scene's, else its project's, else the global one."""
        scope = np.zeros(len(self.runs.id), np.int64)
        for scoped in sorted(self.scopes, key=lambda scoped: scoped.scene_id is not None):
            if scoped.scene_id is None:
                scope[self.runs.project == scoped.project_id] = scoped.id
            else:
                scope[self.runs.scene == scoped.scene_id] = scoped.id
        return scope

    @cached_property
    def stride(self) -> int:
        """A number above every position and every end of a run."""
        return int(self.runs.length.max(initial=0)) + 2

    @cached_property
    def roots(self) -> tuple[RootKey, ...]:
        """Every root of the sources, then that of broken links."""
        return (*(RootKey(*row) for row in self._source_roots[0].tolist()), RootKey(RootKind.CHAIN, 0, 0, 0))

    @cached_property
    def _source_roots(self) -> tuple[Ints, Ints]:
        """The distinct roots of the sources as rows, and the index of each source's root."""
        sources = self.sources
        expected = np.where(sources.kind == RootKind.ASSET, sources.expected, 0)
        table = np.stack([sources.kind, sources.asset, sources.used, expected])
        order = np.lexsort(table[::-1])
        table = table[:, order]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (table[:, 1:] != table[:, :-1]).any(axis=0)
        index = np.empty(len(order), np.int64)
        index[order] = np.cumsum(begins) - 1
        return table[:, begins].T, index

    @cached_property
    def bindings(self) -> tuple[Ints, Ints, Ints]:
        """The numbers of what a waiver is bound to: of each source, link and waiver; in the order of the digests."""
        if not len(self.waivers.id):
            return np.zeros(len(self.sources.content), np.int64), np.zeros(len(self.links.run), np.int64), integers()
        source = _pairs(self.sources.asset, self.sources.digests)
        link = _pairs(np.zeros(len(self.links.run), np.int64), self.links.digests)
        waiver = _pairs(self.waivers.asset, self.waivers.digests)
        number = {pair: place for place, pair in enumerate(sorted({*source, *link, *waiver}))}
        by_source, by_link, by_waiver = (
            np.array([number[pair] for pair in pairs], np.int64) for pairs in (source, link, waiver)
        )
        return by_source, by_link, by_waiver

    def run_index(self, run_ids: Ints) -> Ints:
        """Return the index of each run id."""
        return np.searchsorted(self.runs.id, run_ids)

    def digests(self, source: int) -> tuple[bytes, bytes]:
        """Return the digests of the used and the expected content, for a ``source`` as in ``Own``."""
        pair = self.links.digests[-1 - source] if source < 0 else self.sources.digests[source]
        pair = pair.tobytes()
        return pair[: PAIR_BYTES // 2], pair[PAIR_BYTES // 2 :]

    def own(self, world: int = BOTH) -> Own:
        """Return the own causes of a world, unordered."""
        sources, uses, links = self.sources, self.uses, self.links
        if not len(uses.run) and not len(links.run):  # most requests for single segments: nothing is out of date there
            none = integers()
            return Own(none, none, none, none > 0, none, none, none)
        order = np.argsort(sources.content, kind="stable")
        contents = sources.content[order]
        first = np.searchsorted(contents, uses.content, "left")
        use, offset = expanded(np.searchsorted(contents, uses.content, "right") - first)
        source = order[first[use] + offset]
        run = self.run_index(uses.run)[use]
        holds = (sources.scope[source] == self.scope[run]) & np.isin(sources.world[source], (BOTH, world))
        use, source, run = use[holds], source[holds], run[holds]
        by_source, by_link, _ = self.bindings
        chained = len(self.roots) - 1
        count = len(links.run)
        return Own(
            run=np.concatenate([run, self.run_index(links.run)]),
            position=np.concatenate([uses.position[use], links.position]),
            root=np.concatenate([self._source_roots[1][source], np.full(count, chained)]),
            direct=np.concatenate([sources.direct[source] > 0, np.ones(count, np.bool_)]),
            expected=np.concatenate([sources.expected[source], np.zeros(count, np.int64)]),
            binding=np.concatenate([by_source[source], by_link]),
            source=np.concatenate([source, -1 - np.arange(count)]),
        )


def _pairs(assets: Ints, digests: Digests) -> list[tuple[int, bytes]]:
    return list(zip(assets.tolist(), digests.tolist(), strict=True))
