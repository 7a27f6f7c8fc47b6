"""A group of files that no version has says which version its segments expect, where they expect the same one."""

from tests.staleness.machine.conftest import FIRST
from tests.staleness.machine.studio import ACTOR, Studio

from genlock.staleness import activation
from genlock.staleness.model import GroupKind
from genlock.staleness.report import reports
from genlock.timeline.model import NewPin


async def _expected(studio: Studio) -> int | None:
    project_id = studio.projects[0]
    async with studio.db.transaction() as conn:
        groups = (await reports(conn, [project_id]))[project_id].groups
    (unmatched,) = [group for group in groups if group.kind is GroupKind.UNMATCHED]
    return unmatched.expected


async def _pin(studio: Studio, scene_id: int, version: int) -> None:
    async with studio.db.transaction() as conn:
        new = NewPin(version=version, reason="the client likes it")
        await activation.pin(conn, studio.projects[0], scene_id, studio.assets["rain"], new, ACTOR)


async def test_a_group_names_a_version_only_while_all_segments_expect_it(unmatched: Studio) -> None:
    """Segment 1 is in the first scene of its project, segment 4 in the second."""
    await unmatched.record(4, versions=FIRST, continues=True, unknown_lora="b")
    assert await _expected(unmatched) == 1
    await _pin(unmatched, unmatched.scenes[0], 2)
    assert await _expected(unmatched) is None
    await _pin(unmatched, unmatched.scenes[1], 2)
    assert await _expected(unmatched) == 2
