"""The implementations that run the worked examples. Another one is added as an entry of ``STAGES``."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from tests.conftest import client_of
from tests.staleness.api_stage import ApiStage
from tests.staleness.examples.story import Story
from tests.staleness.oracle_stage import OracleStage
from tests.staleness.sql_stage import SqlStage
from tests.staleness.worlds import Stage

from genlock.access.actions import SYSTEM, create_token
from genlock.access.model import NewToken
from genlock.db.connection import Database
from genlock.model import Role
from genlock.web.app import create_app


@asynccontextmanager
async def in_memory(_: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    yield OracleStage()


@asynccontextmanager
async def on_a_database(request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    db = Database(request.getfixturevalue("database"), max_size=4)
    await db.open()
    yield SqlStage(db)
    await db.close()


@asynccontextmanager
async def over_http(request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    conninfo, store = request.getfixturevalue("database"), request.getfixturevalue("store")
    db = Database(conninfo, max_size=4)
    await db.open()
    async with db.transaction() as conn:
        secret = (await create_token(conn, NewToken(name="ana", role=Role.ADMIN), SYSTEM)).secret
    app = create_app(db, store, request.getfixturevalue("settings"))
    async with app.router.lifespan_context(app), client_of(app, secret) as client:
        yield ApiStage(client)
    await db.close()


STAGES: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Stage]]] = {
    "oracle": in_memory,
    "sql": on_a_database,
    "api": over_http,
}
"""Stages by name; each opens itself, with the fixtures that it asks the request for (``database`` …)."""


@pytest.fixture(params=["oracle", "sql", pytest.param("api", marks=pytest.mark.long)])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Return an empty stage."""
    name: str = request.param
    async with STAGES[name](request) as stage:
        yield stage


@pytest.fixture
async def story(stage: Stage) -> Story:
    """Return the start of every example."""
    return await Story(stage).begin()
