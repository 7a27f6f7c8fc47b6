"""Hints of errors tell users what to do: they name commands that exist, and never routes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.house.tree import ROOT, short

from genlock.cli.app import app

ROUTE = re.compile(r"/api/|\b(GET|POST|PUT|PATCH|DELETE) /?")
COMMAND = re.compile(r"`genlock ([^`]*)`")


def hints_of(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the text of each ``hint=`` with its line; a value that is formatted into it is ``X``."""
    constants = {
        node.targets[0].id: node.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.keyword) and node.arg == "hint":
            value = constants.get(node.value.id, node.value) if isinstance(node.value, ast.Name) else node.value
            for text in texts_of(value):
                yield node.value.lineno, text


def texts_of(value: ast.expr) -> Iterator[str]:
    """Yield the texts that an expression can be: literals, and the branches of conditions."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr():
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in value.values)
        case ast.IfExp():
            yield from texts_of(value.body)
            yield from texts_of(value.orelse)
        case ast.BoolOp():
            for operand in value.values:
                yield from texts_of(operand)
        case _:
            pass


def problems_of(hint: str, root: Any) -> Iterator[str]:
    """Yield what is wrong with a hint."""
    if ROUTE.search(hint):
        yield "names a route"
    for command in COMMAND.findall(hint):
        yield from problems_of_command(command, root)


def problems_of_command(command: str, root: Any) -> Iterator[str]:
    """Yield which command or option of a command line does not exist."""
    current = root
    for word in command.split():
        if word.startswith("--"):
            name = word.partition("=")[0]
            if not any(name in (*parameter.opts, *parameter.secondary_opts) for parameter in current.params):
                yield f"genlock {command}: there is no option {name}"
        elif hasattr(current, "commands"):
            if word not in current.commands:
                yield f"genlock {command}: there is no command {word}"
                return
            current = root.load(word) if current is root else current.commands[word]


@pytest.fixture(scope="module")
def root() -> Any:
    return typer.main.get_command(app)


def test_hints_name_commands_that_exist_and_no_routes(root: Any) -> None:
    problems = [
        f"{short(path)}:{line}: {problem}: {hint!r}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for line, hint in hints_of(ast.parse(path.read_text(encoding="utf-8")))
        for problem in problems_of(hint, root)
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("hint", "problem"),
    [
        ("Send it to /api/v1/plans.", "names a route"),
        ("Read GET /plans.", "names a route"),
        ("Try `genlock plans redo 3`.", "genlock plans redo 3: there is no command redo"),
        ("Try `genlock plan --colour`.", "genlock plan --colour: there is no option --colour"),
        ("Try `genlock nothing`.", "genlock nothing: there is no command nothing"),
    ],
)
def test_a_hint_that_does_not_help_is_refused(root: Any, hint: str, problem: str) -> None:
    assert list(problems_of(hint, root)) == [problem]


def test_hints_are_read_from_literals_constants_and_conditions(tmp_path: Path) -> None:
    module = ast.parse(
        '_HINT = "a"\nraise E("m", hint=_HINT)\nraise E("m", hint=f"b {c} d")\nraise E("m", hint="e" if f else "g")\n'
    )
    assert [text for _, text in hints_of(module)] == ["a", "b X d", "e", "g"]
