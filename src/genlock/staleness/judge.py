"""Judges runs: which segments are stale, unknown, waived or fresh, and because of what. Pure.

    run        1 ─ 2 ─ 3 ─ 4 ─ 5 ─ 6
    root a         ●───────────────      from an own cause to the end of the run
    root b     ●───────○                 up to the first waiver of that root, where it is accepted instead
    root b                 ●───────      and from the next own cause on

Every segment has a place: runs one after the other, in the order of ``Runs``. What holds for segments is an array over
places, what holds for roots a list of intervals. Counts, lists, markers and explanations read the same arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genlock.staleness.arrays import Bools, Ints, expanded
from genlock.staleness.model import RootKey, State
from genlock.staleness.present import BOTH, Own, Present

STATES = (State.FRESH, State.STALE, State.UNKNOWN, State.WAIVED)
"""The states of segments with a selected take, by their codes in ``Judged.states``."""

FRESH, STALE, UNKNOWN, WAIVED = range(len(STATES))


class Covers(NamedTuple):
    """Intervals by run, root and start: from ``start`` up to and without ``end`` a root makes segments stale.

    Each begins with an own cause, which is ``direct`` or derived. An interval is empty if its own cause is waived.
    """

    run: Ints
    root: Ints
    start: Ints
    end: Ints
    direct: Bools
    expected: Ints
    own: Ints  # the index of the first own cause at ``start``; the others follow it

    def only(self, marked: Bools) -> "Covers":
        """Return the marked intervals."""
        return Covers(
            self.run[marked],
            self.root[marked],
            self.start[marked],
            self.end[marked],
            self.direct[marked],
            self.expected[marked],
            self.own[marked],
        )


class OpenCauses(NamedTuple):
    """Own causes of segments that no waiver accepts for them: places, and indices into ``own``."""

    place: Ints
    own: Ints


class OwnRow(NamedTuple):
    """An own cause at a place. ``content`` is its input, ``None`` for a link."""

    place: int
    root: int
    direct: bool
    waived: bool
    content: int | None


class Waived(NamedTuple):
    """The places where a root is accepted by a waiver."""

    run: Ints
    root: Ints
    position: Ints


class Reason(NamedTuple):
    """A root that holds for a segment; ``stale`` is false if it is accepted."""

    run: int
    position: int
    root: int
    stale: bool


@dataclass(frozen=True)
class Judged:
    """The judgement of every segment of some runs in one world."""

    present: Present
    own: Own
    own_waived: Bools  # which own causes a waiver of their segment accepts
    covers: Covers
    accepted: Waived

    @cached_property
    def base(self) -> Ints:
        """The place of the first segment of each run."""
        return np.cumsum(self.present.runs.length) - self.present.runs.length

    @cached_property
    def size(self) -> int:
        """The number of segments."""
        return int(self.present.runs.length.sum())

    @cached_property
    def run_of_place(self) -> Ints:
        """The run of each place."""
        return np.repeat(np.arange(len(self.base)), self.present.runs.length)

    def places(self, run: Ints, position: Ints) -> Ints:
        """Return the place of each run and position; for the position after a run's last, the place after it."""
        return self.base[run] + position - 1

    def covering(self, covers: Bools | slice = slice(None)) -> Ints:
        """Return for each place the number of roots of the given intervals that cover it."""
        run = self.covers.run[covers]
        starts = np.bincount(self.places(run, self.covers.start[covers]), minlength=self.size + 1)
        ends = np.bincount(self.places(run, self.covers.end[covers]), minlength=self.size + 1)
        return np.cumsum(starts - ends)[: self.size]

    @cached_property
    def roots_at(self) -> Ints:
        """For each place by how many roots it is stale."""
        return self.covering()

    @cached_property
    def states(self) -> NDArray[np.int8]:
        """The state of each place, as an index into ``STATES``."""
        runs = self.present.runs
        states = np.zeros(self.size, np.int8)
        states[self.places(self.accepted.run, self.accepted.position)] = WAIVED
        partly = np.flatnonzero(runs.unknown_from > 0)
        index, offset = expanded(runs.length[partly] - runs.unknown_from[partly] + 1)
        states[self.places(partly[index], runs.unknown_from[partly[index]] + offset)] = UNKNOWN
        states[self.roots_at > 0] = STALE
        return states

    def state_of(self, run: Ints, position: Ints) -> list[State]:
        """Return the states of segments by run index and position."""
        return [STATES[code] for code in self.states[self.places(run, position)].tolist()]

    def counts(self, code: int) -> Ints:
        """Return for each run the number of its segments with a state."""
        return self.sums(self.states == code)

    def sums(self, values: Bools | Ints) -> Ints:
        """Return for each run the sum of values over its places."""
        total = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
        return total[self.base + self.present.runs.length] - total[self.base]

    def root_indices(self, roots: Sequence[RootKey]) -> list[int]:
        """Return the index of each root; -1 for an absent one."""
        index = {root: place for place, root in enumerate(self.present.roots)}
        return [index.get(root, -1) for root in roots]

    def stale_by(self, roots: Sequence[int]) -> Bools:
        """Mark the places that are stale by any of these roots."""
        return self.covering(np.isin(self.covers.root, roots)) > 0

    def waived_by(self, roots: Sequence[int]) -> Bools:
        """Mark the places that have any of these roots accepted."""
        marks = np.isin(self.accepted.root, roots)
        waived = np.zeros(self.size, np.bool_)
        waived[self.places(self.accepted.run[marks], self.accepted.position[marks])] = True
        return waived

    def own_causes(self) -> list[OwnRow]:
        """Return every own cause."""
        own = self.own
        sources = np.append(self.present.sources.content, 0)  # the last is for links, which do not have a content
        content = sources[np.where(own.source < 0, len(sources) - 1, own.source)]
        columns = (self.places(own.run, own.position), own.root, own.direct, self.own_waived, content)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [OwnRow(place, root, direct, waived, content or None) for place, root, direct, waived, content in rows]

    def reasons(self, places: Ints) -> list[Reason]:
        """Return every root that holds for the given places, in ascending order, accepted ones included."""
        covers, accepted = self.covers, self.accepted
        places = np.unique(places)
        first = np.searchsorted(places, self.places(covers.run, covers.start))
        last = np.searchsorted(places, self.places(covers.run, covers.end))
        cover, offset = expanded(np.maximum(last - first, 0))
        place = places[first[cover] + offset]
        waived_at = self.places(accepted.run, accepted.position)
        marks = np.isin(waived_at, places)
        # A place can be in both where a take has two causes with the same root and only one is waived: stale first.
        place = np.concatenate([place, waived_at[marks]])
        root = np.concatenate([covers.root[cover], accepted.root[marks]])
        stale = np.concatenate([np.ones(len(cover), np.bool_), np.zeros(int(marks.sum()), np.bool_)])
        run = self.run_of_place[place]
        position = place - self.base[run] + 1
        order = np.lexsort((~stale, root, place))
        reasons: dict[tuple[int, int, int], Reason] = {}
        for row in zip(*(column[order].tolist() for column in (run, position, root, stale)), strict=True):
            reasons.setdefault(row[:3], Reason(*row))
        return list(reasons.values())


def open_causes(judged: Judged, roots: Sequence[int], marked: Bools) -> OpenCauses:
    """Return, for each marked place and each of ``roots`` that makes it stale, the nearest own causes not waived."""
    covers, present = judged.covers, judged.present
    selected_covers = np.flatnonzero(np.isin(covers.root, roots) & (covers.end > covers.start))
    index, offset = expanded(covers.end[selected_covers] - covers.start[selected_covers])
    cover = selected_covers[index]
    place = judged.places(covers.run[cover], covers.start[cover] + offset)
    cover, place = cover[marked[place]], place[marked[place]]
    row, offset = expanded(np.append(covers.own[1:], len(judged.own.run))[cover] - covers.own[cover])
    own, place = covers.own[cover][row] + offset, place[row]
    bindings, waivers = _waiver_keys(present, judged.own)
    position = place - judged.base[judged.run_of_place[place]] + 1
    key = _key(present, bindings, judged.own.run[own], judged.own.binding[own], position)
    still_open = ~np.isin(key, waivers)
    return OpenCauses(place[still_open], own[still_open])


def judge(present: Present, world: int = BOTH) -> Judged:
    """Judge every segment of some runs as it is in a world."""
    own = present.own(world)
    if not len(own.run):
        return _nothing(present, own)
    own = _sorted(present, own)
    bindings, waivers = _waiver_keys(present, own)
    waived = np.isin(_key(present, bindings, own.run, own.binding, own.position), waivers)
    begins = np.ones(len(own.run), np.bool_)
    begins[1:] = np.diff(_order(present, own)) > 0
    starts = np.flatnonzero(begins)
    # One row for each run, root and position from here on: a take can have several own causes with the same root.
    run, root, start = own.run[starts], own.root[starts], own.position[starts]
    all_waived = np.logical_and.reduceat(waived, starts)
    any_waived = np.logical_or.reduceat(waived, starts)
    passed_on = np.minimum.reduceat(np.where(waived, bindings, own.binding), starts)
    same = (run[1:] == run[:-1]) & (root[1:] == root[:-1])
    end = np.append(np.where(same, start[1:], present.runs.length[run[:-1]] + 1), present.runs.length[run[-1:]] + 1)
    stop, stopped = _stops(present, bindings, waivers, run, passed_on, start, end)
    stopped &= ~all_waived
    covers = Covers(
        run=run,
        root=root,
        start=start,
        end=np.where(all_waived, start, np.where(stopped, stop, end)),
        direct=np.logical_or.reduceat(own.direct & ~waived, starts),
        expected=own.expected[starts],
        own=starts,
    )
    accepted = Waived(
        run=np.concatenate([run[any_waived], run[stopped]]),
        root=np.concatenate([root[any_waived], root[stopped]]),
        position=np.concatenate([start[any_waived], stop[stopped]]),
    )
    return Judged(present, own, waived, covers, accepted)


def _stops(
    present: Present, bindings: int, waivers: Ints, run: Ints, binding: Ints, start: Ints, end: Ints
) -> tuple[Ints, Bools]:
    """Return the first waiver after each start of what is passed on from there, and whether it precedes the end."""
    if not len(waivers):
        return start, np.zeros(len(start), np.bool_)
    key = _key(present, bindings, run, binding, start)
    following = waivers[np.minimum(np.searchsorted(waivers, key, "right"), len(waivers) - 1)]
    stop = start + following - key
    return stop, (following > key) & (stop < end)


def _waiver_keys(present: Present, own: Own) -> tuple[int, Ints]:
    """Return a number above every binding, and the sorted keys of the waivers."""
    _, _, binding = present.bindings
    bindings = int(max(own.binding.max(initial=0), binding.max(initial=0))) + 1
    run = present.run_index(present.waivers.run)
    return bindings, np.sort(_key(present, bindings, run, binding, present.waivers.position))


def _key(present: Present, bindings: int, run: Ints, binding: Ints, position: Ints) -> Ints:
    """Return one number for a run, the binding of a waiver, and a position."""
    return (run * (bindings + 1) + binding) * present.stride + position


def _order(present: Present, own: Own) -> Ints:
    """Return one number for a run, a root and a position."""
    return (own.run * len(present.roots) + own.root) * present.stride + own.position


def _sorted(present: Present, own: Own) -> Own:
    return own.only(np.argsort(_order(present, own), kind="stable"))


def _nothing(present: Present, own: Own) -> Judged:
    none, never = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    return Judged(present, own, never, Covers(none, none, none, none, never, none, none), Waived(none, none, none))
