"""``status``: which segments are out of date."""

from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from genlock.cli.command import command
from genlock.cli.exit_codes import STALE
from genlock.cli.reports import report_lines
from genlock.cli.session import Session
from genlock.sdk.connection import Connection
from genlock.sdk.staleness import StalenessCalls
from genlock.sdk.timeline import TimelineCalls

app = typer.Typer()


class StatusClient(TimelineCalls, StalenessCalls, Connection):
    """The calls that ``status`` needs; importing all calls takes twice as long."""


@command(app, "status", example="genlock status rooftop")
def status(
    session: Session,
    project: Annotated[str | None, typer.Argument(metavar="PROJECT", help="Only this project.")] = None,
) -> None:
    """Show which segments are out of date, why, and what to do. Exits with 3 if any is stale."""
    gl = session.connect(StatusClient)
    projects = [gl.project(project)] if project is not None else list(gl.projects())
    reports = [gl.report(project) for project in projects]
    lines: list[RenderableType] = [
        line
        for project, report in zip(projects, reports, strict=True)
        for line in report_lines(project.slug, report, project.counts.unknown if project.counts else 0)
    ]
    if not projects:
        lines.append(Text("There are no projects yet. Create one with: genlock project add SLUG", style="dim"))
    session.show(reports[0] if project is not None else {"items": reports}, *lines)
    if any(report.totals.segments for report in reports):
        raise typer.Exit(STALE)
