"""Databases that tests borrow one after the other, each time as empty as the template they were copied from.

Emptying what a test wrote takes a tenth of the time of dropping its database and copying the next. A database is
emptied by deleting rows and restarting sequences. It is dropped, and copied again, if the test changed its schema or
settings, left statistics or much data behind, or restarted the server; and always on a server that vacuums by itself
(rows would be stored in any order) or where the role that makes databases is not a superuser.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from tests.fixtures_postgres import fresh_database

LARGEST_BYTES = 8 << 20  # more than an empty database of Genlock, deleted rows included

_REUSABLE = """
SELECT rolsuper AND NOT current_setting('autovacuum')::bool FROM pg_roles WHERE rolname = current_user
"""

_DISCONNECT = """
SELECT pg_terminate_backend(pid, 10000)
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

# The newest row version of each catalog, and their number: anything created, changed or dropped is noticed.
_SCHEMA = """
SELECT array[
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_class),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_attribute),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_constraint),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_index),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_namespace),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_proc),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_rewrite),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_trigger),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_type),
    (SELECT array_agg(s.*::text ORDER BY s.*::text)::text FROM pg_db_role_setting s
      WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))),
    (SELECT (count(*), max(xmin::text::bigint))::text FROM pg_statistic),  -- an ANALYZE of rows that are gone
    (SELECT array_agg(v.*::text)::text FROM genlock.alembic_version v)]
"""

_SIZE = "SELECT pg_database_size(current_database())"

# Triggers and foreign keys do not fire for a replica, except for the guard of what is written once.
_EMPTY = """
DO $$
DECLARE filled text;
BEGIN
    SET LOCAL session_replication_role = replica;
    CREATE OR REPLACE FUNCTION genlock.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    FOR filled IN
        SELECT format('%I.%I', relnamespace::regnamespace, relname)
          FROM pg_class
         WHERE relkind = 'r' AND relnamespace IN ('genlock'::regnamespace, 'queue'::regnamespace)
           AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
    LOOP
        EXECUTE 'DELETE FROM ' || filled;
    END LOOP;
    PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence WHERE pg_sequence_last_value(seqrelid) IS NOT NULL;
END $$
"""


@dataclass
class _Pooled:
    """A database that tests borrow, with a connection of its owner."""

    conninfo: str
    conn: psycopg.Connection[Any]
    guard: str
    schema: Any
    size_bytes: int
    dropped_at_exit: ExitStack

    def empty(self) -> bool:
        """Make it as the template is; return whether it could be."""
        if not self.value(_REUSABLE):
            return False
        self.conn.execute(_DISCONNECT)
        if self.value(_SCHEMA) != self.schema or self.value(_SIZE) > self.size_bytes + LARGEST_BYTES:
            return False
        with self.conn.transaction():
            self.conn.execute(_EMPTY)
            self.conn.execute(self.guard.encode())
        self.schema = self.value(_SCHEMA)
        return True

    def value(self, query: LiteralString) -> Any:
        """Return the first column of the first row."""
        row = self.conn.execute(query).fetchone()
        assert row
        return row[0]


class DatabasePool:
    """Copies of a template. As many exist as were borrowed at the same time."""

    def __init__(self, admin_url: str, template: str) -> None:
        self.admin_url = admin_url
        self._template = template
        self._idle: list[_Pooled] = []

    @contextmanager
    def borrowed(self) -> Generator[str]:
        """Yield a connection string of a database that equals the template; end its sessions afterwards."""
        pooled = self._idle.pop() if self._idle else self._copy()
        try:
            yield pooled.conninfo
        finally:
            if _emptied(pooled):
                self._idle.append(pooled)
            else:
                pooled.dropped_at_exit.close()

    def close(self) -> None:
        """Drop the databases."""
        while self._idle:
            self._idle.pop().dropped_at_exit.close()

    def _copy(self) -> _Pooled:
        with ExitStack() as stack:
            conninfo = stack.enter_context(fresh_database(self.admin_url, self._template))
            conn = stack.enter_context(psycopg.connect(conninfo, autocommit=True))
            pooled = _Pooled(conninfo, conn, "", None, 0, stack.pop_all())
        pooled.guard = pooled.value("SELECT pg_get_functiondef('genlock.refuse_change()'::regprocedure)")
        pooled.schema = pooled.value(_SCHEMA)
        pooled.size_bytes = pooled.value(_SIZE)
        return pooled


def _emptied(pooled: _Pooled) -> bool:
    """Empty a database; return whether it is fit to be borrowed again."""
    try:
        return pooled.empty()
    except psycopg.OperationalError:  # the test ended the connection, or restarted the server
        return False
