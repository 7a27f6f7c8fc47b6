"""Runs the console blocks of a page as a person would type them, and compares what comes back with what it shows.

A line that begins with `$ ` is typed; the lines below it are its output. `…` stands for anything within a line; on a
line of its own, for any lines. How wide a terminal is decides about spaces, so runs of them count as one.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_ANY = "…"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Typed:
    """A command, and the output that the page shows of it."""

    command: str
    shown: tuple[str, ...]


def typed_on(page: str) -> Iterator[Typed]:
    """Every command of a page in its order."""
    for block in _BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            yield Typed(command, tuple(shown))


def run(typed: Typed, folder: Path, environment: Mapping[str, str]) -> None:
    """Type it in ``folder``; fails if it fails, or says anything else than the page."""
    done = subprocess.run(
        ["bash", "-c", typed.command], cwd=folder, env=dict(environment), capture_output=True, text=True, check=False
    )
    said = f"$ {typed.command}\n{done.stdout}{done.stderr}(exit code {done.returncode})"
    assert done.returncode == 0, said
    assert _pattern(typed.shown).fullmatch(_tidy(done.stdout.splitlines())), f"{said}\n\nthe page shows:\n" + "\n".join(
        typed.shown
    )


def _pattern(shown: tuple[str, ...]) -> re.Pattern[str]:
    lines = "".join(
        r"(?:[^\n]*\n)*?" if line.strip() == _ANY else ".*?".join(map(re.escape, _tidy([line]).split(_ANY)))
        for line in shown
    )
    return re.compile(lines)


def _tidy(lines: list[str]) -> str:
    return "".join(" ".join(line.split()) + "\n" for line in lines if line.strip())
