"""Where the worked examples are played. Another implementation joins by another entry in ``STAGES``."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from tests.staleness.examples.story import Story
from tests.staleness.oracle_stage import OracleStage
from tests.staleness.sql_stage import SqlStage
from tests.staleness.worlds import Stage

from genlock.db.connection import Database


@asynccontextmanager
async def in_memory(_: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    yield OracleStage()


@asynccontextmanager
async def on_a_database(request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    db = Database(request.getfixturevalue("database"), max_size=4)
    await db.open()
    yield SqlStage(db)
    await db.close()


STAGES: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Stage]]] = {
    "oracle": in_memory,
    "sql": on_a_database,
}
"""Stages by name; each opens itself, with the fixtures that it asks the request for (``database`` …)."""


@pytest.fixture(params=list(STAGES))
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """An empty stage."""
    name: str = request.param
    async with STAGES[name](request) as stage:
        yield stage


@pytest.fixture
async def story(stage: Stage) -> Story:
    """The start of every example."""
    return await Story(stage).begin()
