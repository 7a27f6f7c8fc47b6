"""What random histories seldom come to: files that no version has, takes of which too little is known, and waivers."""

from collections.abc import AsyncGenerator

import pytest
from tests.fixtures_postgres import fresh_database
from tests.staleness.machine.compare import compare, compare_impact
from tests.staleness.machine.studio import ACTOR, Studio

from genlock.db.connection import Database, rows
from genlock.staleness import waivers
from genlock.staleness.model import Impact, NewWaiver

FIRST: dict[str, int] = dict.fromkeys(("walk", "tiny", "rain", "clothed"), 1)


@pytest.fixture
async def studio(postgres: str, template: str) -> AsyncGenerator[Studio]:
    """Eight segments of first versions; ``rain`` has a second version."""
    with fresh_database(postgres, template) as url:
        db = Database(url, max_size=2)
        await db.open()
        studio = Studio(db)
        await studio.found()
        for segment_id in range(1, 9):
            await studio.record(segment_id, versions=FIRST, continues=True)
        await studio.upload("rain", "a", "a", [], activate=False)
        yield studio
        await db.close()


@pytest.fixture
async def unmatched(studio: Studio) -> Studio:
    """And the first segment was made from neither."""
    await studio.record(1, versions=FIRST, continues=True, unknown_lora="b")
    return studio


async def _asked(studio: Studio, version: int = 2) -> Impact:
    async with studio.db.transaction() as conn:
        return await compare_impact(conn, await compare(conn), studio.assets["rain"], version)


async def test_expects_what_would_be_active(unmatched: Studio) -> None:
    said = await _asked(unmatched)
    assert [group.expected for group in said.projects[0].groups if group.kind == "unmatched"] == [2]
    assert await unmatched.activate(unmatched.assets["rain"], 2) == said


async def test_is_told_where_nothing_else_moves(unmatched: Studio) -> None:
    for segment_id in range(2, 9):
        await unmatched.record(segment_id, versions={**FIRST, "rain": 2}, continues=True)
    said = await _asked(unmatched)
    assert await unmatched.activate(unmatched.assets["rain"], 2) == said


async def test_a_waiver_of_it_ends(unmatched: Studio) -> None:
    async with unmatched.db.transaction() as conn:
        new = NewWaiver(asset_id=unmatched.assets["rain"], reason="good enough", segment_ids=(1,))
        await waivers.waive(conn, new, ACTOR)
    said = await _asked(unmatched)
    assert said.segments.becomes_stale > 0
    assert await unmatched.activate(unmatched.assets["rain"], 2) == said


async def test_of_which_too_little_is_known_does_not_become_fresh_again(studio: Studio) -> None:
    await studio.record(3, versions=FIRST, continues=True, complete=False)
    await studio.activate(studio.assets["rain"], 2)
    said = await _asked(studio, 1)
    assert 0 < said.segments.becomes_fresh < 8
    assert await studio.activate(studio.assets["rain"], 1) == said


async def test_what_was_waived_becomes_fresh_too(studio: Studio) -> None:
    await studio.activate(studio.assets["rain"], 2)
    async with studio.db.transaction() as conn:
        await waivers.waive(conn, NewWaiver(asset_id=studio.assets["rain"], reason="good", segment_ids=(1,)), ACTOR)
    said = await _asked(studio, 1)
    assert said.segments.becomes_fresh == 8
    assert await studio.activate(studio.assets["rain"], 1) == said


async def test_a_waiver_accepts_the_nearest_of_what_comes_along_the_chain(unmatched: Studio) -> None:
    await unmatched.record(2, versions=FIRST, continues=True, unknown_lora="c")
    await unmatched.record(3, versions=FIRST, continues=True)
    async with unmatched.db.transaction() as conn:
        new = NewWaiver(asset_id=unmatched.assets["rain"], reason="good enough", segment_ids=(3,))
        (only,) = (await waivers.waive(conn, new, ACTOR)).items
        used = await rows(
            conn,
            "SELECT digest_text(c.digest) AS digest FROM selected_takes t JOIN receipt_inputs i"
            " ON i.receipt_id = t.receipt_id JOIN contents c ON c.id = i.content_id"
            " WHERE t.segment_id = 2 AND i.role = 'lora'",
        )
    assert [row["digest"] for row in used] == [only.used_digest]
    await _asked(unmatched)
