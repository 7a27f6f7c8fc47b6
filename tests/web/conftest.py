"""One application for all refusals of a module: they write nothing, so one test does not disturb the next."""

from collections.abc import AsyncGenerator, Generator

import httpx
import pytest
from tests.conftest import client_of, new_token
from tests.database_pool import DatabasePool
from tests.fixtures_postgres import memory, temporary_folder

from genlock.blobs.disk import DiskStore
from genlock.db.connection import Database, rows
from genlock.model import Role
from genlock.settings import Settings
from genlock.web.app import create_app


@pytest.fixture(scope="module")
def module_database(pool: DatabasePool) -> Generator[str]:
    """Return a database for the refusals of one module."""
    with pool.borrowed() as conninfo:
        yield conninfo


@pytest.fixture(scope="module")
async def module_db(module_database: str) -> AsyncGenerator[Database]:
    """Return that database, open."""
    opened = Database(module_database)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def module_client(module_db: Database) -> AsyncGenerator[httpx.AsyncClient]:
    """Return an administrator's client of an application on that database."""
    with temporary_folder(memory()) as folder:
        app = create_app(module_db, DiskStore(folder / "blobs"), Settings(data=folder / "data"))
        secret = await new_token(module_db, Role.ADMIN)
        async with app.router.lifespan_context(app), client_of(app, secret) as opened:
            yield opened


@pytest.fixture
async def unchanging(module_client: httpx.AsyncClient, module_db: Database) -> AsyncGenerator[httpx.AsyncClient]:
    """Return that client, and check after the test that nothing was written."""
    before = await _written(module_db)
    yield module_client
    assert await _written(module_db) == before, "what was refused wrote something"


async def _written(db: Database) -> list[dict[str, int]]:
    async with db.transaction() as conn:
        return await rows(
            conn,
            """
            SELECT (SELECT max(id) FROM events) AS last_event, (SELECT count(*) FROM tokens) AS tokens,
                   (SELECT count(*) FROM projects) AS projects, (SELECT count(*) FROM segments) AS segments,
                   (SELECT count(*) FROM asset_versions) AS versions, (SELECT count(*) FROM blobs) AS blobs,
                   (SELECT count(*) FROM plans) AS plans, (SELECT count(*) FROM idempotency_keys) AS keys
            """,
        )
