"""Finds where the causes of segments begin: on the shortest path, then on the one with the lowest ids. Pure.

    run      1 ─── 2 ─── 3 ─── 4 ─── 5      root a has own causes at 1 and 4, and is waived at 3
    root a   ●───────────○     ●──────      so 2 has it from 1, and 5 from 4

A cause passes along a run until the root is waived; a direct cause replaces what comes along.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Ref = tuple[int, int]
"""(asset id, version number)."""


@dataclass(frozen=True, slots=True)
class OwnCause:
    """An own cause of a segment. ``source`` identifies it; ``versions`` lead from the root to the input it is about.

    ``digest`` is of what was used; ``waived`` says that a waiver of the segment accepts it.
    """

    position: int
    source: int
    direct: bool
    waived: bool
    digest: bytes
    versions: tuple[Ref, ...]
    binding: int


SegmentRef = Callable[[int], Ref]
"""For a position of the run the id and the position in its scene of the segment there."""


def origins(
    own: Iterable[OwnCause], waived: Mapping[int, frozenset[int]], positions: Sequence[int], segment_at: SegmentRef
) -> dict[int, OwnCause]:
    """Return for each of ``positions`` of a run the own cause from which it has a root.

    ``own``: all own causes of the run with that root. ``waived``: by position, the bindings that waivers accept.
    Positions without the root are absent.
    """
    by_position: dict[int, list[OwnCause]] = {}
    for cause in own:
        by_position.setdefault(cause.position, []).append(cause)
    requested = set(positions)
    best: OwnCause | None = None
    origin: dict[int, OwnCause] = {}
    for position in sorted({*by_position, *requested, *(place + 1 for place in waived)}):
        if best is not None and _stopped(best, waived, position):
            best = None
        causes = by_position.get(position, [])
        direct = [cause for cause in causes if cause.direct]
        if direct:
            open_causes = [cause for cause in direct if not cause.waived]
            best = min(open_causes or direct, key=lambda cause: cause.digest)
        else:
            for cause in causes:
                best = cause if best is None or _shorter(cause, best, segment_at) else best
        if best is not None and position in requested:
            origin[position] = best
    return origin


def _stopped(cause: OwnCause, waived: Mapping[int, frozenset[int]], position: int) -> bool:
    """Return whether a waiver of the segment before ``position`` accepts a cause that is passed on."""
    return cause.binding in waived.get(position - 1, frozenset())


def _shorter(cause: OwnCause, other: OwnCause, segment_at: SegmentRef) -> bool:
    """Return whether the path by ``cause``, which begins at the same segment or later, is shorter or has lower ids."""
    between = cause.position - other.position
    if len(cause.versions) != len(other.versions) + between:
        return len(cause.versions) < len(other.versions) + between
    # Behind these the two paths are the same segments.
    along = [*other.versions, *(segment_at(other.position + step) for step in range(between))]
    if list(cause.versions) == along:
        return between > 0  # a version and a segment can have the same ids: the path by versions is shown
    return list(cause.versions) < along
