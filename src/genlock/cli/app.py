"""The command ``genlock``: the root group, its options, and the entry point."""

import gc
import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from genlock.cli.options import CommonOptions
from genlock.cli.root_group import RootGroup

SUMMARY = "Make for generative video: see what was used and what is out of date, and render only that again."

app = typer.Typer(
    name="genlock",
    cls=RootGroup,
    help=SUMMARY,
    epilog="Example: genlock status rooftop",
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def root(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    data: Annotated[Path | None, typer.Option("--data", help="Data folder whose server to use.")] = None,
    url: Annotated[str | None, typer.Option("--url", help="Server URL.")] = None,
    token: Annotated[str | None, typer.Option("--token", help="Access token.")] = None,
    print_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Collect the common options given before the command."""
    if print_version:
        number = version("genlock")
        typer.echo(json.dumps({"version": number}, indent=2) if as_json else f"genlock {number}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        ctx.fail("Missing command.")
    ctx.obj = CommonOptions(as_json, data, url, token)


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(50_000)  # imports allocate many objects and no garbage; collecting takes a sixth of a start
    # httpx works without its own command line, whose import takes as long as the rest.
    sys.modules["httpx._main"] = ModuleType("httpx._main")
    app(prog_name="genlock")
