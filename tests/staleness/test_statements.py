"""Every statement of the room is one readable literal, and PostgreSQL can plan it."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString, cast

import pytest
from psycopg.types.json import Jsonb

import genlock.staleness
from genlock.db.connection import Conn

ROOM = Path(genlock.staleness.__file__).parent
MOST_LINES = 80
STATEMENT = re.compile(r"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b")
PARAMETER = re.compile(r"%\((\w+)\)s")

DIGEST = bytes(32)
EXAMPLES = {
    "activation_id": 1,
    "active": 1,
    "actor": "ada",
    "after_position": 0,
    "after_scene": 0,
    "asset_id": 1,
    "assets": [1, 2],
    "before": 100,
    "contents": [1, 2],
    "expected": [DIGEST],
    "expires_at": datetime(2030, 1, 1, tzinfo=UTC),
    "from_version": 1,
    "id": 1,
    "ids": [1, 2],
    "kinds": ["superseded"],
    "last": "a\U0010ffff",
    "limit": 100,
    "numbers": [1, 2],
    "older_than_s": 10.0,
    "paths": [Jsonb([[1, 1]])],
    "positions": [1, 2],
    "project_id": 1,
    "projects": [1, 2],
    "q": "a",
    "reason": "good enough",
    "replaced": [1],
    "root_assets": [1],
    "root_expected": [2],
    "root_used": [1],
    "runs": [1, 2],
    "samples": 1000,
    "scene_id": 1,
    "scenes": [1, 2],
    "scope_id": 1,
    "scopes": [0, 1],
    "segments": [1, 2],
    "used": [DIGEST],
    "version": 1,
    "whole": True,
    "workloads": [1, 2],
}


def _statements() -> Iterator[tuple[str, str]]:
    """Yield where each statement is, and its text."""
    for path in sorted(ROOM.glob("*_sql.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value):
                yield f"{path.name}:{node.lineno}", node.value


STATEMENTS = dict(_statements())


def test_every_module_with_statements_is_read() -> None:
    assert {where.partition(":")[0] for where in STATEMENTS} == {path.name for path in ROOM.glob("*_sql.py")}


@pytest.mark.parametrize("where", STATEMENTS)
async def test_a_statement_is_short_and_can_be_planned(where: str, conn: Conn) -> None:
    statement = STATEMENTS[where]
    lines = [line for line in statement.splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES, f"{where} has {len(lines)} lines"
    names = set(PARAMETER.findall(statement))
    plan = await conn.execute(cast(LiteralString, f"EXPLAIN {statement}"), {name: EXAMPLES[name] for name in names})
    assert await plan.fetchall()
