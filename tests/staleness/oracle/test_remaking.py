"""The law behind the rules of derivations: making again what is out of date, sources first, ends, and then nothing is.

With edits and loops between assets, reverts, several sources and several derivations included.
"""

from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.staleness.oracle.remaking import (
    key,
    out_of_date,
    remake,
    start,
    wanted_sources,
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

thorough = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@thorough
@given(worlds(), st.data())
def test_making_again_ends_and_then_nothing_is_out_of_date(world: World, data: st.DataObject) -> None:
    for _ in range(ROUNDS):
        stale = out_of_date(world)
        if not stale:
            break
        x = data.draw(st.sampled_from(stale))
        world, _ = remake(world, x, lambda: data.draw(st.booleans()))
    assert out_of_date(world) == []


@thorough
@given(worlds(), st.data())
def test_then_segments_redone_in_order_are_fresh(world: World, data: st.DataObject) -> None:
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


@thorough
@given(worlds(), st.data())
def test_made_from_what_is_expected_and_up_to_date_is_up_to_date(world: World, data: st.DataObject) -> None:
    """Early cut-off, and that one derivation without roots is enough, however many others there are."""
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


@thorough
@given(worlds(), st.data())
def test_a_revert_restores_every_version(world: World, data: st.DataObject) -> None:
    asset = data.draw(st.sampled_from(world.assets))
    other = data.draw(st.sampled_from([row.number for row in world.versions if row.asset_id == asset.id]))
    before = {key(row): version_roots(world, None, *key(row)) for row in world.versions}
    back = activated(activated(world, asset.id, other), asset.id, asset.active)
    assert {key(row): version_roots(back, None, *key(row)) for row in back.versions} == before


@thorough
@given(worlds(), st.randoms(use_true_random=False), st.data())
def test_the_order_of_rows_says_nothing(world: World, shuffler: Random, data: st.DataObject) -> None:
    x = data.draw(st.sampled_from([key(row) for row in world.versions]))
    versions, derivations = list(world.versions), list(world.derivations)
    shuffler.shuffle(versions)
    shuffler.shuffle(derivations)
    shuffled = replace(world, versions=tuple(versions), derivations=tuple(derivations))
    assert version_roots(shuffled, None, *x) == version_roots(world, None, *x)


def test_an_edit_is_made_again_on_what_it_was_an_edit_of() -> None:
    """From the edit itself it would keep the old source for ever: what it was an edit of has to be made again first."""
    world = start(2)
    world, first = with_version(world, 2, [(1, 1)], active=True)
    world, edit = with_version(world, 2, [first], active=True)
    world, _ = with_version(world, 1, [], active=True)
    assert out_of_date(world) == [edit]
    assert wanted_sources(world, edit) == [first]
    naive, _ = with_version(world, 2, [edit], active=True)
    assert out_of_date(naive) != []
    world, again = remake(world, edit, lambda: False)
    assert again == (2, 5)
    assert out_of_date(world) == []


def test_two_versions_that_each_want_the_other() -> None:
    """X2 was made from Y1, Y2 from X1, both active: one of them made again settles both."""
    world = start(2)
    world, x2 = with_version(world, 1, [(2, 1)], active=True)
    world, y2 = with_version(world, 2, [(1, 1)], active=True)
    assert out_of_date(world) == [x2, y2]
    world, _ = remake(world, x2, lambda: False)
    assert out_of_date(world) == []
