"""Finds docstrings of functions that do not begin with a verb in the imperative.

Properties and fixtures are named and described by nouns, and tests by what they show: they are exempt.

python -m tests.house.docstrings  # every finding
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house import tree
from tests.house.english import FROZEN, Finding, room_of
from tests.house.words import NOT_IMPERATIVE, OPENERS

EXEMPT_DECORATORS = ("property", "fixture")
_OPENER = re.compile(r"[A-Za-z]+:?|\S+")
_ENDS_IN_S = re.compile(r"[A-Za-z]+[^s\W]s")
_NO_WORD = re.compile(r"[^A-Za-z]")


def findings() -> list[Finding]:
    """Return the findings of all Python files."""
    paths = [path for path in tree.named(".py") if room_of(path) != FROZEN]
    return [finding for path in paths for finding in findings_of(path, path.read_text(encoding="utf-8"))]


def findings_of(path: Path, source: str) -> Iterator[Finding]:
    """Yield the findings of a file with this source."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_exempt(node):
            continue
        docstring = ast.get_docstring(node)
        if docstring and (plain := replacement_for(docstring)):
            yield Finding(path, node.lineno, f"{node.name}: {docstring.splitlines()[0]}", plain)


def replacement_for(docstring: str) -> str | None:
    """Return how a docstring should begin; ``None`` if it may begin with a verb."""
    match = _OPENER.match(docstring)
    if match is None:
        return NOT_IMPERATIVE
    opener = match.group()
    if opener.lower() in OPENERS:
        return OPENERS[opener.lower()]
    return NOT_IMPERATIVE if _ENDS_IN_S.fullmatch(opener) or _NO_WORD.match(opener) else None


def _is_exempt(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    return node.name.startswith("test_") or any(part in text for text in decorators for part in EXEMPT_DECORATORS)


if __name__ == "__main__":
    print(*findings(), sep="\n")
