"""A database with a benchmark's data."""

from collections.abc import AsyncGenerator, Iterator

import pytest
from benchmarks.generate import generate
from tests.fixtures_postgres import fresh_database

from genlock.db.connection import Conn, Database

RECEIPTS = 1000


@pytest.fixture(scope="module")
def generated(postgres: str, template: str) -> Iterator[str]:
    """The connection string of that database."""
    with fresh_database(postgres, template) as url:
        generate(url, RECEIPTS, lambda _: None)
        yield url


@pytest.fixture
async def conn(generated: str) -> AsyncGenerator[Conn]:
    db = Database(generated)
    await db.open()
    async with db.snapshot() as snapshot:
        yield snapshot
    await db.close()
