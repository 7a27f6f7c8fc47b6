"""``events``: the event log, and events as they happen."""

import json
from typing import Annotated

import typer

from genlock.cli.command import command
from genlock.cli.formatting import as_document, clean
from genlock.cli.session import Session
from genlock.cli.times import local_time
from genlock.events.model import Event

app = typer.Typer()


@command(app, "events", example="genlock events rooftop --follow")
def events(
    session: Session,
    project: Annotated[str | None, typer.Argument(metavar="PROJECT", help="Only this project's.")] = None,
    after: Annotated[int | None, typer.Option(min=0, help="Only events after the one with this id.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing events as they happen.")] = False,
) -> None:
    """Show events, oldest first. With --follow and --json: one document per line."""
    if not follow:
        past = list(session.gl.events(after=after or 0, project=project))
        session.show({"items": past, "total": len(past)}, *(_line(event) for event in past))
        return
    for event in session.gl.follow_events(after=after, project=project):
        session.out.out(json.dumps(as_document(event), ensure_ascii=False) if session.as_json else _line(event))
        session.out.file.flush()


def _line(event: Event) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in event.data.items() if isinstance(value, str | int | float))
    return clean(f"{event.id:>6}  {local_time(event.at)}  {event.verb:<24} {event.actor}  {facts}")
