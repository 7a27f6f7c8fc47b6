"""The stage of the tests of takes: one database for all of them, which each leaves unchanged."""

from collections.abc import AsyncGenerator

import pytest
from tests.fixtures_postgres import opened_database, rolled_back
from tests.takes.stage import Stage, set_the_stage

from genlock.db.connection import Conn, Database


@pytest.fixture(scope="package")
async def shared(postgres: str, template: str) -> AsyncGenerator[Database]:
    """Return a database that the tests of this folder share."""
    async with opened_database(postgres, template) as opened:
        yield opened


@pytest.fixture
async def conn(shared: Database) -> AsyncGenerator[Conn]:
    """Return a transaction that is rolled back at the end of the test."""
    async with rolled_back(shared) as opened:
        yield opened


@pytest.fixture
async def stage(conn: Conn) -> Stage:
    """Create a project with one scene of four segments and a library."""
    return await set_the_stage(conn)
