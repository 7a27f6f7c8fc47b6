"""SQL is written as literals: no statement is edited, formatted or put together from pieces at run time."""

import ast
import re
from collections.abc import Iterator

import pytest
from tests.house import tree

KEYWORDS = re.compile(r"\b(SELECT|FROM|WHERE|JOIN|AND|ORDER BY|INSERT|UPDATE|DELETE|WITH|VALUES|RETURNING|LIMIT)\b")
SQL = re.compile(r"(^|_)sql$")
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


@pytest.fixture(scope="module")
def places() -> dict[str, list[int]]:
    """Return the lines of each SQL module where a statement is put together."""
    modules = [path for path in tree.named(".py") if path.is_relative_to(tree.ROOT / "src") and SQL.search(path.stem)]
    assert modules
    return {tree.short(path): sorted(_assembled(ast.parse(path.read_text()))) for path in modules}


def test_no_statement_is_put_together(places: dict[str, list[int]]) -> None:
    listed = [f"{name}:{line}" for name, lines in places.items() for line in lines]
    assert not listed, "write these statements as literals:\n" + "\n".join(listed)


@pytest.mark.parametrize(
    "source",
    [
        'QUERY = "SELECT a FROM b".replace("a", "c")',
        "QUERY = _TEMPLATE.format('x')",
        'query = f"SELECT a FROM {table}"',
        'QUERY = "SELECT a FROM b" + condition',
        "QUERY = _START + _END",
        "QUERY += ' WHERE a'",
        'QUERY = "SELECT %s" % column',
        'QUERY = " AND ".join(conditions)',
    ],
)
def test_each_way_to_put_a_statement_together_is_noticed(source: str) -> None:
    assert list(_assembled(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        'query = sql.SQL("SELECT a FROM {}").format(sql.Identifier(name))',
        'message = f"Segment {number} is archived."',
        'name = "_".join(parts)',
        "total = a + b",
        'query = """SELECT a FROM b"""',
    ],
)
def test_literals_and_messages_are_left_alone(source: str) -> None:
    assert not list(_assembled(ast.parse(source)))


def _assembled(module: ast.Module) -> Iterator[int]:
    """Yield the lines where a statement is edited, formatted or put together."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Attribute(attr="format" | "replace", value=receiver)) if _is_text(receiver):
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr="join", value=receiver)) if _is_sql(receiver):
                yield node.lineno
            case ast.JoinedStr(values=parts) if any(map(_is_sql, parts)):
                yield node.lineno
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right) if _is_text(left) or _is_text(right):
                yield node.lineno
            case ast.AugAssign(op=ast.Add(), value=value) if _is_text(value):
                yield node.lineno
            case _:
                pass


def _is_sql(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(KEYWORDS.search(node.value))


def _is_text(node: ast.expr) -> bool:
    """Return whether an expression is SQL, or a module's constant, which may hold some."""
    return _is_sql(node) or (isinstance(node, ast.Name) and bool(CONSTANT.fullmatch(node.id)))
