"""Commands on pages: those of the README run, and every `genlock …` exists with the options it is shown with."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.house import tree
from tests.house.tree import ROOT

from genlock.cli.app import app
from genlock.cli.lazy_group import LazyGroup

CHEAP = (("make", "help"), ("genlock", "--help"), ("genlock", "--version"))


def _lines(page: Path) -> Iterator[str]:
    """Yield the commands that a page shows, each without its comment and what follows it in a pipe or list."""
    text = page.read_text(encoding="utf-8")
    commands = [line for block in tree.blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines()]
    shown = [line for block in tree.blocks(text, "console") for line in block.splitlines()]
    commands += [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]
    for line in commands:
        yield re.split(r"\s*(?:\|\||&&|;|\s#)\s*", line.strip())[0]


def _command(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that words name, and the rest of the words."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):  # a group
        commands = command.load_all() if isinstance(command, LazyGroup) else command.commands
        while rest and rest[0].startswith("--"):
            rest = rest[2:]  # a global option and its value
        if not rest or rest[0] not in commands:
            break
        command, rest = commands[rest[0]], rest[1:]
    return command, rest


def test_the_readmes_make_targets_exist() -> None:
    targets = {line.split()[1] for line in _lines(ROOT / "README.md") if line.startswith("make ")}
    assert targets >= {"demo", "up", "test", "check"}
    for target in sorted(targets):
        dry_run = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert dry_run.returncode == 0, dry_run.stderr


@pytest.mark.parametrize("words", CHEAP, ids=" ".join)
def test_cheap_commands_run(words: tuple[str, ...]) -> None:
    program = str(Path(sys.executable).with_name("genlock")) if words[0] == "genlock" else words[0]
    completed = subprocess.run([program, *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.strip()


@pytest.mark.parametrize("page", tree.pages(), ids=tree.short)
def test_every_command_on_a_page_exists(page: Path) -> None:
    for line in _lines(page):
        if not line.startswith("genlock "):
            continue
        command, rest = _command(shlex.split(line)[1:])
        assert not hasattr(command, "commands") or not rest, f"{tree.short(page)}: {line}"
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            if re.match(r"--?[a-z]", word):
                assert word.partition("=")[0] in options | {"--help"}, f"{tree.short(page)}: {line} ({word})"
