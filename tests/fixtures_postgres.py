"""A throw-away PostgreSQL for a test session, and a new database in it for each test that requests one.

The server is any PostgreSQL from 15 on, where `GENLOCK_TEST_DATABASE_URL` names one that may create databases and
roles; otherwise an embedded one. That one runs without fsync and, where there is room, in memory: its files do not
outlive the session, and creating and dropping databases waits for the disk longer than for anything else. It never
vacuums by itself: a database that is emptied and used again keeps rows in the order in which they were written.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from genlock.db.connection import Conn, Database
from genlock.db.embedded import process, server

MEMORY = Path("/dev/shm")  # on Linux; containers often limit it to 64 MB
MEMORY_NEEDED_BYTES = 4 << 30
VARIABLE = "GENLOCK_TEST_DATABASE_URL"
OLDEST = 150_000
PREFIX = "genlock-tests-"


@contextmanager
def server_url() -> Generator[str, None, None]:
    """Yield a connection string that may create databases, for the length of a test session."""
    given = os.environ.get(VARIABLE)
    if given:
        with psycopg.connect(given) as conn:
            assert conn.info.server_version >= OLDEST, f"{VARIABLE} names a PostgreSQL older than 15"
        with temporary_folder() as folder:
            yield _without_password(given, folder / "passwords")
        return
    with temporary_folder(memory()) as folder, server.attach(folder / "postgres", durable=False) as attached:
        with psycopg.connect(attached.owner_conninfo, autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET autovacuum = off")
            conn.execute("SELECT pg_reload_conf()")
        yield attached.owner_conninfo


def _without_password(url: str, passwords: Path) -> str:
    """Return the connection string with its password in a file, so that tests can pass it on a command line."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    if password is None:
        return url
    escaped = str(password).replace("\\", "\\\\").replace(":", "\\:")
    passwords.write_text(f"*:*:*:*:{escaped}\n")
    passwords.chmod(0o600)
    return make_conninfo(**parts, passfile=str(passwords))  # pyright: ignore[reportArgumentType]


@contextmanager
def fresh_database(admin_url: str, template: str | None = None) -> Generator[str, None, None]:
    """Yield a new database with a random name, empty or a copy of ``template``; drop it and its sessions at the end.

    Its files are copied by the server: two checkpoints cost less than writing every page to the journal.
    """
    name = f"genlock_test_{secrets.token_hex(8)}"
    copied = sql.SQL(" TEMPLATE {} STRATEGY file_copy").format(sql.Identifier(template)) if template else sql.SQL("")
    with psycopg.connect(admin_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}{}").format(sql.Identifier(name), copied))
    try:
        yield make_conninfo(admin_url, dbname=name)
    finally:
        with psycopg.connect(admin_url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@asynccontextmanager
async def opened_database(admin_url: str, template: str) -> AsyncGenerator[Database]:
    """Yield a new copy of ``template``, open, in the application's role."""
    with fresh_database(admin_url, template) as conninfo:
        opened = Database(conninfo)
        await opened.open()
        try:
            yield opened
        finally:
            await opened.close()


@asynccontextmanager
async def rolled_back(db: Database) -> AsyncGenerator[Conn]:
    """Yield a transaction that is rolled back at the end."""
    async with db.transaction() as opened:
        yield opened
        await opened.rollback()


@contextmanager
def temporary_folder(parent: Path | None = None) -> Generator[Path, None, None]:
    """Yield a folder with a short path that a server's unprivileged user may enter, unlike pytest's own for root.

    It is in the system's folder for temporary files, or in ``parent``.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    folder.chmod(0o711)
    (folder / "owner").write_text(str(os.getpid()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def memory() -> Path | None:
    """Return the folder in memory, where it has room for servers and stores, or nothing."""
    if not os.access(MEMORY, os.W_OK):
        return None
    status = os.statvfs(MEMORY)
    return MEMORY if status.f_bavail * status.f_frsize >= MEMORY_NEEDED_BYTES else None


def _sweep() -> None:
    """Stop the servers of killed sessions and remove their folders."""
    parents = (Path(tempfile.gettempdir()), MEMORY)
    for folder in (folder for parent in parents for folder in parent.glob(f"{PREFIX}*")):
        swept = folder.with_name(f"swept-{folder.name}")
        try:
            abandoned = folder.stat().st_uid == os.geteuid() and not process.lives(int((folder / "owner").read_text()))
            if abandoned:
                folder.rename(swept)
        except (FileNotFoundError, ValueError):
            continue  # another session removes it right now, or has not written its owner yet
        if abandoned:
            for lock in swept.glob("**/lock"):
                server.stop(lock.parent)
            shutil.rmtree(swept)
