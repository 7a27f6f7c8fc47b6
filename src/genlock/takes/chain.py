"""Which segments continue which, after anything in a scene changed. Pure.

    segment    1 ──▶ 2 ──▶ 3      4 ──▶ 5
    chained    –     yes   yes    no    yes
    seed       –     of 1  of 2   –     of 4
    run        1     1     1      4     4
    position   1     2     3      1     2

A run starts at an unchained segment, at a take without a seed frame, or where nothing is selected before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slot:
    """A segment of a scene that has a selected take, in order, with what the rules need to know about it."""

    segment_id: int
    scene_id: int
    project_id: int
    chained: bool
    unknown: bool
    workload_id: int | None
    seed_digest: bytes | None  # of the frame it continues
    seed_segment_id: int | None  # whose take that frame came from
    before_id: int | None  # the segment before, archived ones left out
    before_selected: bool
    before_digest: bytes | None  # of the same part of the take that is selected there


@dataclass(frozen=True, slots=True)
class Link:
    """Where a slot stands: its run, and whether what it continues is still what is there."""

    segment_id: int
    run_id: int
    run_position: int
    via_judged: bool
    broken: tuple[bytes, bytes] | None  # (the frame that was used, the frame that is there now)


@dataclass(frozen=True, slots=True)
class Run:
    """Segments that continue one another. ``workload_id`` is set when all their takes share it."""

    run_id: int
    project_id: int
    scene_id: int
    length: int
    unknown_from: int | None
    workload_id: int | None


def link(slots: Iterable[Slot]) -> tuple[Link, ...]:
    """Where each slot of some scenes stands; ``slots`` are ordered by scene and position."""
    links: list[Link] = []
    for slot in slots:
        continues = slot.chained and slot.seed_digest is not None and slot.before_selected
        previous = links[-1] if continues and links else None
        moved = continues and slot.before_digest is not None and slot.before_digest != slot.seed_digest
        links.append(
            Link(
                segment_id=slot.segment_id,
                run_id=previous.run_id if previous else slot.segment_id,
                run_position=previous.run_position + 1 if previous else 1,
                via_judged=not (slot.chained and slot.before_id is not None and slot.seed_segment_id == slot.before_id),
                broken=(slot.seed_digest or b"", slot.before_digest or b"") if moved else None,
            )
        )
    return tuple(links)


def runs(slots: Sequence[Slot], links: Sequence[Link]) -> tuple[Run, ...]:
    """The runs that linked slots form."""
    members: dict[int, list[tuple[Slot, Link]]] = {}
    for slot, place in zip(slots, links, strict=True):
        members.setdefault(place.run_id, []).append((slot, place))
    found: list[Run] = []
    for run_id, run in members.items():
        first = run[0][0]
        workloads = {slot.workload_id for slot, _ in run}
        found.append(
            Run(
                run_id=run_id,
                project_id=first.project_id,
                scene_id=first.scene_id,
                length=len(run),
                unknown_from=next((place.run_position for slot, place in run if slot.unknown), None),
                workload_id=first.workload_id if len(workloads) == 1 else None,
            )
        )
    return tuple(found)
