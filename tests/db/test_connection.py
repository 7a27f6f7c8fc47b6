"""The pool: connections that are lost are noticed, and what was prepared on them stays prepared."""

import asyncio

import psycopg
import pytest

from genlock.db.connection import Conn, Database, execute, flush, pipelined, scalar
from genlock.errors import NotFound

PREPARED = "SELECT count(*) FROM pg_prepared_statements"


async def _ask_often(db: Database) -> None:
    for _ in range(8):
        async with db.snapshot() as conn:
            await scalar(conn, "SELECT count(*) FROM assets WHERE id > %(id)s", id=1)


async def _prepared(db: Database) -> int:
    async with db.transaction() as conn:
        return await scalar(conn, PREPARED)


@pytest.fixture
async def narrow(database: str) -> Database:
    """A database with one connection, so that everybody gets the same."""
    return Database(database, max_size=1)


async def test_reads_keep_what_was_prepared(narrow: Database) -> None:
    await narrow.open()
    await _ask_often(narrow)
    assert await _prepared(narrow) > 0
    with pytest.raises(NotFound):
        async with narrow.snapshot() as conn:
            await scalar(conn, "SELECT 1")
            raise NotFound("Nothing here.")
    assert await _prepared(narrow) > 0
    await narrow.close()


async def test_a_snapshot_that_failed_leaves_the_connection_as_it_was(narrow: Database) -> None:
    await narrow.open()
    with pytest.raises(Exception, match="division by zero"):
        async with narrow.snapshot() as conn:
            await execute(conn, "SELECT 1 / 0")
    async with narrow.transaction() as conn:
        assert await scalar(conn, "SHOW transaction_read_only") == "off"
        assert await scalar(conn, "SHOW transaction_isolation") == "read committed"
    await narrow.close()


async def _end_all_but(own: Conn) -> int:
    return await scalar(
        own,
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


async def test_a_connection_that_was_ended_in_the_pool_is_not_handed_out(narrow: Database, database: str) -> None:
    await narrow.open()
    await _ask_often(narrow)
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as other:
        assert await _end_all_but(other) >= 1
    async with narrow.transaction() as conn:
        assert await scalar(conn, "SELECT 1") == 1
    await narrow.close()


async def test_no_statement_is_compiled(narrow: Database) -> None:
    """PostgreSQL compiles expensive statements, for seconds, unless it is configured not to."""
    await narrow.open()
    async with narrow.transaction() as conn:
        assert await scalar(conn, "SHOW jit") == "off"
    await narrow.close()


LENGTH = 20_000_000


async def test_a_large_statement_that_was_handed_over_is_carried_out_while_nothing_is_asked(
    narrow: Database, database: str
) -> None:
    await narrow.open()
    async with (
        await psycopg.AsyncConnection.connect(database, autocommit=True) as other,
        narrow.transaction() as conn,
        pipelined(conn),
    ):
        await execute(conn, "SELECT pg_advisory_xact_lock(length(%(text)s))", text="x" * LENGTH)
        await flush(conn)
        for _ in range(600):
            if await _is_locked(other):
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("PostgreSQL never had the statement whole")
    await narrow.close()


async def _is_locked(other: Conn) -> bool:
    return await scalar(other, "SELECT EXISTS (SELECT FROM pg_locks WHERE objid = %(key)s AND granted)", key=LENGTH)
