"""A studio with eight fresh segments."""

from collections.abc import AsyncGenerator

import pytest
from tests.fixtures_postgres import fresh_database
from tests.staleness.machine.studio import Studio

from genlock.db.connection import Database

FIRST: dict[str, int] = dict.fromkeys(("walk", "tiny", "rain", "clothed"), 1)


@pytest.fixture
async def studio(postgres: str, template: str) -> AsyncGenerator[Studio]:
    """Create eight segments with first versions; ``rain`` has a second version."""
    with fresh_database(postgres, template) as url:
        db = Database(url, max_size=2)
        await db.open()
        studio = Studio(db)
        await studio.create()
        for segment_id in range(1, 9):
            await studio.record(segment_id, versions=FIRST, continues=True)
        await studio.upload("rain", "a", "a", [], activate=False)
        yield studio
        await db.close()


@pytest.fixture
async def unmatched(studio: Studio) -> Studio:
    """Record the first segment with a file that no version has."""
    await studio.record(1, versions=FIRST, continues=True, unknown_lora="b")
    return studio
