"""Events about an activation: published once, also when its caller comes late or never."""

from tests.regeneration.studio import Studio

from genlock.events import sql as events_sql
from genlock.model import Kind
from genlock.regeneration import housekeeping
from genlock.staleness import activation, what_if
from genlock.staleness.activation import ActiveChange


async def _activate(studio: Studio) -> ActiveChange:
    """Replace the variant of four segments without publishing the change."""
    await studio.shoot("A")
    await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)], activate=False)
    async with studio.db.transaction() as conn:
        return await activation.activate(conn, studio.assets["clothed"], 2, studio.actor)


async def _events(studio: Studio) -> list[int]:
    async with studio.db.transaction() as conn:
        events = await events_sql.after(conn, 0)
    return [event.data["segments"] for event in events if event.verb == "staleness.detected"]


async def test_a_change_that_a_crash_left_unpublished_is_published_once(studio: Studio) -> None:
    await _activate(studio)
    assert await _events(studio) == []
    for _ in range(2):
        await housekeeping.once(studio.db, pending_for_s=0)
        assert await _events(studio) == [4]


async def test_a_late_caller_gets_the_impact_and_publishes_no_second_event(studio: Studio) -> None:
    """As on a machine that paused between the commit of an activation and its report."""
    change = await _activate(studio)
    await housekeeping.once(studio.db, pending_for_s=0)
    async with studio.db.transaction() as conn:
        impact = await what_if.publish_change(conn, change)
    assert (impact.segments.becomes_stale, impact.projects[0].groups[0].segments) == (4, 4)
    assert await _events(studio) == [4]


async def test_a_recent_change_is_left_to_its_caller(studio: Studio) -> None:
    change = await _activate(studio)
    await housekeeping.once(studio.db)
    assert await _events(studio) == []
    async with studio.db.transaction() as conn:
        assert (await what_if.publish_change(conn, change)).segments.becomes_stale == 4
    assert await _events(studio) == [4]
