"""Runs a command against a stock PostgreSQL, 15 as in Debian, that is started for it and removed afterwards.

    python -m tests.stock_postgres pytest -q

The command finds the server's URL in `GENLOCK_TEST_DATABASE_URL`. The server listens on loopback only, asks for a
password, runs as an unprivileged user when this one is root, and keeps its files in a temporary folder.
"""

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from genlock.db.embedded.owner import Owner, choose

VARIABLE = "GENLOCK_TEST_DATABASE_URL"
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
ROLE = "genlock_tests"


@contextmanager
def stock_server(programs: Path) -> Generator[str, None, None]:
    """Start a new server with the programs in a folder; yield its URL."""
    folder = Path(tempfile.mkdtemp(prefix="genlock-stock-"))
    owner = choose(folder)
    try:
        if owner.switches:
            os.chown(folder, owner.uid, owner.gid)
        password = secrets.token_hex(16)
        port = _free_port()
        _make_cluster(programs, folder, owner, password)
        control = [programs / "pg_ctl", "-D", folder / "cluster", "-w"]
        address = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c port={port}"
        options = f"{address} -c fsync=off -c autovacuum=off"
        _run(owner, *control, "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/postgres"
        finally:
            _run(owner, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _make_cluster(programs: Path, folder: Path, owner: Owner, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o600)
    if owner.switches:
        os.chown(secret, owner.uid, owner.gid)
    access = ("--auth=scram-sha-256", f"--pwfile={secret}", "-U", ROLE)
    initdb = programs / "initdb"
    _run(owner, initdb, "-D", folder / "cluster", *access, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")


def _run(owner: Owner, *command: str | Path) -> None:
    done = owner.run(command)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Run a command against a throw-away stock PostgreSQL.")
    parser.add_argument("--bin", type=Path, default=DEBIAN_15, help="the folder of initdb and pg_ctl")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not (arguments.bin / "initdb").exists():
        sys.exit(f"There is no PostgreSQL in {arguments.bin}. Debian: apt-get install postgresql-15")
    signal.signal(signal.SIGTERM, _leave)  # so that the server is removed then too
    with stock_server(arguments.bin) as url:
        print(f"{VARIABLE}={url}", file=sys.stderr, flush=True)
        return subprocess.run(arguments.command, env=os.environ | {VARIABLE: url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
