"""Of two shortest paths the one with the lowest ids is shown, and of two with the same ids the one by versions."""

import pytest

from genlock.staleness.origins import OwnCause, Ref, origins

RAIN, TINY = 3, 5


def own(position: int, *versions: Ref) -> OwnCause:
    """An own cause of the segment at a position: direct if it is about the version at its root."""
    direct = len(versions) == 1
    return OwnCause(position, position, direct, waived=False, digest=b"rain", versions=versions, binding=1)


@pytest.mark.parametrize(("segment_id", "begins_at"), [(TINY - 1, 1), (TINY, 2), (TINY + 1, 2)])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_version_and_a_segment_with_the_same_ids(segment_id: int, begins_at: int, backwards: bool) -> None:
    """Rain v1 reaches segment 2 by segment 1, which uses it, and by tiny v1, which was made from it."""
    causes = [own(1, (RAIN, 1)), own(2, (RAIN, 1), (TINY, 1))]
    begins = origins(causes[::-1] if backwards else causes, {}, [2], lambda position: (segment_id, position))
    assert begins[2].position == begins_at
