"""The law of derivations: regenerating what is out of date, sources first, ends, and then nothing is out of date.

With edits and loops between assets, reverts, several sources and several derivations included.
"""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.staleness.oracle.remaking import (
    expected_sources,
    key,
    out_of_date,
    remake,
    start,
    with_derivation,
    with_version,
    worlds,
)
from tests.staleness.oracle.report import activated
from tests.staleness.oracle.rows import (
    InputRow,
    ProjectRow,
    ReceiptRow,
    SceneRow,
    SegmentRow,
    TakeRow,
    World,
)
from tests.staleness.oracle.rules import State, expected, made_from, state, version_roots

ROUNDS = 12  # random search over tens of thousands of worlds never needed more than four

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(worlds(), st.data())
def test_regenerating_ends_with_nothing_out_of_date(world: World, data: st.DataObject) -> None:
    for _ in range(ROUNDS):
        stale = out_of_date(world)
        if not stale:
            break
        x = data.draw(st.sampled_from(stale))
        world, _ = remake(world, x, lambda: data.draw(st.booleans()))
    assert out_of_date(world) == []


@quick
@given(worlds(), st.data())
def test_segments_redone_in_order_afterwards_are_fresh(world: World, data: st.DataObject) -> None:
    versions = st.sampled_from([key(row) for row in world.versions])
    segments = [data.draw(st.lists(versions, min_size=1, max_size=3)) for _ in range(3)]
    for _ in range(ROUNDS):
        for x in out_of_date(world)[:1]:
            world, _ = remake(world, x, lambda: False)
    world = replace(
        world,
        projects=(ProjectRow(1, "p"),),
        scenes=(SceneRow(1, 1, "s"),),
        segments=tuple(SegmentRow(place, 1, 1, place, f"{place}") for place in (1, 2, 3)),
    )
    for place, used in enumerate(segments, start=1):
        world = _with_take(world, place, [expected(world, None, asset).digest for asset, _ in used], used)
    assert [state(world, place) for place in (1, 2, 3)] == [State.FRESH] * 3


def _with_take(world: World, segment: int, digests: list[str], used: list[tuple[int, int]]) -> World:
    lines = [
        InputRow("other", n, digest, asset) for n, (digest, (asset, _)) in enumerate(zip(digests, used, strict=True))
    ]
    before = world.selected_take(segment - 1)
    if before is not None:
        lines.append(InputRow("seed_frame", 0, before.outputs["last_frame"], take_id=before.id))
    return replace(
        world,
        receipts=(*world.receipts, ReceiptRow(segment, segment, tuple(lines))),
        takes=(*world.takes, TakeRow(segment, segment, 1, segment, {"last_frame": f"frame {segment}"})),
        selected={**world.selected, segment: segment},
    )


@quick
@given(worlds(), st.data())
def test_a_version_with_current_sources_is_up_to_date(world: World, data: st.DataObject) -> None:
    """Early cut-off: one derivation without roots is enough, whatever the others are."""
    x = data.draw(st.sampled_from([key(row) for row in world.versions]))
    today = [expected(world, None, row.id) for row in world.assets if row.id != x[0]]
    good = [
        key(row)
        for row in today
        if not version_roots(world, None, *key(row)) and not made_from(world, row, world.version(*x))
    ]
    if good:
        sources = data.draw(st.lists(st.sampled_from(good), min_size=1, unique=True))
        assert version_roots(with_derivation(world, x, sources), None, *x) == ()
        older = replace(with_derivation(replace(world, derivations=()), x, sources).derivations[0], id=0)
        assert version_roots(replace(world, derivations=(older, *world.derivations)), None, *x) == ()


@quick
@given(worlds(), st.data())
def test_a_revert_restores_every_version(world: World, data: st.DataObject) -> None:
    asset = data.draw(st.sampled_from(world.assets))
    other = data.draw(st.sampled_from([row.number for row in world.versions if row.asset_id == asset.id]))
    before = {key(row): version_roots(world, None, *key(row)) for row in world.versions}
    back = activated(activated(world, asset.id, other), asset.id, asset.active)
    assert {key(row): version_roots(back, None, *key(row)) for row in back.versions} == before


@quick
@given(worlds(), st.randoms(use_true_random=False), st.data())
def test_the_order_of_rows_does_not_matter(world: World, shuffler: Random, data: st.DataObject) -> None:
    x = data.draw(st.sampled_from([key(row) for row in world.versions]))
    versions, derivations = list(world.versions), list(world.derivations)
    shuffler.shuffle(versions)
    shuffler.shuffle(derivations)
    shuffled = replace(world, versions=tuple(versions), derivations=tuple(derivations))
    assert version_roots(shuffled, None, *x) == version_roots(world, None, *x)


@pytest.mark.long
@pytest.mark.parametrize(
    ("law", "drawn"),
    [
        (test_regenerating_ends_with_nothing_out_of_date, ()),
        (test_segments_redone_in_order_afterwards_are_fresh, ()),
        (test_a_version_with_current_sources_is_up_to_date, ()),
        (test_a_revert_restores_every_version, ()),
        (test_the_order_of_rows_does_not_matter, (st.randoms(use_true_random=False),)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_law_holds_in_five_times_as_many_worlds(law: Any, drawn: tuple[st.SearchStrategy[Any], ...]) -> None:
    test = given(worlds(), *drawn, st.data())(law.hypothesis.inner_test)
    settings(quick, max_examples=300)(test)()


def test_an_edit_is_regenerated_from_the_version_that_it_edited() -> None:
    """From itself it would keep the old source indefinitely: the version that it edited has to be regenerated first."""
    world = start(2)
    world, first = with_version(world, 2, [(1, 1)], active=True)
    world, edit = with_version(world, 2, [first], active=True)
    world, _ = with_version(world, 1, [], active=True)
    assert out_of_date(world) == [edit]
    assert expected_sources(world, edit) == [first]
    naive, _ = with_version(world, 2, [edit], active=True)
    assert out_of_date(naive) != []
    world, again = remake(world, edit, lambda: False)
    assert again == (2, 5)
    assert out_of_date(world) == []


def test_two_versions_that_expect_each_other_need_one_regeneration() -> None:
    """X2 was made from Y1, Y2 from X1, both active: regenerating one of them resolves both."""
    world = start(2)
    world, x2 = with_version(world, 1, [(2, 1)], active=True)
    world, y2 = with_version(world, 2, [(1, 1)], active=True)
    assert out_of_date(world) == [x2, y2]
    world, _ = remake(world, x2, lambda: False)
    assert out_of_date(world) == []
