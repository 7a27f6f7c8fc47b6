"""``python -m genlock.cli.reference FILE`` writes the commands' help as a page, such as ``docs/reference/cli.md``."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from genlock.cli.app import app
from genlock.cli.lazy_group import LazyGroup

_WIDTH = 100
_INTRODUCTION = """# The command line

What each command says with `--help`; this page is generated from it by `make docs`.

**Which server.** A command asks the server at `--url` or `GENLOCK_URL`, with `--token` or `GENLOCK_TOKEN`. Without
one it asks the server of its data folder (`--data`, `GENLOCK_DATA`, else `/var/lib/genlock` for root and the
platform's folder for a user's data elsewhere), starts it when it does not run, and shows the token in `admin.token`
there. A server that was started so ends when nobody has asked for 15 minutes, or with `genlock down`.

**References.** `rooftop` is a project, by its slug; `rooftop/night` a scene of it; `rooftop/night/3` the third
segment of that scene. `lora:rain` is an asset, `lora:rain@2` its version 2. A project's own asset hides one of the
same name that all projects share.

**Output.** Answers go to standard output, progress and trouble to standard error. With `--json`, before or after the
command, standard output has one JSON document and nothing else: what the API answers, or `{"error": {…}}`. Lists have
`items` and `total`. Colours are left out where there is no terminal, and with `NO_COLOR`.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | it could not be done: standard error says what happened and what to do |
| 2 | wrong usage: an unknown option, something that is not a reference |
| 3 | `status`: something is stale |
| 130 | interrupted with Ctrl-C |
"""


def page() -> str:
    """The whole page."""
    parts = [f"## {path}\n\n```text\n{text}\n```" for path, text in commands()]
    return "\n".join([_INTRODUCTION, "\n\n".join(parts), ""])


def commands() -> Iterator[tuple[str, str]]:
    """Every command and group with its path, such as ``genlock asset add``, and its help as plain text."""
    yield from _walk(typer.main.get_command(app), "genlock", None)


def _walk(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    # Plain text of one width: what a terminal makes of it differs from terminal to terminal.
    command.rich_markup_mode = None
    context = command.make_context(
        name, [], parent=parent, resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    lines = (line.rstrip() for line in context.get_help().strip().splitlines())
    yield context.command_path, "\n".join(lines)
    subcommands = command.load_all() if isinstance(command, LazyGroup) else getattr(command, "commands", {})
    for child_name, child in subcommands.items():
        yield from _walk(child, child_name, context)


def main() -> None:
    """Write the page into the file named as the argument."""
    parser = argparse.ArgumentParser(description="Writes the reference of the command line.")
    parser.add_argument("file", type=Path, help="where to write it, such as docs/reference/cli.md")
    path: Path = parser.parse_args().file
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
