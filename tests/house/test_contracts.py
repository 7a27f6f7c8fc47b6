"""The import contracts cover the modules that they claim to cover."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.house import tree

SOURCE = tree.ROOT / "src"
PURE = "Thinking is pure"
PURE_WITHOUT_SAYING_SO = {"genlock.takes.claim"}
PURITY = re.compile(r"\bPure\b")
DRIVERS = {"psycopg", "psycopg_pool"}
STATEMENTS = {"many", "maybe", "one", "rows", "ask", "ask_many", "scalar", "execute"}
CURSOR_METHODS = {"execute", "executemany", "cursor"}


def test_the_contract_lists_exactly_the_modules_that_say_they_are_pure() -> None:
    contract = _contract(PURE)
    pure = {name for name, module in _modules() if PURITY.search(ast.get_docstring(module) or "")}
    assert set(contract["source_modules"]) - PURE_WITHOUT_SAYING_SO == pure, (
        f'"{PURE}" in pyproject.toml and the docstrings differ'
    )


def test_only_sql_modules_the_connection_and_events_use_the_driver() -> None:
    users = sorted(name for name, module in _modules() if not _may_use_sql(name) and _uses_sql(module))
    assert not users, f"move these statements into a module named *_sql: {users}"


def test_a_statement_outside_of_the_sql_modules_is_noticed() -> None:
    for source in (
        "import psycopg",
        "from psycopg.types.json import Jsonb",
        "from genlock.db.connection import Conn, many",
        "def read(conn): return conn.execute('SELECT 1')",
        "def read(conn):\n    import psycopg_pool",
    ):
        assert _uses_sql(ast.parse(source)), source
    assert not _uses_sql(ast.parse("from genlock.db.connection import Conn\nfrom genlock.takes import take_sql"))
    assert _may_use_sql("genlock.takes.take_sql")
    assert not _may_use_sql("genlock.takes.record")


def _contract(name: str) -> dict[str, Any]:
    settings = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())
    (contract,) = [each for each in settings["tool"]["importlinter"]["contracts"] if each["name"] == name]
    return contract


def _modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module of Genlock with its dotted name."""
    for path in tree.named(".py"):
        if path.is_relative_to(SOURCE):
            yield _dotted(path), ast.parse(path.read_text())


def _dotted(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _may_use_sql(name: str) -> bool:
    _, room, *_ = (*name.split("."), "")
    return room in {"db", "events"} or name.endswith(("_sql", ".sql"))


def _uses_sql(module: ast.Module) -> bool:
    """Return whether a module imports the driver, sends statements or opens a cursor."""
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names) if any(name.name.split(".")[0] in DRIVERS for name in names):
                return True
            case ast.ImportFrom(module=str(source)) if source.split(".")[0] in DRIVERS:
                return True
            case ast.ImportFrom(module="genlock.db.connection", names=names) if STATEMENTS & {n.name for n in names}:
                return True
            case ast.Call(func=ast.Attribute(attr=method)) if method in CURSOR_METHODS:
                return True
            case _:
                pass
    return False
