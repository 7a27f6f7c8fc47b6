"""The environment of a benchmark: a database that commits durably, and Genlock's server in a separate process."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from benchmarks.generate import generate
from genlock.db.embedded import server
from genlock.db.migrate import migrate
from genlock.sdk.local import read_running
from genlock.settings import Settings

Say = Callable[[str], None]
TIMEOUT_S = 20


@contextmanager
def folder(given: Path | None) -> Generator[Path]:
    """Yield the given folder, which stays, or a temporary one, which is removed at the end."""
    if given is not None:
        given.mkdir(mode=0o711, parents=True, exist_ok=True)
        yield given
        return
    temporary = Path(tempfile.mkdtemp(prefix="genlock-bench-"))
    temporary.chmod(0o711)  # the database's own user has to pass through
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary)


@contextmanager
def database(home: Path, given: str | None, say: Say) -> Generator[str]:
    """Yield the connection string of a server for databases: the given one, or the embedded one in ``home``."""
    if given is not None:
        yield given
        return
    with server.attach(home / "postgres", on_progress=say) as attached:
        yield attached.owner_conninfo


def filled(admin: str, receipts: int, say: Say) -> str:
    """Return the connection string of a database with ``receipts`` receipts, generated unless it exists."""
    name = f"genlock_bench_{receipts}"
    url = make_conninfo(admin, dbname=name)
    with psycopg.connect(admin, autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            with psycopg.connect(url) as existing:
                done = existing.execute("SELECT to_regclass('genlock.bench_done')").fetchone()
            if done and done[0]:
                return url
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(url)
    generate(url, receipts, say)
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE genlock.bench_done ()")
    return url


@dataclass
class Serving:
    """A running server of Genlock."""

    process: subprocess.Popen[bytes]
    url: str
    token: str
    data: Path
    ready_s: float

    def client(self) -> httpx.Client:
        """Return a client with one connection and the administrator's token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=TIMEOUT_S, verify=False)

    def memory_mb(self) -> float:
        """Return the memory of the server process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        return int(kilobytes) / 1024


@contextmanager
def serving(home: Path, database_url: str | None) -> Generator[Serving]:
    """Genlock's server without workers, over a database or its embedded one, until the block ends."""
    settings = Settings(data=home / "data", database_url=database_url, port=0, workers=0)
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    settings.server_file.unlink(missing_ok=True)
    began = time.perf_counter()
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "genlock.server", "--port", "0"),
            env=settings.as_environment(),
            stdout=log,
            stderr=log,
        )
    try:
        while (running := read_running(settings)) is None:
            if process.poll() is not None:
                raise RuntimeError(f"the server did not start: see {home / 'server.log'}")
            time.sleep(0.02)
        ready_s = time.perf_counter() - began
        yield Serving(process, running.url, settings.token_file.read_text().strip(), settings.data, ready_s)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        if process.poll() is None:
            process.kill()
