"""``up``, ``open``, ``down``, ``worker``: server and worker processes on this machine."""

import os
import signal
import subprocess
import sys
import webbrowser
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from genlock.cli.command import command
from genlock.cli.session import Session
from genlock.cli.tables import pairs
from genlock.database_url import refuse_password_argument
from genlock.errors import Unavailable
from genlock.sdk import local
from genlock.server import choices
from genlock.settings import Settings

_OWN_SERVER = "it controls the server of the data folder"
_WORKER = [sys.executable, "-P", "-m", "genlock.regeneration.worker"]

Host = Annotated[str | None, typer.Option(help="The address to listen on (127.0.0.1).")]
Port = Annotated[int | None, typer.Option(help="The port (8470); 0 for any free one.")]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="Use this PostgreSQL from now on; `default` for the embedded one.")
]
Blobs = Annotated[str | None, typer.Option(help="Store bytes here from now on; `default` for the data folder.")]
Scan = Annotated[
    list[Path] | None,
    typer.Option(metavar="FOLDER", help="Watch this folder from now on; repeatable; `default` for none."),
]
Workers = Annotated[int | None, typer.Option(help="Number of workers (1).")]

app = typer.Typer()


@command(app, "up", example="genlock up --port 8470", ignores_url=_OWN_SERVER)
def up(
    session: Session,
    host: Host = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    blobs: Blobs = None,
    scan: Scan = None,
    workers: Workers = None,
) -> None:
    """Run the server in the foreground until Ctrl-C or ``genlock down``."""
    folders = tuple(scan) if scan else None
    settings = _settings(
        session, host=host, port=port, database_url=database_url, blobs=blobs, scan_folders=folders, workers=workers
    )
    local.check_installed()
    running = local.find_ready(settings)
    if running is not None:
        shown = pairs([("running", running.url), ("data", str(settings.data)), ("to stop", "genlock down")])
        session.show({**running.model_dump(), "data": settings.data}, shown)
        if any(option is not None for option in (host, port, database_url, blobs, folders, workers)):
            session.note("It keeps its options. To change them: `genlock down`, then `genlock up` with the new ones.")
        return
    if session.as_json:
        _announced(session, settings)
        return
    session.note("Starting. Press Ctrl-C to stop, or run `genlock down` elsewhere.")
    _become(local.server_command(), settings)


@command(app, "open", example="genlock open")
def open_pages(
    session: Session,
    browser: Annotated[bool, typer.Option(help="Open the default browser, if there is one.")] = True,
) -> None:
    """Print a link that signs a browser in to the web pages, once, and open it."""
    link = session.gl.create_sign_in_link()
    url = session.gl.url + link.path
    session.show({"url": url, "expires_at": link.expires_at}, url)
    if browser and not session.as_json:
        webbrowser.open(url)


@command(app, "down", example="genlock down", ignores_url=_OWN_SERVER)
def down(session: Session) -> None:
    """Stop the data folder's server, its workers and its embedded database."""
    settings = session.settings()
    stopped = local.stop(settings)
    text = f"No server runs for {settings.data}." if stopped is None else f"The server at {stopped.url} is stopped."
    session.show({"stopped": stopped and stopped.model_dump()}, text)


@command(
    app,
    "worker",
    example="genlock worker --database-url postgresql://db.example/genlock",
    ignores_url="a worker connects to the database",
)
def worker(session: Session, database_url: DatabaseUrl = None, blobs: Blobs = None) -> None:
    """Run a worker in the foreground. On another machine, name the server's database and blob store."""
    settings = choices.with_stored_values(_settings(session, database_url=database_url, blobs=blobs))
    local.check_installed()
    session.note("The worker renders steps of running plans. Press Ctrl-C to stop.")
    _become(_WORKER, settings)


def _settings(session: Session, **overrides: Any) -> Settings:
    refuse_password_argument(overrides.get("database_url"))
    return session.settings(**{name: value for name, value in overrides.items() if value is not None})


def _become(arguments: list[str], settings: Settings) -> None:
    """Replace this process by another, which then receives its signals."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(arguments[0], arguments, settings.as_environment())  # noqa: S606 - without a shell


def _announced(session: Session, settings: Settings) -> None:
    """Run the server with its output on standard error, and print its address as JSON when it is ready."""
    process = subprocess.Popen(
        local.server_command(), stdout=sys.stderr.fileno(), stdin=subprocess.DEVNULL, env=settings.as_environment()
    )

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        running = local.wait_until_ready(settings, process.poll)
        if running is not None:
            session.show({**running.model_dump(), "data": settings.data})
            session.out.file.flush()
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if status != 0:
        raise Unavailable(f"The server ended with status {status}.", hint="Its output is above.", code="server_ended")
