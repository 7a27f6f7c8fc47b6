"""The command ``genlock``: every command in its place, and the way in."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from genlock.cli import decisions, events, imports, planning, receipts, reproducing, scanning, server, status, verify
from genlock.cli.access import tokens
from genlock.cli.comfyui import comfyui
from genlock.cli.demo import command as demo
from genlock.cli.door import Common
from genlock.cli.inbox import inbox
from genlock.cli.library import assets
from genlock.cli.plans import plans
from genlock.cli.samples import sketch
from genlock.cli.timeline import projects, scenes, segments
from genlock.cli.workflows import workflows

app = typer.Typer(
    name="genlock",
    help="Make for generative video: what was used, what is out of date, and making only that again.",
    epilog="Example: genlock status rooftop",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"genlock {version('genlock')}")
        raise typer.Exit


@app.callback()
def before(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder whose server is meant.")] = None,
    url: Annotated[str | None, typer.Option("--url", help="The server to ask.")] = None,
    token: Annotated[str | None, typer.Option("--token", help="The token to show there.")] = None,
    said_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Make for generative video: what was used, what is out of date, and making only that again."""
    ctx.obj = Common(as_json, data, url, token)


server.register(app)
for name, group, panel in (
    ("project", projects, "What we want"),
    ("scene", scenes, "What we want"),
    ("segment", segments, "What we want"),
    ("asset", assets, "What goes in"),
    ("workflow", workflows, "What goes in"),
    ("sketch", sketch, "What goes in"),
    ("inbox", inbox, "What goes in"),
    ("comfyui", comfyui, "This machine"),
):
    app.add_typer(group, name=name, rich_help_panel=panel)
for room in (status, receipts, reproducing, events, verify, planning):
    room.register(app)
app.add_typer(plans, name="plans", rich_help_panel="Make again")
imports.register(app, panel="What goes in")
scanning.register(app, panel="What goes in")
decisions.register(app)
app.add_typer(tokens, name="token", rich_help_panel="This machine")
demo.register(app, panel="This machine")


def main() -> None:
    """Run the command that was typed; exits with its code."""
    app(prog_name="genlock")
