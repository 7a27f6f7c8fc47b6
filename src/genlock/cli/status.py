"""``status`` and ``usage``: what is out of date, and who used what."""

from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from genlock.cli.door import STALE, Asked, command
from genlock.cli.library import show_usage
from genlock.cli.reports import report_lines

_PANEL = "Look"


def register(app: typer.Typer) -> None:
    """Add these commands to ``app``."""
    command(app, "status", example="genlock status rooftop", panel=_PANEL)(status)
    command(app, "usage", example="genlock usage lora:rain@1", panel=_PANEL)(show_usage)


def status(
    asked: Asked,
    project: Annotated[
        str | None, typer.Argument(metavar="PROJECT", help="One project; all of them unless said.")
    ] = None,
) -> None:
    """Say what is out of date, why, and what fixing it takes. Exits with 3 if anything is stale."""
    chosen = [asked.gl.project(project)] if project is not None else list(asked.gl.projects())
    reports = [(one.slug, asked.gl.report(one)) for one in chosen]
    unknown = {one.slug: one.counts.unknown if one.counts is not None else 0 for one in chosen}
    lines: list[RenderableType] = [
        line for slug, report in reports for line in report_lines(slug, report, unknown[slug])
    ]
    if not chosen:
        lines.append(Text("There are no projects yet: genlock project add SLUG makes one.", style="dim"))
    asked.show(reports[0][1] if project is not None else {"items": [report for _, report in reports]}, *lines)
    if any(report.totals.segments for _, report in reports):
        raise typer.Exit(STALE)
