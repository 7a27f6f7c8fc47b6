"""The databases that tests borrow one after the other: each test gets one that equals the template."""

from collections.abc import Generator
from contextlib import closing
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from tests.database_pool import DatabasePool

from genlock.access.actions import SYSTEM, create_token
from genlock.access.model import NewToken
from genlock.db.connection import Database
from genlock.events import log
from genlock.model import Role

COLUMNS: LiteralString = """
SELECT table_schema, table_name, column_name, data_type, column_default
  FROM information_schema.columns
 WHERE table_schema IN ('genlock', 'queue')
 ORDER BY 1, 2, 3
"""
FUNCTIONS: LiteralString = """
SELECT oid::regprocedure::text, pg_get_functiondef(oid), proacl::text, proowner
  FROM pg_proc
 WHERE pronamespace IN ('genlock'::regnamespace, 'queue'::regnamespace) AND prokind <> 'a'
 ORDER BY 1
"""
TRIGGERS: LiteralString = """
SELECT tgrelid::regclass::text, pg_get_triggerdef(oid), tgenabled::text
  FROM pg_trigger
 WHERE NOT tgisinternal
 ORDER BY 1, 2
"""
SEQUENCES: LiteralString = "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1"
SETTINGS: LiteralString = "SELECT current_setting('timezone')"
TABLES: LiteralString = (
    "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('genlock', 'queue') ORDER BY 1, 2"
)


@pytest.fixture
def own_pool(postgres: str, template: str) -> Generator[DatabasePool]:
    with closing(DatabasePool(postgres, template)) as pool:
        yield pool


async def test_what_a_test_wrote_is_gone_and_what_is_written_once_is_guarded_again(own_pool: DatabasePool) -> None:
    with own_pool.borrowed() as conninfo:
        empty = _snapshot(conninfo)
        event_id = await _write(conninfo)
        assert _snapshot(conninfo) != empty
    with own_pool.borrowed() as again:
        assert again == conninfo
        assert _snapshot(again) == empty
        assert await _write(again) == event_id, "ids start at 1 again"
        with psycopg.connect(again) as conn, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            conn.execute("DELETE FROM genlock.events")


def test_two_borrowed_at_the_same_time_differ(own_pool: DatabasePool) -> None:
    with own_pool.borrowed() as first, own_pool.borrowed() as second:
        assert first != second


def test_sessions_that_a_test_left_open_are_ended(own_pool: DatabasePool) -> None:
    with own_pool.borrowed() as conninfo:
        left_open = psycopg.connect(conninfo)
        left_open.execute("LOCK TABLE genlock.tokens")
    with own_pool.borrowed() as again:
        assert again == conninfo
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")
    left_open.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE genlock.more (id int)",
        "ALTER TABLE genlock.tokens ADD COLUMN more int",
        "ALTER TABLE genlock.tokens DROP CONSTRAINT tokens_digest_unique CASCADE",
        "ALTER TABLE genlock.events DISABLE TRIGGER ALL",
        "DROP FUNCTION genlock.digest_text CASCADE",
        "DROP VIEW genlock.resolved_inputs CASCADE",
        "ALTER ROLE CURRENT_USER IN DATABASE {database} SET timezone = 'Asia/Tokyo'",
        "UPDATE genlock.alembic_version SET version_num = '0000'",
        "ANALYZE pg_class",
        "INSERT INTO genlock.tokens (name, role, digest, created_by) "
        "SELECT repeat('x', 200), 'admin', sha256(n::text::bytea), 'ada' FROM generate_series(1, 50000) n",
    ],
)
def test_a_database_that_is_no_copy_any_more_is_not_borrowed_again(own_pool: DatabasePool, statement: str) -> None:
    with own_pool.borrowed() as conninfo:
        empty = _snapshot(conninfo)
        with psycopg.connect(conninfo, autocommit=True) as conn:
            conn.execute(statement.format(database=conn.info.dbname).encode())
    with own_pool.borrowed() as another:
        assert another != conninfo
        assert _snapshot(another) == empty
    with psycopg.connect(own_pool.admin_url) as conn:
        names = {row[0] for row in conn.execute("SELECT datname FROM pg_database")}
    assert conninfo_to_dict(conninfo)["dbname"] not in names


async def _write(conninfo: str) -> int:
    """Create a token and append an event, which is written once; return the event's id."""
    database = Database(conninfo)
    await database.open()
    try:
        async with database.transaction() as conn:
            await create_token(conn, NewToken(name="ada", role=Role.ADMIN), SYSTEM)
            return await log.append(conn, "token.created", SYSTEM)
    finally:
        await database.close()


def _snapshot(conninfo: str) -> list[Any]:
    """Return the schema, the sequences and the rows of a database."""
    with psycopg.connect(conninfo) as conn:
        catalogs = [conn.execute(query).fetchall() for query in (COLUMNS, FUNCTIONS, TRIGGERS, SEQUENCES, SETTINGS)]
        tables = conn.execute(TABLES).fetchall()
        rows = [conn.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*name))).fetchall() for name in tables]
    return [*catalogs, tables, rows]
