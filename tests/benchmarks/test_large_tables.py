"""No statement reads a large table as a whole: for each there is a plan that finds its rows by an index."""

from collections.abc import Iterator
from typing import Any, LiteralString, cast

import pytest
from tests.db.test_statements import STATEMENTS, example_of

from genlock.db.connection import Conn, rows

LARGE = 400
"""Rows: in a database with a thousand receipts every table that grows with them has more."""
INDEX_SCANS = {"Index Scan", "Index Only Scan"}

# Cheaper plans of such small tables out of the way.
ONLY_INDEXES = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"


@pytest.fixture
async def large(conn: Conn) -> set[str]:
    await conn.execute(ONLY_INDEXES)
    tables = await rows(
        conn,
        """
        SELECT relname FROM pg_class
         WHERE relkind = 'r' AND relnamespace = 'genlock'::regnamespace AND reltuples > %(large)s
        """,
        large=LARGE,
    )
    names = {table["relname"] for table in tables}
    assert {"receipt_inputs", "receipts", "takes", "selected_takes", "current_inputs"} <= names
    return names


async def test_no_statement_reads_a_large_table_as_a_whole(conn: Conn, large: set[str]) -> None:
    whole: list[str] = []
    for where, statement in STATEMENTS.items():
        explain = cast(LiteralString, f"EXPLAIN (FORMAT JSON) {statement}")
        (explained,) = await rows(conn, explain, **example_of(where, statement))
        plan = explained["QUERY PLAN"][0]["Plan"]
        whole += [f"{where} reads {table}" for table in _read_whole(plan) if table in large]
    assert not whole


def _read_whole(node: dict[str, Any], *, limited: bool = False) -> Iterator[str]:
    """Yield the tables that a plan reads without a condition of an index, where no limit ends it."""
    limited = limited or node["Node Type"] == "Limit"
    sequential = node["Node Type"] == "Seq Scan"
    unconditional = node["Node Type"] in INDEX_SCANS and "Index Cond" not in node and not limited
    if sequential or unconditional:
        yield node["Relation Name"]
    for inner in node.get("Plans", ()):
        yield from _read_whole(inner, limited=limited)
