"""Determines which segments continue which, after a change in a scene. Pure.

    segment    1 ──▶ 2 ──▶ 3      4 ──▶ 5
    chained    –     yes   yes    no    yes
    seed       –     of 1  of 2   –     of 4
    run        1     1     1      4     4
    position   1     2     3      1     2

A run starts at an unchained segment, at a take without a seed frame, or where nothing is selected before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Slot:
    """A segment of a scene with a selected take, and what the rules depend on."""

    segment_id: int
    scene_id: int
    project_id: int
    chained: bool
    unknown: bool
    workload_id: int | None
    seed_digest: bytes | None  # of the seed frame
    seed_segment_id: int | None  # of the take that the seed frame came from
    before_id: int | None  # the previous segment, archived ones skipped
    before_selected: bool
    before_digest: bytes | None  # of the same part of the take selected in the previous segment


@dataclass(frozen=True, slots=True)
class Link:
    """The run of a slot and its position there, and whether the frame that it continues was replaced."""

    segment_id: int
    run_id: int
    run_position: int
    via_judged: bool
    broken: tuple[bytes, bytes] | None  # (the frame that was used, the frame of the take selected now)


@dataclass(frozen=True, slots=True)
class Run:
    """Segments that continue one another. ``workload_id`` is set when all their takes share it."""

    run_id: int
    project_id: int
    scene_id: int
    length: int
    unknown_from: int | None
    workload_id: int | None


@dataclass(frozen=True, slots=True)
class Member:
    """A slot with its stored link and run. A segment whose first take was just selected has no run yet."""

    slot: Slot
    link: Link
    run: Run | None


@dataclass(frozen=True, slots=True)
class Relinked:
    """What a new selected take changes in its scene: links, and the run of its segment.

    Unless ``is_complete``, ``unknown_from`` and ``workload_id`` of the run depend on members that were not read.
    """

    links: tuple[Link, ...]
    run: Run
    is_complete: bool


def link(slots: Iterable[Slot]) -> tuple[Link, ...]:
    """Return the link of each slot of some scenes; ``slots`` are ordered by scene and position."""
    links: list[Link] = []
    for slot in slots:
        links.append(_link(slot, links[-1] if links else None))
    return tuple(links)


def relink_one(before: Member | None, selected: Member, after: Member | None) -> Relinked | None:
    """Return what changes when a segment gets another selected take, by its neighbours alone.

    ``None`` if segments beyond them may change too: where runs are joined in the middle, or divided.
    """
    link = _link(selected.slot, before and before.link)
    links = [(link, selected.link)]
    if after is not None:
        links.append((_link(after.slot, link), after.link))
    if any(_place(new) != _place(stored) for new, stored in (links if selected.run is not None else links[1:])):
        return None
    if selected.run is not None:
        run, is_complete = _with_replaced_take(selected.run, link, selected.slot)
    elif link.run_position == 1:
        run, is_complete = _run(link.run_id, [(selected.slot, link)]), True
    elif before is None or before.run is None:
        return None
    else:
        run, is_complete = _extended_run(before.run, link, selected.slot), True
    return Relinked(tuple(new for new, stored in links if new != stored), run, is_complete)


def _link(slot: Slot, previous: Link | None) -> Link:
    """Return the link of a slot; ``previous`` is that of the selected take before it, if there is one."""
    continues = slot.chained and slot.seed_digest is not None and slot.before_selected
    if not continues:
        previous = None
    differs = continues and slot.before_digest is not None and slot.before_digest != slot.seed_digest
    return Link(
        segment_id=slot.segment_id,
        run_id=previous.run_id if previous else slot.segment_id,
        run_position=previous.run_position + 1 if previous else 1,
        via_judged=not (slot.chained and slot.before_id is not None and slot.seed_segment_id == slot.before_id),
        broken=(slot.seed_digest or b"", slot.before_digest or b"") if differs else None,
    )


def _place(link: Link) -> tuple[int, int]:
    return link.run_id, link.run_position


def _with_replaced_take(run: Run, link: Link, slot: Slot) -> tuple[Run, bool]:
    """Return a run after a member's take was replaced, and whether the result is exact without the other members."""
    if run.length == 1:
        return _run(run.run_id, [(slot, link)]), True
    first = run.unknown_from
    if slot.unknown:
        unknown_from, is_complete = min(first or link.run_position, link.run_position), True
    else:
        unknown_from, is_complete = first, first != link.run_position
    workload_id = run.workload_id if run.workload_id == slot.workload_id else None
    if run.workload_id is None and slot.workload_id is not None:
        is_complete = False  # this may have been the only member with another workload
    return replace(run, unknown_from=unknown_from, workload_id=workload_id), is_complete


def _extended_run(run: Run, link: Link, slot: Slot) -> Run:
    """Return a run extended by one segment."""
    return replace(
        run,
        length=run.length + 1,
        unknown_from=run.unknown_from or (link.run_position if slot.unknown else None),
        workload_id=run.workload_id if run.workload_id == slot.workload_id else None,
    )


def runs(slots: Sequence[Slot], links: Sequence[Link]) -> tuple[Run, ...]:
    """Return the runs that linked slots form."""
    members: dict[int, list[tuple[Slot, Link]]] = {}
    for slot, place in zip(slots, links, strict=True):
        members.setdefault(place.run_id, []).append((slot, place))
    return tuple(_run(run_id, run) for run_id, run in members.items())


def _run(run_id: int, members: Sequence[tuple[Slot, Link]]) -> Run:
    first = members[0][0]
    workloads = {slot.workload_id for slot, _ in members}
    return Run(
        run_id=run_id,
        project_id=first.project_id,
        scene_id=first.scene_id,
        length=len(members),
        unknown_from=next((place.run_position for slot, place in members if slot.unknown), None),
        workload_id=first.workload_id if len(workloads) == 1 else None,
    )
