"""Starts a server in this order, and stops it in reverse order.

lock → port → database → migrations → store → administrator's token → server.json → workers → serve
"""

import asyncio
import gc
import logging
import math
import socket
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from genlock.access.actions import ensure_admin_token
from genlock.access.sessions import create_link
from genlock.background import alongside
from genlock.blobs.opening import open_store
from genlock.db.connection import Database
from genlock.db.embedded import server as embedded
from genlock.db.migrate import migrate
from genlock.errors import GenlockError, Invalid, Unavailable
from genlock.events.listen import EventListener
from genlock.regeneration.housekeeping import housekeeping
from genlock.regeneration.plans import plan_sql
from genlock.sdk.local import Running, read_running
from genlock.server import choices
from genlock.server.address import announce, answers, listen, sole_server, url_of
from genlock.server.connections import bounded_protocol, connection_limits
from genlock.server.signals import StopRequest, handled, run_until_stopped
from genlock.server.workers import keep_running
from genlock.settings import Settings
from genlock.web.app import create_app
from genlock.web.metrics import RequestMetrics

Say = Callable[[str], None]
logger = logging.getLogger(__name__)
_WORKER = (sys.executable, "-m", "genlock.regeneration.worker")
_GRACE_S = 10
_START_PATIENCE_S = 600.0
_OBJECTS_BETWEEN_COLLECTIONS = 20_000  # container objects, a few megabytes


def run(settings: Settings, say: Say) -> None:
    """Serve until a signal. If the data folder has a server already, report its URL and return."""
    _prepare(settings.data)
    settings = choices.with_stored_values(settings)
    with sole_server(settings.data) as sole:
        if not sole:
            say(f"Genlock is already running at {_other(settings).url}")
            return
        listener = listen(settings.host, settings.port)
        with listener, _database(settings, say) as (conninfo, owner_conninfo):
            say("Bringing the tables up to date.")
            migrate(owner_conninfo)
            choices.store(settings)
            with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
                run_until_stopped(runner, lambda stop: _serve(settings, conninfo, listener, say, stop))


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the factory of uvloop's event loop, or of Python's where uvloop is missing (Windows)."""
    return uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()


def _prepare(data: Path) -> None:
    try:
        # Searchable but not listable by others: the embedded server has its own user if root runs this.
        data.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(
            f"The data folder {data} cannot be created: {error.strerror}.", hint="Choose another one with --data."
        ) from error


def _other(settings: Settings) -> Running:
    """Return the server that holds the data folder's lock, once it responds."""
    until_s = time.monotonic() + _START_PATIENCE_S
    while time.monotonic() < until_s:
        running = read_running(settings)
        if running is not None and answers(running):
            return running
        time.sleep(0.1)
    raise Unavailable(
        f"Another process holds {settings.data}, but no server answers there.",
        hint="Stop it with `genlock down`, then try again.",
    )


@contextmanager
def _database(settings: Settings, say: Say) -> Generator[tuple[str, str]]:
    """Yield the connection strings of the server and of the tables' owner, and keep the embedded server running."""
    if settings.database_url is not None:
        yield settings.database_url, settings.database_owner_url or settings.database_url
        return
    with embedded.attach(settings.data / "postgres", on_progress=say) as attached:
        attached.keep_running()
        yield attached.conninfo, attached.owner_conninfo


async def _serve(settings: Settings, conninfo: str, listener: socket.socket, say: Say, stop: StopRequest) -> None:
    db = Database(conninfo, max_size=settings.database_connections)
    try:
        await db.open()
        store = await asyncio.to_thread(open_store, settings)
        async with db.transaction() as conn:
            admin = await ensure_admin_token(conn, settings.token_file)
            # Only for a terminal, never for a log: the link signs its reader in.
            link = await create_link(conn, admin) if sys.stdout.isatty() else None
        app = create_app(db, store, settings)

        def ready() -> None:
            running = announce(settings.server_file, url_of(listener))
            say(f"Genlock {running.version} is ready at {running.url}")
            if link is not None:
                say(f"Open {running.url}{link.path}")
            say(f"Data: {settings.data}   Administrator's token: {settings.token_file}")
            if settings.scan_folders:
                say(f"Watches: {', '.join(map(str, settings.scan_folders))}")

        try:
            _tune_garbage_collector()
            async with alongside(housekeeping(db), _watch_folders(app, settings), _workers(settings)):
                server = HttpServer(app, settings, ready)
                await asyncio.sleep(0)  # after a signal it is cancelled here, not within uvicorn's startup
                if not stop:
                    await server.serve([listener])
        finally:
            settings.server_file.unlink(missing_ok=True)
    finally:
        await db.close()


def _tune_garbage_collector() -> None:
    """Exclude existing objects from garbage collection, and collect less often.

    Otherwise the collector scans all modules and models repeatedly while a batch is read, a quarter of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 20, 20)


async def _watch_folders(app: FastAPI, settings: Settings) -> None:
    """Watch the configured folders, if there are any."""
    if settings.scan_folders:
        await app.state.services.scanner.watch(settings.scan_folders, keep=settings.keeps_scanned)


async def _workers(settings: Settings) -> None:
    """Keep the server's workers running."""
    command = (*_WORKER, "--data", str(settings.data))
    await keep_running(command, settings.workers, settings.as_environment())


class HttpServer(uvicorn.Server):
    """Uvicorn that closes open streams at shutdown, and ends after a time without requests."""

    def __init__(self, app: FastAPI, settings: Settings, ready: Callable[[], None]) -> None:
        limits = connection_limits(settings)
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=bounded_protocol(limits),
                timeout_keep_alive=math.ceil(limits.idle_timeout_s),
                ws="none",
                log_config=None,
                access_log=settings.log_level == "debug",
                timeout_graceful_shutdown=_GRACE_S,
                server_header=False,
                lifespan="on",
            )
        )
        self._ready = ready
        self._listener: EventListener = app.state.services.event_listener
        self._db: Database = app.state.services.db
        self._metrics: RequestMetrics = app.state.metrics
        # A server that watches folders does not count as idle.
        ends_by_itself = settings.idle_minutes is not None and not settings.scan_folders
        self._limit_s = 60 * settings.idle_minutes if settings.idle_minutes and ends_by_itself else None

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """End on SIGTERM and SIGINT. Unlike uvicorn, do not raise them again: the database has to be closed.

        In a thread, which signals do not reach, set ``should_exit``.
        """
        with handled(self.handle_exit):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End gracefully at the first signal, immediately at the second."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then report it. From here on a signal ends the server gracefully."""
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end: after a signal, or when idle for longer than the limit and no plan runs."""
        if await super().on_tick(counter):
            return True
        if self._limit_s is None or self._metrics.idle_s() <= self._limit_s:
            return False
        if await self._is_busy():
            self._metrics.touch()
            return False
        logger.info("No requests for %.1f minutes: ending.", self._limit_s / 60)
        return True

    async def _is_busy(self) -> bool:
        try:
            async with self._db.transaction() as conn:
                return await plan_sql.is_any_running(conn)
        except GenlockError:
            return True  # unknown without the database

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the event streams, then end as uvicorn does."""
        await self._listener.close()
        await super().shutdown(sockets)
