"""Which segments continue which, against a definition that is too slow to be wrong."""

import hashlib
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from genlock.takes.chain import Link, Member, Slot, link, relink_one, runs


@dataclass(frozen=True)
class Made:
    """A selected take: the frame it continues (whose segment, which picture), and the frame it ends with."""

    seed: tuple[int, int] | None
    ends_with: int
    unknown: bool
    workload: int | None


@dataclass(frozen=True)
class Place:
    """A segment of a scene."""

    id: int
    chained: bool
    made: Made | None


Scene = tuple[Place, ...]

made = st.builds(
    Made,
    seed=st.none() | st.tuples(st.integers(1, 7), st.integers(0, 2)),
    ends_with=st.integers(0, 2),
    unknown=st.booleans(),
    workload=st.none() | st.integers(1, 2),
)
scenes = st.lists(st.tuples(st.booleans(), st.none() | made), max_size=7).map(
    lambda places: tuple(Place(number, chained, take) for number, (chained, take) in enumerate(places, start=1))
)


def picture(number: int) -> bytes:
    return hashlib.sha256(bytes([number])).digest()


def slots_of(scene: Scene) -> tuple[Slot, ...]:
    """The slots of a scene as they are read from the database."""
    found: list[Slot] = []
    for number, place in enumerate(scene):
        before = scene[number - 1] if number else None
        if place.made is None:
            continue
        found.append(
            Slot(
                segment_id=place.id,
                scene_id=1,
                project_id=1,
                chained=place.chained,
                unknown=place.made.unknown,
                workload_id=place.made.workload,
                seed_digest=picture(place.made.seed[1]) if place.made.seed else None,
                seed_segment_id=place.made.seed[0] if place.made.seed else None,
                before_id=before.id if before else None,
                before_selected=before is not None and before.made is not None,
                before_digest=picture(before.made.ends_with) if before and before.made and place.made.seed else None,
            )
        )
    return tuple(found)


def continues(scene: Scene, place: Place) -> Place | None:
    """The segment that a segment continues: the one before, if this one is chained, has a frame, and that a take."""
    before = next((other for other in scene if other.id == place.id - 1), None)
    if place.chained and place.made and place.made.seed and before and before.made:
        return before
    return None


def run_of(scene: Scene, place: Place) -> list[Place]:
    """The segments from the first of a run to this one."""
    before = continues(scene, place)
    return [*(run_of(scene, before) if before else []), place]


@given(scenes)
def test_links_are_what_they_are_defined_to_be(scene: Scene) -> None:
    links = {found.segment_id: found for found in link(slots_of(scene))}
    assert set(links) == {place.id for place in scene if place.made}
    for place in scene:
        if place.made is None:
            continue
        found, run, before = links[place.id], run_of(scene, place), continues(scene, place)
        assert (found.run_id, found.run_position) == (run[0].id, len(run))
        moved = before and before.made and place.made.seed and place.made.seed[1] != before.made.ends_with
        assert (found.broken is not None) == bool(moved)
        if found.broken and before and before.made and place.made.seed:
            assert found.broken == (picture(place.made.seed[1]), picture(before.made.ends_with))
        stands_before = place.id - 1 if place.id > 1 else None
        from_before = place.made.seed is not None and place.made.seed[0] == stands_before
        assert found.via_judged == (not (place.chained and from_before))


@given(scenes)
def test_runs_are_the_links_that_share_one(scene: Scene) -> None:
    slots = slots_of(scene)
    links = link(slots)
    found = {run.run_id: run for run in runs(slots, links)}
    assert set(found) == {place.run_id for place in links}
    for run_id, run in found.items():
        members = [place for place in scene if place.made and run_of(scene, place)[0].id == run_id]
        assert run.length == len(members)
        unknown = [number for number, place in enumerate(members, start=1) if place.made and place.made.unknown]
        assert run.unknown_from == min(unknown, default=None)
        workloads = {place.made.workload for place in members if place.made}
        assert run.workload_id == (workloads.pop() if len(workloads) == 1 else None)


@given(scenes, scenes)
def test_scenes_do_not_touch_each_other(one: Scene, other: Scene) -> None:
    renumbered = [replace(slot, scene_id=2, segment_id=slot.segment_id + 10) for slot in slots_of(other)]
    together = link([*slots_of(one), *renumbered])
    assert together[: len(slots_of(one))] == link(slots_of(one))


@given(scenes, st.integers(0, 6), made)
def test_one_new_take_changes_what_relinking_its_scene_changes(scene: Scene, index: int, take: Made) -> None:
    """From its neighbours alone, or not at all; what it says is certain, is."""
    if index >= len(scene):
        return
    place = scene[index]
    later = tuple(replace(other, made=take) if other is place else other for other in scene)
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


@given(scenes, st.integers(0, 6), made)
def test_an_unchained_segment_needs_no_more_than_its_neighbours(scene: Scene, index: int, take: Made) -> None:
    unchained = tuple(replace(place, chained=False) for place in scene)
    if index >= len(scene):
        return
    later = tuple(replace(place, made=take) if number == index else place for number, place in enumerate(unchained))
    members = {
        slot.segment_id: Member(slot, Link(slot.segment_id, slot.segment_id, 1, via_judged=True, broken=None), None)
        for slot in slots_of(later)
    }
    number = index + 1
    assert relink_one(members.get(number - 1), members[number], members.get(number + 1)) is not None
