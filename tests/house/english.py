"""Finds names and texts of the project's files that are not plain English.

python -m tests.house.english # each room and its number of findings python -m tests.house.english src/genlock/web/api #
the findings of a room, or of a file
"""

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.house import tree
from tests.house.words import NAME_PARTS, NAMES, PHRASES

FROZEN = "src/genlock/db/migrations/versions"  # a migration in use is never edited
VERBATIM = ("LICENSE",)
PROSE = (".md", ".js", ".css", ".html", ".sh", ".toml", "")
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|WITH|FROM|WHERE)\b")
PATTERNS = [(re.compile(phrase.replace(" ", r"\s+"), re.IGNORECASE), plain) for phrase, plain in PHRASES.items()]


@dataclass(frozen=True)
class Finding:
    """A phrase or a name that has a plainer replacement."""

    path: Path
    line: int
    text: str
    plain: str

    def __str__(self) -> str:
        return f"{tree.short(self.path)}:{self.line}: {self.text!r}: {self.plain}"


def room_of(path: Path) -> str:
    """Return the folder of a file, relative to the project; ``.`` for the project's own."""
    return str(path.parent.relative_to(tree.ROOT))


def findings() -> dict[str, list[Finding]]:
    """Return the findings of each room that has any."""
    rooms: dict[str, list[Finding]] = defaultdict(list)
    for path in tree.files():
        if room_of(path) != FROZEN and path.name not in VERBATIM:
            rooms[room_of(path)].extend(findings_of(path))
    return {room: listed for room, listed in sorted(rooms.items()) if listed}


def findings_of(path: Path) -> list[Finding]:
    """Return the findings of a file in the order of its lines."""
    if path.suffix == ".py":
        source = path.read_text(encoding="utf-8")
        nodes = tuple(ast.walk(ast.parse(source)))
        listed = [
            *(Finding(path, 1, name, plain) for name in [path.stem] if (plain := plain_name(name))),
            *(Finding(path, line, name, plain) for line, name in bound_names(nodes) if (plain := plain_name(name))),
            *(each for line, text in python_prose(path, source, nodes) for each in phrases(path, line, text)),
        ]
    elif path.suffix in PROSE:
        listed = list(phrases(path, 1, path.read_text(encoding="utf-8")))
    else:
        listed = []
    return sorted(set(listed), key=lambda finding: (finding.line, finding.text))


def phrases(path: Path, first_line: int, text: str) -> Iterator[Finding]:
    """Yield the phrases of a text that have a plainer replacement."""
    for pattern, plain in PATTERNS:
        for match in pattern.finditer(text):
            line = first_line + text.count("\n", 0, match.start())
            yield Finding(path, line, " ".join(match.group().split()), plain)


def plain_name(name: str) -> str | None:
    """Return what to use instead of a name, or nothing when the name is fine."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
    replacements = [NAME_PARTS[part] for part in words.split("_") if part in NAME_PARTS]
    return NAMES.get(words) or next(iter(replacements), None)


def bound_names(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield each name that nodes bind, with its line: definitions, parameters, variables, attributes, aliases."""
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str(alias)):
                yield node.lineno, alias
            case ast.ExceptHandler(name=str(caught)):
                yield node.lineno, caught
            case ast.MatchAs(name=str(capture)) | ast.MatchStar(name=str(capture)):
                yield node.lineno, capture
            case _:
                pass


def python_prose(path: Path, source: str, nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield docstrings, comments and messages with their lines; of SQL its comments, of tests no messages."""
    docstrings = {id(node) for node in _docstrings(nodes)}
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) in docstrings:
            yield node.lineno, node.value
        elif "tests" not in path.relative_to(tree.ROOT).parts:
            if SQL.search(node.value):
                for offset, line in enumerate(node.value.splitlines()):
                    yield node.lineno + offset, line.partition("--")[2]
            else:
                yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _docstrings(nodes: Iterable[ast.AST]) -> Iterator[ast.Constant]:
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str()) as docstring), *_]:
                    yield docstring
                case _:
                    pass


def main(arguments: list[str]) -> None:
    """Print the number of findings of each room, or the findings below each path given."""
    for room, listed in findings().items():
        selected = [finding for finding in listed if any(_below(finding.path, Path(path)) for path in arguments)]
        if not arguments:
            print(f"{len(listed):5} {room}")
        for finding in selected:
            print(finding)


def _below(path: Path, parent: Path) -> bool:
    return path.is_relative_to(parent.resolve())


if __name__ == "__main__":
    main(sys.argv[1:])
