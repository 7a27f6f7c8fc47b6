"""What is told of an activation: once as events, and to whoever asked even if that comes late."""

from tests.regeneration.studio import Studio

from genlock.events import sql as events_sql
from genlock.model import Kind
from genlock.regeneration import housekeeping
from genlock.staleness import activation, what_if
from genlock.staleness.activation import ActiveChange


async def _moved(studio: Studio) -> ActiveChange:
    """The variant of four segments is replaced, and nothing is told of it yet."""
    await studio.shoot("A")
    await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)], activate=False)
    async with studio.db.transaction() as conn:
        return await activation.activate(conn, studio.assets["clothed"], 2, studio.actor)


async def _news(studio: Studio) -> list[int]:
    async with studio.db.transaction() as conn:
        found = await events_sql.after(conn, 0)
    return [event.data["segments"] for event in found if event.verb == "staleness.detected"]


async def test_what_a_crash_left_untold_is_told_once(studio: Studio) -> None:
    await _moved(studio)
    assert await _news(studio) == []
    for _ in range(2):
        await housekeeping.once(studio.db, untold_for_s=0)
        assert await _news(studio) == [4]


async def test_who_comes_after_housekeeping_has_the_report_and_tells_nothing_twice(studio: Studio) -> None:
    """As on a machine that stood still between the commit of an activation and its report."""
    moved = await _moved(studio)
    await housekeeping.once(studio.db, untold_for_s=0)
    async with studio.db.transaction() as conn:
        told = await what_if.publish_change(conn, moved)
    assert (told.segments.becomes_stale, told.projects[0].groups[0].segments) == (4, 4)
    assert await _news(studio) == [4]


async def test_what_is_told_just_now_is_left_to_who_asked(studio: Studio) -> None:
    moved = await _moved(studio)
    await housekeeping.once(studio.db)
    assert await _news(studio) == []
    async with studio.db.transaction() as conn:
        assert (await what_if.publish_change(conn, moved)).segments.becomes_stale == 4
    assert await _news(studio) == [4]
