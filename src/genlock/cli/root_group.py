"""The root group: handles wrong usage, closed pipes and full disks."""

import itertools
import json
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.exceptions import TyperException

from genlock.cli import pipes
from genlock.cli.commands import COMMANDS
from genlock.cli.exit_codes import FAILED
from genlock.cli.lazy_group import LazyGroup
from genlock.full_disk import is_full_disk


class RootGroup(LazyGroup):
    """The group ``genlock``."""

    table = COMMANDS

    def main(self, args: Sequence[str] | None = None, *positional: Any, **keywords: Any) -> Any:
        """Run a command line and exit with its code."""
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            code = self._run(arguments, *positional, **keywords)
        except (OSError, SystemExit) as error:
            code = _exit_code_of_failed_output(error)
        sys.exit(code or 0)

    def _run(self, arguments: list[str], *positional: Any, **keywords: Any) -> Any:
        """Run a command line and return the exit code; report wrong usage."""
        try:
            code = super().main(arguments, *positional, **{**keywords, "standalone_mode": False})
        except TyperException as error:
            _print_usage_error(error, as_json=_wants_json(arguments))
            code = error.exit_code
        except typer.Abort:
            typer.echo("Aborted.", err=True)
            code = FAILED
        if sys.stdout is not None:  # a process may have none  # pyright: ignore[reportUnnecessaryComparison]
            sys.stdout.flush()
        return code


def _exit_code_of_failed_output(error: OSError | SystemExit) -> int:
    """Report output that could not be written, and return the exit code. Any other error is raised again."""
    if pipes.is_closed_pipe(error):
        pipes.discard_output()
        return 0
    if isinstance(error, SystemExit) or not is_full_disk(error):
        raise error
    pipes.discard_output()
    typer.secho(f"Error: Could not write the output: {error.strerror}.", err=True, fg="red", bold=True)
    return FAILED


def _wants_json(arguments: Sequence[str]) -> bool:
    """Return whether ``--json`` is given, for a command line that could not be parsed."""
    return "--json" in itertools.takewhile(lambda argument: argument != "--", arguments)


def _print_usage_error(error: TyperException, *, as_json: bool) -> None:
    message = error.format_message().replace("Value error, ", "")  # pydantic's prefix of errors raised by a parser
    if not message:  # no arguments: the help has been printed
        return
    context: typer.Context | None = getattr(error, "ctx", None)
    hint = None if context is None else f"{context.command_path} --help"
    if context is not None:
        typer.echo(context.get_usage(), err=True)
    typer.secho(f"Error: {message}", err=True, fg="red", bold=True)
    if hint is not None:
        typer.echo(f"Hint:  {hint}", err=True)
    if as_json:
        document: dict[str, object] = {"code": "wrong_usage", "message": message, "hint": hint, "errors": []}
        typer.echo(json.dumps({"error": document}, ensure_ascii=False, indent=2))
