"""Which segments continue which, compared with a definition that is too simple to be wrong."""

import hashlib
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from genlock.takes.chain import Link, Member, Slot, link, relink_one, runs


@dataclass(frozen=True)
class ChainTake:
    """A selected take: the frame it continues (whose segment, which image), and the frame it ends with."""

    seed: tuple[int, int] | None
    ends_with: int
    unknown: bool
    workload: int | None


@dataclass(frozen=True)
class Place:
    """A segment of a scene."""

    id: int
    chained: bool
    take: ChainTake | None


Scene = tuple[Place, ...]

takes = st.builds(
    ChainTake,
    seed=st.none() | st.tuples(st.integers(1, 7), st.integers(0, 2)),
    ends_with=st.integers(0, 2),
    unknown=st.booleans(),
    workload=st.none() | st.integers(1, 2),
)
scenes = st.lists(st.tuples(st.booleans(), st.none() | takes), max_size=7).map(
    lambda places: tuple(Place(number, chained, take) for number, (chained, take) in enumerate(places, start=1))
)


def picture(number: int) -> bytes:
    return hashlib.sha256(bytes([number])).digest()


def slots_of(scene: Scene) -> tuple[Slot, ...]:
    """Return the slots of a scene as they are read from the database."""
    slots: list[Slot] = []
    for number, place in enumerate(scene):
        before = scene[number - 1] if number else None
        if place.take is None:
            continue
        slots.append(
            Slot(
                segment_id=place.id,
                scene_id=1,
                project_id=1,
                chained=place.chained,
                unknown=place.take.unknown,
                workload_id=place.take.workload,
                seed_digest=picture(place.take.seed[1]) if place.take.seed else None,
                seed_segment_id=place.take.seed[0] if place.take.seed else None,
                before_id=before.id if before else None,
                before_selected=before is not None and before.take is not None,
                before_digest=picture(before.take.ends_with) if before and before.take and place.take.seed else None,
            )
        )
    return tuple(slots)


def continues(scene: Scene, place: Place) -> Place | None:
    """Return the previous segment if this one is chained and has a frame, and the previous one a take."""
    before = next((other for other in scene if other.id == place.id - 1), None)
    if place.chained and place.take and place.take.seed and before and before.take:
        return before
    return None


def run_of(scene: Scene, place: Place) -> list[Place]:
    """Return the segments from the first of a run to this one."""
    before = continues(scene, place)
    return [*(run_of(scene, before) if before else []), place]


@given(scenes)
def test_links_follow_their_definition(scene: Scene) -> None:
    links = {linked.segment_id: linked for linked in link(slots_of(scene))}
    assert set(links) == {place.id for place in scene if place.take}
    for place in scene:
        if place.take is None:
            continue
        linked, run, before = links[place.id], run_of(scene, place), continues(scene, place)
        assert (linked.run_id, linked.run_position) == (run[0].id, len(run))
        is_broken = before and before.take and place.take.seed and place.take.seed[1] != before.take.ends_with
        assert (linked.broken is not None) == bool(is_broken)
        if linked.broken and before and before.take and place.take.seed:
            assert linked.broken == (picture(place.take.seed[1]), picture(before.take.ends_with))
        previous_id = place.id - 1 if place.id > 1 else None
        continues_previous = place.take.seed is not None and place.take.seed[0] == previous_id
        assert linked.via_judged == (not (place.chained and continues_previous))


@given(scenes)
def test_runs_group_the_links_of_one_run(scene: Scene) -> None:
    slots = slots_of(scene)
    links = link(slots)
    runs_by_id = {run.run_id: run for run in runs(slots, links)}
    assert set(runs_by_id) == {place.run_id for place in links}
    for run_id, run in runs_by_id.items():
        members = [place for place in scene if place.take and run_of(scene, place)[0].id == run_id]
        assert run.length == len(members)
        unknown = [number for number, place in enumerate(members, start=1) if place.take and place.take.unknown]
        assert run.unknown_from == min(unknown, default=None)
        workloads = {place.take.workload for place in members if place.take}
        assert run.workload_id == (workloads.pop() if len(workloads) == 1 else None)


@given(scenes, scenes)
def test_scenes_are_linked_independently(scene: Scene, other: Scene) -> None:
    renumbered = [replace(slot, scene_id=2, segment_id=slot.segment_id + 10) for slot in slots_of(other)]
    together = link([*slots_of(scene), *renumbered])
    assert together[: len(slots_of(scene))] == link(slots_of(scene))


@given(scenes, st.integers(0, 6), takes)
def test_relinking_a_new_take_equals_relinking_its_scene(scene: Scene, index: int, take: ChainTake) -> None:
    """Relinking uses only its neighbours, or gives up; a complete answer is right."""
    if index >= len(scene):
        return
    place = scene[index]
    later = tuple(replace(other, take=take) if other is place else other for other in scene)
    links = {each.segment_id: each for each in link(slots_of(scene))}
    stored_runs = {run.run_id: run for run in runs(slots_of(scene), tuple(links.values()))}
    slots = slots_of(later)
    new_links = link(slots)
    members = {
        slot.segment_id: Member(slot, links[slot.segment_id], stored_runs[links[slot.segment_id].run_id])
        if slot.segment_id in links
        else Member(slot, Link(slot.segment_id, slot.segment_id, 1, via_judged=True, broken=None), None)
        for slot in slots
    }
    relinked = relink_one(members.get(place.id - 1), members[place.id], members.get(place.id + 1))
    differs = {each for each in new_links if each != members[each.segment_id].link}
    if relinked is None:
        assert differs
        return
    assert set(relinked.links) == differs
    expected = {run.run_id: run for run in runs(slots, new_links)}
    assert {run for run in expected.values() if run != stored_runs.get(run.run_id)} <= {expected[relinked.run.run_id]}
    assert stored_runs.keys() <= expected.keys()
    run = expected[relinked.run.run_id]
    if not relinked.is_complete:
        run = replace(run, unknown_from=relinked.run.unknown_from, workload_id=relinked.run.workload_id)
    assert relinked.run == run


@given(scenes, st.integers(0, 6), takes)
def test_an_unchained_segment_is_relinked_from_its_neighbours(scene: Scene, index: int, take: ChainTake) -> None:
    unchained = tuple(replace(place, chained=False) for place in scene)
    if index >= len(scene):
        return
    later = tuple(replace(place, take=take) if number == index else place for number, place in enumerate(unchained))
    members = {
        slot.segment_id: Member(slot, Link(slot.segment_id, slot.segment_id, 1, via_judged=True, broken=None), None)
        for slot in slots_of(later)
    }
    number = index + 1
    assert relink_one(members.get(number - 1), members[number], members.get(number + 1)) is not None
