"""Run the console blocks of a page as a user would type them, and compare the output with the page.

A line that begins with `$ ` is typed; the lines below it are its output. `…` matches anything within a line; alone on
a line, any lines. The width of a terminal decides about spaces, so runs of them count as one.
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
    """A command, and its output on the page."""

    command: str
    shown: tuple[str, ...]


def typed_on(page: str) -> Iterator[Typed]:
    """Yield every command of a page in order."""
    for block in _BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            yield Typed(command, tuple(shown))


def run(typed: Typed, folder: Path, environment: Mapping[str, str]) -> None:
    """Run a command in ``folder``; fail if it fails, or if its output differs from the page."""
    done = subprocess.run(
        ["bash", "-c", typed.command], cwd=folder, env=dict(environment), capture_output=True, text=True, check=False
    )
    transcript = f"$ {typed.command}\n{done.stdout}{done.stderr}(exit code {done.returncode})"
    assert done.returncode == 0, transcript
    assert _pattern(typed.shown).fullmatch(_tidy(done.stdout.splitlines())), (
        f"{transcript}\n\nthe page shows:\n" + "\n".join(typed.shown)
    )


def _pattern(shown: tuple[str, ...]) -> re.Pattern[str]:
    lines = "".join(
        r"(?:[^\n]*\n)*?" if line.strip() == _ANY else ".*?".join(map(re.escape, _tidy([line]).split(_ANY)))
        for line in shown
    )
    return re.compile(lines)


def _tidy(lines: list[str]) -> str:
    return "".join(" ".join(line.split()) + "\n" for line in lines if line.strip())
