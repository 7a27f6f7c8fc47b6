"""A throw-away PostgreSQL for a test session, and a fresh database in it for whoever asks.

Any PostgreSQL from 15 on, when `GENLOCK_TEST_DATABASE_URL` names one where databases and roles may be created; else an
embedded one in a temporary folder. That one runs without fsync: what it holds is gone after the session anyway.
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

VARIABLE = "GENLOCK_TEST_DATABASE_URL"
OLDEST = 150_000
PREFIX = "genlock-tests-"


@contextmanager
def server_url() -> Generator[str, None, None]:
    """A connection string with which databases can be made, for the length of a test session."""
    given = os.environ.get(VARIABLE)
    if given:
        with psycopg.connect(given) as conn:
            assert conn.info.server_version >= OLDEST, f"{VARIABLE} names a PostgreSQL older than 15"
        with temporary_folder() as folder:
            yield _without_password(given, folder / "passwords")
        return
    with temporary_folder() as folder, server.attach(folder / "postgres", durable=False) as attached:
        yield attached.owner_conninfo


def _without_password(url: str, passwords: Path) -> str:
    """The same connection string with its password in a file, so that tests can pass it on a command line."""
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
    """A new database of a random name, empty or a copy of ``template``, dropped at the end with its sessions."""
    name = f"genlock_test_{secrets.token_hex(8)}"
    copied = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
    with psycopg.connect(admin_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}{}").format(sql.Identifier(name), copied))
    try:
        yield make_conninfo(admin_url, dbname=name)
    finally:
        with psycopg.connect(admin_url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@asynccontextmanager
async def opened_database(admin_url: str, template: str) -> AsyncGenerator[Database]:
    """A fresh copy of ``template``, open, acting as the application's role."""
    with fresh_database(admin_url, template) as conninfo:
        opened = Database(conninfo)
        await opened.open()
        try:
            yield opened
        finally:
            await opened.close()


@asynccontextmanager
async def rolled_back(db: Database) -> AsyncGenerator[Conn]:
    """A transaction of which nothing stays."""
    async with db.transaction() as opened:
        yield opened
        await opened.rollback()


@contextmanager
def temporary_folder() -> Generator[Path, None, None]:
    """A short folder that the unprivileged user of a server may pass through, as pytest's own is not for root."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o711)
    (folder / "owner").write_text(str(os.getpid()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _sweep() -> None:
    """Stops the servers of sessions that were killed, and removes their folders."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        swept = folder.with_name(f"swept-{folder.name}")
        try:
            abandoned = folder.stat().st_uid == os.geteuid() and not process.lives(int((folder / "owner").read_text()))
            if abandoned:
                folder.rename(swept)
        except (FileNotFoundError, ValueError):
            continue  # another session sweeps it just now, or has not written who it is yet
        if abandoned:
            for lock in swept.glob("**/lock"):
                server.stop(lock.parent)
            shutil.rmtree(swept)
