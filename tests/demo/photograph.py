"""Snapshots of a database and a store, to show that unrelated rows and files are unchanged, down to the inode."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg import sql

Rows = Mapping[str, Counter[tuple[str, str]]]
"""By table: each row's text and xmin."""
Blobs = Mapping[str, tuple[str, int, int, int]]
"""By path: digest of the content, inode, size, mtime."""

SCHEMA = "genlock"
_OWN_ID = {"segments": "segment", "takes": "take", "receipts": "receipt"}
_NAMES = {"segment_id": "segment", "run_id": "segment", "take_id": "take", "receipt_id": "receipt"}
_SEGMENTS_OF: Mapping[str, LiteralString] = {
    "segment": "SELECT id, id FROM genlock.segments",
    "take": "SELECT id, segment_id FROM genlock.takes",
    "receipt": "SELECT id, segment_id FROM genlock.receipts WHERE segment_id IS NOT NULL",
}


def rows_outside(conninfo: str, inside: Collection[int] = ()) -> Rows:
    """Return every row of every table that names a segment, take or receipt, except those of segments ``inside``."""
    with psycopg.connect(conninfo) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        segment_of = {
            what: dict(cast(list[tuple[int, int]], conn.execute(query).fetchall()))
            for what, query in _SEGMENTS_OF.items()
        }
        outside: dict[str, Counter[tuple[str, str]]] = {}
        for table, columns in _naming_columns(conn).items():
            query = sql.SQL("SELECT t::text, t.xmin::text, {} FROM {} t").format(
                sql.SQL(", ").join(sql.Identifier("t", column) for column in columns), sql.Identifier(SCHEMA, table)
            )
            counter: Counter[tuple[str, str]] = Counter()
            for text, xmin, *ids in conn.execute(query):
                named = {segment_of[what].get(id) for what, id in zip(columns.values(), ids, strict=True)}
                if not named & set(inside):
                    counter[text, xmin] += 1
            outside[table] = counter
    return outside


def blobs_in(store: Path) -> Blobs:
    """Return every file of a disk store."""
    return {
        str(path.relative_to(store)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_ino,
            path.stat().st_size,
            path.stat().st_mtime_ns,
        )
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.stat().st_size
    }


def digests_of_takes(conninfo: str, inside: Collection[int]) -> set[str]:
    """Return the digests of all outputs and graphs of takes of these segments, in hexadecimal."""
    with psycopg.connect(conninfo) as conn:
        digests = conn.execute(
            """
            SELECT encode(o.digest, 'hex') FROM genlock.receipts r JOIN genlock.receipt_outputs o ON o.receipt_id = r.id
             WHERE r.segment_id = ANY(%(inside)s)
             UNION
            SELECT encode(graph_digest, 'hex') FROM genlock.receipts
             WHERE segment_id = ANY(%(inside)s) AND graph_digest IS NOT NULL
            """,
            {"inside": list(inside)},
        )
        return {row[0] for row in digests}


def _naming_columns(conn: psycopg.Connection[tuple[object, ...]]) -> dict[str, dict[str, str]]:
    """Return, for each table, the columns that name a segment, take or receipt, by foreign key or by column name."""
    columns_by_table: dict[str, dict[str, str]] = {table: {"id": what} for table, what in _OWN_ID.items()}
    called = conn.execute(
        """
        SELECT c.relname, a.attname
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY c.relname, a.attnum
        """,
        (SCHEMA,),
    )
    for table, column in cast(list[tuple[str, str]], called.fetchall()):
        for name, what in _NAMES.items():
            if column == name or column.endswith(f"_{name}"):
                columns_by_table.setdefault(table, {})[column] = what
    referring = conn.execute(
        """
        SELECT k.conrelid::regclass::text, a.attname, target.relname
          FROM pg_constraint k JOIN pg_class target ON target.oid = k.confrelid
          JOIN pg_namespace n ON n.oid = target.relnamespace
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
         WHERE k.contype = 'f' AND n.nspname = %s AND target.relname = ANY(%s)
        """,
        (SCHEMA, list(_OWN_ID)),
    )
    for table, column, target in cast(list[tuple[str, str, str]], referring.fetchall()):
        columns_by_table.setdefault(table.removeprefix(f"{SCHEMA}."), {})[column] = _OWN_ID[target]
    return columns_by_table
