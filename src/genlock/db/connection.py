"""Connections to PostgreSQL: one pool, one transaction per request or step, rows as frozen values."""

import logging
import math
import select
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, LiteralString, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import class_row, dict_row
from psycopg.waiting import Ready, Wait
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from genlock.db.refusals import as_genlock_error
from genlock.errors import GenlockError, Invalid, Unavailable

T = TypeVar("T")
Conn = psycopg.AsyncConnection[Any]
"""A connection in a transaction that the caller has opened and will end."""

SentQuery = psycopg.AsyncCursor[dict[str, Any]]
"""A query that was sent and whose rows were not read yet."""

SentQueryFor = psycopg.AsyncCursor
"""A query that was sent and whose rows become instances of a class."""

APPLICATION_ROLE = "genlock_app"
# Statements here are short and their plans wide: compiling one takes a hundred times as long as running it. A plan for
# all parameters may start a parallel worker for what one of them never reads, which takes longer than the statement.
_OPTIONS = "-c search_path=genlock,queue,pg_catalog -c timezone=UTC -c jit=off -c max_parallel_workers_per_gather=0"
_TRUSTED_IDLE_S = 30.0  # for this long an idle connection counts as alive unless its socket is readable
logger = logging.getLogger(__name__)


class Database:
    """A pool of connections with the application's role.

    ``restricted`` is whether that role could be set: without it the triggers still refuse changes, but the login role
    may own the tables, which ``/readyz`` warns about.
    """

    def __init__(self, conninfo: str, *, min_size: int = 1, max_size: int = 10, application: str = "genlock") -> None:
        self.conninfo = checked_conninfo(conninfo)
        self.restricted = True
        self._last_used_s: WeakKeyDictionary[Conn, float] = WeakKeyDictionary()
        self._pool: AsyncConnectionPool[Conn] = AsyncConnectionPool(
            conninfo,
            min_size=min_size,
            max_size=max_size,
            open=False,
            configure=self._configure,
            check=self._check,
            timeout=30,
            kwargs={"options": _OPTIONS, "application_name": application},
        )

    async def open(self) -> None:
        """Open the pool and wait for its first connection. Raise ``Unavailable`` if it cannot be made."""
        try:
            await self._pool.open(wait=True, timeout=30)
        except PoolTimeout as error:
            await self._pool.close()
            raise Unavailable(
                "The database cannot be reached.", hint="Check the database URL and that the server is running."
            ) from error

    async def close(self) -> None:
        """Close the pool and its connections."""
        await self._pool.close()

    async def ping(self) -> None:
        """Run a statement. Raise ``Unavailable`` if the server does not answer."""
        async with self.transaction() as conn:
            await conn.execute("SELECT")

    @property
    def pool(self) -> AsyncConnectionPool[Conn]:
        """The pool itself, for a library with its own queries."""
        return self._pool

    async def _configure(self, conn: Conn) -> None:
        async with conn.transaction():
            cursor = await conn.execute(
                "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s AND pg_has_role(oid, 'MEMBER'))",
                (APPLICATION_ROLE,),
            )
            row = await cursor.fetchone()
        self.restricted = bool(row and row[0])
        if self.restricted:
            await conn.set_autocommit(True)
            await conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(APPLICATION_ROLE)))
            await conn.set_autocommit(False)

    async def _check(self, conn: Conn) -> None:
        """Raise for a connection that was lost while idle in the pool.

        A server that ends a connection, or dies, makes its socket readable. If it is not, and the connection was used
        recently, no round trip is spent on a probe; after a longer silence the network may have dropped it.
        """
        idle_s = time.monotonic() - self._last_used_s.get(conn, -math.inf)
        if idle_s > _TRUSTED_IDLE_S or _is_readable(conn):
            await AsyncConnectionPool.check_connection(conn)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Conn]:
        """Open a transaction: committed when the block ends, rolled back if it raises.

        Database errors are raised as one of Genlock's six.
        """
        try:
            async with self._pool.connection() as conn:
                try:
                    yield conn
                finally:
                    self._last_used_s[conn] = time.monotonic()
        except PoolTimeout as error:
            raise Unavailable(
                "All database connections are busy or the database is down.", hint="Try again in a moment."
            ) from error
        except psycopg.Error as error:
            raise as_genlock_error(error) from error

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Conn]:
        """Open a read-only transaction in which every statement sees the same state.

        Otherwise a response of several statements could mix the states before and after a change.
        """
        async with self.transaction() as conn:
            # Both are sent with the BEGIN of the first statement, without another round trip.
            await conn.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
            await conn.set_read_only(True)
            try:
                yield conn
            finally:
                if not conn.closed:
                    await _end_reading(conn)
                    await conn.set_isolation_level(None)
                    await conn.set_read_only(None)

    @asynccontextmanager
    async def statements(self) -> AsyncGenerator[Conn]:
        """Open a connection on which every statement is its own transaction, for a single read.

        It saves the round trips that begin and end a transaction. Errors are raised as in ``transaction``.
        """
        async with self.transaction() as conn:
            await conn.set_autocommit(True)
            try:
                yield conn
            finally:
                if not conn.closed:
                    await conn.set_autocommit(False)


def checked_conninfo(conninfo: str) -> str:
    """Return a connection string that libpq can parse.

    Raise ``Invalid`` without repeating the string: it may hold a password.
    """
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        malformed = True
    else:
        malformed = False
    if malformed:  # outside the except block: the cause quotes the string, and tracebacks print causes
        raise Invalid(
            "The database URL is malformed.",
            hint="Write postgresql://USER@HOST:PORT/NAME in GENLOCK_DATABASE_URL, special characters percent-encoded.",
            code="bad_database_url",
        )
    return conninfo


def _is_readable(conn: Conn) -> bool:
    """Return whether a connection's socket is readable; true on systems without ``poll``."""
    if not hasattr(select, "poll"):
        return True
    waiting = select.poll()
    waiting.register(conn.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


async def _end_reading(conn: Conn) -> None:
    """End a read-only transaction, failed or not, by COMMIT, after which psycopg keeps its prepared statements.

    After a ROLLBACK it would prepare, and PostgreSQL plan, every statement of the connection again.
    """
    if conn.info.transaction_status is TransactionStatus.INTRANS:
        await conn.commit()
    else:
        await conn.rollback()


async def many(conn: Conn, cls: type[T], query: LiteralString, **params: Any) -> tuple[T, ...]:
    """Return every row of a query as a ``cls``."""
    async with conn.cursor(row_factory=class_row(cls)) as cursor:
        await cursor.execute(query, params)
        return tuple(await cursor.fetchall())


async def maybe(conn: Conn, cls: type[T], query: LiteralString, **params: Any) -> T | None:
    """Return the first row of a query as a ``cls``, or ``None``."""
    async with conn.cursor(row_factory=class_row(cls)) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchone()


async def single(conn: Conn, cls: type[T], missing: GenlockError, query: LiteralString, **params: Any) -> T:
    """Return the first row of a query as a ``cls``; raise ``missing`` if there is none."""
    row = await maybe(conn, cls, query, **params)
    if row is None:
        raise missing
    return row


async def rows(conn: Conn, query: LiteralString, **params: Any) -> list[dict[str, Any]]:
    """Return every row of a query as a dictionary, for rows without a model."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, params)
        return await cursor.fetchall()


async def ask(conn: Conn, query: LiteralString, **params: Any) -> SentQuery:
    """Send a query; ``fetchall`` waits for its rows. In a pipeline, the next query can be sent at once."""
    cursor = conn.cursor(row_factory=dict_row)
    await cursor.execute(unindented(query), params)
    return cursor


async def ask_many(conn: Conn, cls: type[T], query: LiteralString, **params: Any) -> SentQueryFor[T]:
    """Send a query whose rows become instances of ``cls``."""
    cursor = conn.cursor(row_factory=class_row(cls))
    await cursor.execute(query, params)
    return cursor


@asynccontextmanager
async def pipelined(conn: Conn) -> AsyncGenerator[None]:
    """Send statements in the block without waiting for the previous one; such blocks may be nested.

    Reading rows waits for them. Errors of statements whose results were not read are raised at the end of the block.
    """
    if conn.pgconn.pipeline_status != PipelineStatus.OFF:  # it comes as a bare number
        yield
    else:
        async with conn.pipeline():
            yield


async def flush(conn: Conn) -> None:
    """Wait until PostgreSQL has received everything that was sent in a pipeline, so that it starts on complete
    statements.

    Psycopg sends what fits into the buffer, and keeps the rest of a large statement until its next call.
    """
    await conn.wait(_flushing(conn.pgconn))


def _flushing(pgconn: PGconn) -> PQGen[None]:
    while pgconn.flush():
        ready = yield Wait.RW
        if ready & Ready.R:
            pgconn.consume_input()  # buffered for the reader


async def scalar(conn: Conn, query: LiteralString, **params: Any) -> Any:
    """Return the first column of the first row, or ``None``."""
    cursor = await conn.execute(query, params)
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def execute(conn: Conn, query: LiteralString, **params: Any) -> int:
    """Run a statement and return the number of affected rows."""
    cursor = await conn.execute(unindented(query), params)
    return cursor.rowcount


@cache
def unindented(query: LiteralString) -> LiteralString:
    """Return a statement without its indentation: psycopg parses one of more than 4,096 characters at every call."""
    return "\n".join(line.strip() for line in query.splitlines())


async def plan_once(conn: Conn) -> None:
    """Use generic plans, which are made once per connection, for the rest of the transaction.

    For large statements whose plan does not depend on their parameters: planning them takes longer than running them.
    """
    await conn.execute("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")
