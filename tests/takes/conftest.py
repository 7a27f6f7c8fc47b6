"""The stage that the tests of takes play on: one database for all, and nothing stays in it."""

from collections.abc import AsyncGenerator

import pytest
from tests.fixtures_postgres import opened_database, rolled_back
from tests.takes.stage import Stage, set_the_stage

from genlock.db.connection import Conn, Database


@pytest.fixture(scope="package")
async def shared(postgres: str, template: str) -> AsyncGenerator[Database]:
    """A database that the tests of this folder share."""
    async with opened_database(postgres, template) as opened:
        yield opened


@pytest.fixture
async def conn(shared: Database) -> AsyncGenerator[Conn]:
    """One transaction that is rolled back at the end of the test."""
    async with rolled_back(shared) as opened:
        yield opened


@pytest.fixture
async def stage(conn: Conn) -> Stage:
    """A project with one scene of four segments, and the cast."""
    return await set_the_stage(conn)
