"""What-if where a file that no version has was used: it expects what would be active, and a waiver is bound to that."""

from collections.abc import AsyncGenerator

import pytest
from tests.fixtures_postgres import fresh_database
from tests.staleness.machine.compare import compare, compare_impact
from tests.staleness.machine.studio import ACTOR, Studio

from genlock.db.connection import Database
from genlock.staleness import waive
from genlock.staleness.model import Impact, NewWaiver

FIRST: dict[str, int] = dict.fromkeys(("walk", "tiny", "rain", "clothed"), 1)


@pytest.fixture
async def studio(postgres: str, template: str) -> AsyncGenerator[Studio]:
    """Eight segments of first versions; ``rain`` has a second version, and the first segment was made from neither."""
    with fresh_database(postgres, template) as url:
        db = Database(url, max_size=2)
        await db.open()
        studio = Studio(db)
        await studio.found()
        for segment_id in range(1, 9):
            await studio.record(segment_id, versions=FIRST, continues=True)
        await studio.upload("rain", "a", "a", [], activate=False)
        await studio.record(1, versions=FIRST, continues=True, unknown_lora="b")
        yield studio
        await db.close()


async def _asked(studio: Studio) -> Impact:
    async with studio.db.transaction() as conn:
        return await compare_impact(conn, await compare(conn), studio.assets["rain"], 2)


async def test_expects_what_would_be_active(studio: Studio) -> None:
    said = await _asked(studio)
    assert [group.expected for group in said.projects[0].groups if group.kind == "unmatched"] == [2]
    assert await studio.activate(studio.assets["rain"], 2) == said


async def test_is_told_where_nothing_else_moves(studio: Studio) -> None:
    for segment_id in range(2, 9):
        await studio.record(segment_id, versions={**FIRST, "rain": 2}, continues=True)
    said = await _asked(studio)
    assert await studio.activate(studio.assets["rain"], 2) == said


async def test_a_waiver_of_it_ends(studio: Studio) -> None:
    async with studio.db.transaction() as conn:
        new = NewWaiver(asset_id=studio.assets["rain"], reason="good enough", segment_ids=(1,))
        await waive.waive(conn, new, ACTOR)
    said = await _asked(studio)
    assert said.segments.becomes_stale > 0
    assert await studio.activate(studio.assets["rain"], 2) == said
