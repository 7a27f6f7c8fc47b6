"""``events``: what happened, and what happens now."""

import json
from typing import Annotated

import typer

from genlock.cli.command import command
from genlock.cli.formatting import as_document, clean
from genlock.cli.session import Session
from genlock.events.model import Event

app = typer.Typer()


@command(app, "events", example="genlock events rooftop --follow")
def events(
    session: Session,
    project: Annotated[str | None, typer.Argument(metavar="PROJECT", help="Only this project's.")] = None,
    after: Annotated[int | None, typer.Option(min=0, help="Only those after the event with this id.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with those that happen from now on.")] = False,
) -> None:
    """Show events, oldest first. With --follow and --json: one document per line."""
    if not follow:
        found = list(session.gl.events(after=after or 0, project=project))
        session.show({"items": found, "total": len(found)}, *(_line(event) for event in found))
        return
    for event in session.gl.follow_events(after=after, project=project):
        session.out.out(json.dumps(as_document(event), ensure_ascii=False) if session.as_json else _line(event))
        session.out.file.flush()


def _line(event: Event) -> str:
    said = ", ".join(f"{name} {value}" for name, value in event.data.items() if isinstance(value, str | int | float))
    return clean(f"{event.id:>6}  {event.at:%Y-%m-%d %H:%M:%S}  {event.verb:<24} {event.actor}  {said}")
