"""Recorded rows cannot be changed, neither by the application nor by the owner of the tables."""

from collections.abc import AsyncGenerator
from typing import LiteralString

import pytest
from psycopg import errors, sql
from tests.takes.stage import Stage, whole

from genlock.db.connection import Conn

HISTORY: tuple[LiteralString, ...] = (
    "takes",
    "receipts",
    "receipt_inputs",
    "receipt_outputs",
    "input_links",
    "selections",
    "asset_versions",
    "derivations",
    "derivation_sources",
    "activations",
    "reproduction_results",
    "events",
)
CHANGES: dict[str, LiteralString] = {
    "update": "UPDATE {table} SET {column} = {column}",
    "update of no row": "UPDATE {table} SET {column} = {column} WHERE false",
    "delete": "DELETE FROM {table}",
    "truncate": "TRUNCATE {table} CASCADE",
}


@pytest.fixture
async def owner(conn: Conn, stage: Stage) -> AsyncGenerator[Conn]:
    """Return the same transaction as the login role, which owns the tables."""
    await stage.record(stage.segments[0], whole())
    await conn.execute("RESET ROLE")
    yield conn
    await conn.rollback()
    await conn.execute("SET ROLE genlock_app")


async def attempt(conn: Conn, table: LiteralString, change: LiteralString) -> None:
    cursor = await conn.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attidentity = '' LIMIT 1",
        (table,),
    )
    row = await cursor.fetchone()
    assert row
    async with conn.transaction():
        await conn.execute(sql.SQL(change).format(table=sql.Identifier(table), column=sql.Identifier(row[0])))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", HISTORY)
async def test_the_application_may_not_change_it(stage: Stage, table: LiteralString, change: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        await attempt(stage.conn, table, CHANGES[change])


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("replica", [False, True])
@pytest.mark.parametrize("table", HISTORY)
async def test_the_owner_may_not_change_it(owner: Conn, table: LiteralString, change: str, replica: bool) -> None:
    if replica:  # the common way to disable triggers
        await owner.execute("SET LOCAL session_replication_role = replica")
    with pytest.raises(errors.IntegrityConstraintViolation) as refused:
        await attempt(owner, table, CHANGES[change])
    assert refused.value.diag.constraint_name == "written_once"


async def test_an_asset_that_a_receipt_names_cannot_be_deleted(stage: Stage) -> None:
    for table in ("projects", "scenes", "segments", "assets", "contents", "blobs"):
        with pytest.raises(errors.InsufficientPrivilege):
            async with stage.conn.transaction():
                await stage.conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
