"""Where causes begin: on the shortest path, of two such on the lowest ids, and not behind a waiver."""

import pytest

from genlock.staleness.origins import OwnCause, Ref, origins

RAIN, TINY = 3, 5


def own(position: int, *versions: Ref) -> OwnCause:
    """Return an own cause of the segment at a position: direct if it is about the version at its root."""
    direct = len(versions) == 1
    return OwnCause(position, position, direct, waived=False, digest=b"rain", versions=versions, binding=1)


@pytest.mark.parametrize(("segment_id", "begins_at"), [(TINY - 1, 1), (TINY, 2), (TINY + 1, 2)])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_version_and_a_segment_with_the_same_ids(segment_id: int, begins_at: int, backwards: bool) -> None:
    """Rain v1 reaches segment 2 by segment 1, which uses it, and by tiny v1, which was made from it."""
    causes = [own(1, (RAIN, 1)), own(2, (RAIN, 1), (TINY, 1))]
    begins = origins(causes[::-1] if backwards else causes, {}, [2], lambda position: (segment_id, position))
    assert begins[2].position == begins_at


def test_a_cause_ends_where_a_waiver_accepts_it_and_a_later_cause_begins() -> None:
    """The run of the module's drawing: own causes at 1 and 4, waived at 3."""
    causes = [own(1, (RAIN, 1)), own(4, (RAIN, 1), (TINY, 1), (TINY, 2), (TINY, 3), (TINY, 4))]
    begins = origins(causes, {3: frozenset({1})}, [1, 2, 3, 4, 5], lambda position: (position, 1))
    assert {position: cause.position for position, cause in begins.items()} == {1: 1, 2: 1, 3: 1, 4: 4, 5: 4}


def test_nothing_explains_a_segment_behind_a_waiver() -> None:
    begins = origins([own(1, (RAIN, 1))], {1: frozenset({1})}, [1, 2], lambda position: (position, 1))
    assert list(begins) == [1]


def test_a_waiver_of_another_root_accepts_nothing() -> None:
    begins = origins([own(1, (RAIN, 1))], {1: frozenset({2})}, [1, 2], lambda position: (position, 1))
    assert list(begins) == [1, 2]
