"""The servers that tests run on: thrown away afterwards, even those of a session that was killed."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from tests.db.embedded.stage import Stage, copied_installation
from tests.fixtures_postgres import PREFIX, VARIABLE, fresh_database, server_url, temporary_folder

from genlock.db.embedded import binaries, process, server
from genlock.db.embedded.owner import choose

ABANDON = """
import os, signal
from tests.fixtures_postgres import server_url
with server_url() as url:
    print(url, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_fresh_database_is_empty_or_a_copy_and_gone_afterwards(own_stage: Stage) -> None:
    with server.attach(own_stage.home, durable=False) as attached:
        admin = attached.owner_conninfo
        with fresh_database(admin) as conninfo:
            with psycopg.connect(conninfo) as conn:
                conn.execute("CREATE TABLE takes (id int)")
                template = conn.info.dbname
            with fresh_database(admin, template) as copy, psycopg.connect(copy) as conn:
                assert conn.execute("SELECT count(*) FROM takes").fetchone() == (0,)
            left_open = psycopg.connect(conninfo)
        with psycopg.connect(admin) as conn:
            leftover = conn.execute("SELECT datname FROM pg_database WHERE datname LIKE 'genlock_test_%'").fetchall()
        left_open.close()
    assert leftover == []


def test_the_next_session_cleans_up_after_a_killed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", ABANDON], stdout=subprocess.PIPE, text=True, cwd=root, check=False)
    folder = Path(done.stdout.split("'")[1]).parents[1]
    assert folder.name.startswith(PREFIX)
    pid = int((folder / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
    assert process.lives(pid)
    with temporary_folder():
        assert not folder.exists()
        assert not process.lives(pid)


def test_a_given_server_is_used_unchanged(own_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.attach(own_stage.home, durable=False) as attached:
        monkeypatch.setenv(VARIABLE, attached.owner_conninfo)
        with server_url() as url:
            assert url == attached.owner_conninfo
        with psycopg.connect(url) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_stock_server_lives_as_long_as_the_command_that_is_run_on_it(ground: Path) -> None:
    room = ground / "temporary"
    room.mkdir()
    room.chmod(0o711)
    given = binaries.installed()
    programs = given.root if given.run_for(choose(ground)) else copied_installation(ground / "venv")
    asks = (
        f"import os, psycopg; print(psycopg.connect(os.environ['{VARIABLE}']).info.server_version); raise SystemExit(7)"
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.stock_postgres", "--bin", programs / "bin", sys.executable, "-c", asks],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"TMPDIR": str(room)},
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert int(done.stdout) >= 180_000
    url = done.stderr.splitlines()[0].partition("=")[2]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    assert not tuple(room.iterdir())
