"""Fixtures of several rooms: real PostgreSQL databases, a real store, the real application."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from psycopg.conninfo import conninfo_to_dict
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.comfyui.server import ComfyServer, require_comfyui, serving
from tests.database_pool import DatabasePool
from tests.fixtures_postgres import fresh_database, memory, server_url, temporary_folder

from genlock.access.actions import SYSTEM, create_token
from genlock.access.model import NewToken
from genlock.blobs.disk import DiskStore
from genlock.db.connection import Conn, Database
from genlock.db.migrate import migrate
from genlock.model import Actor, Role
from genlock.server.address import listen
from genlock.server.run import HttpServer
from genlock.settings import Settings
from genlock.web.app import create_app

Issue = Callable[[Role], Awaitable[str]]


@pytest.fixture(scope="session")
def postgres() -> Generator[str]:
    """A PostgreSQL server where databases can be made."""
    with server_url() as url:
        yield url


@pytest.fixture(scope="session")
def template(postgres: str) -> Generator[str]:
    """The name of a migrated, empty database that others are copies of."""
    with fresh_database(postgres) as conninfo:
        migrate(conninfo)
        yield str(conninfo_to_dict(conninfo)["dbname"])


@pytest.fixture(scope="session")
def pool(postgres: str, template: str) -> Generator[DatabasePool]:
    """Return the databases of this process that tests borrow."""
    with closing(DatabasePool(postgres, template)) as databases:
        yield databases


@pytest.fixture
def database(pool: DatabasePool) -> Generator[str]:
    """Return a connection string of a database for this test alone, migrated and empty."""
    with pool.borrowed() as conninfo:
        yield conninfo


@pytest.fixture
async def db(database: str) -> AsyncGenerator[Database]:
    """That database, open, acting as the application's role."""
    opened = Database(database)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def conn(db: Database) -> AsyncGenerator[Conn]:
    """One transaction of it, committed at the end of the test."""
    async with db.transaction() as opened:
        yield opened


@pytest.fixture
def actor() -> Actor:
    """Return an actor with the right to write."""
    return Actor(token_id=None, name="ada", role=Role.CREATOR)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a data folder of this test's own."""
    return Settings(data=tmp_path / "data")


@pytest.fixture
def store() -> Generator[DiskStore]:
    """Return an empty store, in memory where there is room: it makes 256 folders."""
    with temporary_folder(memory()) as folder:
        yield DiskStore(folder / "blobs")


@pytest.fixture
def issue(db: Database) -> Issue:
    """Makes tokens: ``await issue(Role.VIEWER)`` gives a secret."""

    return partial(new_token, db)


@pytest.fixture
def app(db: Database, store: DiskStore, settings: Settings) -> FastAPI:
    """The application over that database and store."""
    return create_app(db, store, settings)


@pytest.fixture
async def client(app: FastAPI, issue: Issue) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the application, with an administrator's token."""
    async with app.router.lifespan_context(app), client_of(app, await issue(Role.ADMIN)) as opened:
        yield opened


async def new_token(
    db: Database, role: Role, *, name: str | None = None, projects: tuple[int, ...] | None = None
) -> str:
    """Create a token and return its secret."""
    new = NewToken(name=name or f"a {role}", role=role, projects=projects)
    async with db.transaction() as conn:
        return (await create_token(conn, new, SYSTEM)).secret


@asynccontextmanager
async def client_of(app: FastAPI, secret: str | None) -> AsyncGenerator[httpx.AsyncClient]:
    """Create a client that calls the application without a network."""
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as opened:
        yield opened


@dataclass
class LiveServer:
    """The application behind a real socket, in a thread with its own event loop."""

    database: str
    store: DiskStore
    settings: Settings
    url: str = ""
    token: str = ""
    port: int = 0
    app: FastAPI | None = None
    body_bytes_read: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    _ready: threading.Event = field(default_factory=threading.Event)
    _server: HttpServer | None = None

    def client(self, secret: str | None = None) -> httpx.Client:
        """Create a client of it, with an administrator's token by default."""
        headers = {"Authorization": f"Bearer {secret or self.token}"}
        # Loading the certificates takes longer than most requests, and plain HTTP has none.
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=False)

    def run(self) -> None:
        """Serve until ``stop``."""
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()
            self.ended.set()

    def wait(self) -> None:
        """Return when it answers."""
        self._ready.wait()
        assert self.url, "the server did not start"

    def stop(self) -> None:
        """End it, open streams included."""
        assert self._server
        self._server.should_exit = True

    @contextmanager
    def serving(self) -> Generator["LiveServer"]:
        """Itself, answering, until the block ends."""
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        self.wait()
        try:
            yield self
        finally:
            self.stop()
            thread.join()

    async def _serve(self) -> None:
        db = Database(self.database)
        await db.open()
        try:
            async with db.transaction() as conn:
                self.token = (await create_token(conn, NewToken(name="live", role=Role.ADMIN), SYSTEM)).secret
            self.app = create_app(db, self.store, self.settings)
            self.app.add_middleware(_Around, self.count)
            self._server = HttpServer(self.app, self.settings, self._ready.set)
            listener = listen("127.0.0.1", self.port)
            self.port = int(listener.getsockname()[1])
            self.url = f"http://127.0.0.1:{self.port}"
            await self._server.serve([listener])
        finally:
            await db.close()

    def count(self, app: ASGIApp) -> ASGIApp:
        """Wrap ``app`` to count every byte of a body that it reads before it responds."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            answered = False

            async def counting() -> Message:
                message = await receive()
                self.body_bytes_read += 0 if answered else len(message.get("body", b""))
                return message

            async def watching(message: Message) -> None:
                nonlocal answered
                answered = True
                await send(message)

            await app(scope, counting, watching)

        return counted


@pytest.fixture(scope="session")
def comfyui_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ComfyServer]:
    """A real ComfyUI with its tiny models and its usual cache, shared by the tests that leave its model files alone."""
    require_comfyui()
    with serving(tmp_path_factory.mktemp("comfyui")) as server:
        yield server


@pytest.fixture
def live_server(database: str, store: DiskStore, settings: Settings) -> Generator[LiveServer]:
    """The application behind a real socket, for what streams and for what is cut off."""
    with LiveServer(database, store, settings).serving() as server:
        yield server


class _Around:
    """A layer of the application made by a function."""

    def __init__(self, app: ASGIApp, around: Callable[[ASGIApp], ASGIApp]) -> None:
        self._app = around(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
