"""Commands start quickly: a command imports only what it needs, and the list of commands is complete."""

import json
import os
import re
import subprocess
import sys

import pytest
import typer

from genlock.cli.commands import COMMANDS
from genlock.cli.root_group import RootGroup
from genlock.lazy_import import load

LOADED = """
import sys
from genlock.cli.app import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def loaded_modules(*arguments: str) -> set[str]:
    """Return the modules that a command line has imported when it ends."""
    ended = subprocess.run([sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True)
    return set(ended.stderr.split())


def test_the_list_of_commands_imports_none_of_them() -> None:
    modules = loaded_modules("--help")
    assert not {"httpx", "genlock.client", "genlock.model"} & modules
    assert not {entry.module for entry in COMMANDS.values()} & modules


def test_status_imports_only_the_calls_that_it_makes() -> None:
    modules = loaded_modules("status", "--help")
    assert "genlock.sdk.staleness" in modules
    assert not {"genlock.client", "genlock.cli.demo.command", "genlock.regeneration.model"} & modules
    assert not {"click", "rich.progress"} & modules, "httpx imports its own command line"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_shows_the_first_sentence_of_each_command(name: str) -> None:
    command = RootGroup().load(name)
    assert command.name in {name, "", None}, "the table names another command"
    first_sentence = re.split(r"(?<=[.]) ", " ".join(command.help.split()))[0]
    assert COMMANDS[name].help == first_sentence, "change the line in genlock.cli.commands"


def test_every_registered_command_is_in_the_table() -> None:
    modules = {entry.module for entry in COMMANDS.values() if entry.attribute == "app"}
    registered = {name for module in modules for name in typer.main.get_group(load(module, "app")).commands}
    assert registered <= COMMANDS.keys()


@pytest.mark.parametrize(
    ("words", "expected"),
    [("genlock st", {"status"}), ("genlock project a", {"add", "archive"}), ("genlock status --js", {"--json"})],
)
def test_the_shell_completes_commands_and_options(words: str, expected: set[str]) -> None:
    environment = {
        **os.environ,
        "_GENLOCK_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    code = "from genlock.cli.app import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert set(ended.stdout.split()) == expected, ended.stderr


def test_the_version_is_available_as_json() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "genlock.cli", "--version", "--json"], capture_output=True, text=True, check=True
    )
    assert set(json.loads(ended.stdout)) == {"version"}
