"""The password of a database URL: on no command line, in no message, traceback or log."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.fixtures_postgres import temporary_folder

from genlock.database_url import redact
from genlock.db.connection import Database
from genlock.db.migrate import migrate
from genlock.errors import Invalid, Unavailable
from genlock.server.choices import Choices
from genlock.settings import Settings

SECRET = "s3cr3t-horse"
PROC = Path("/proc/self/cmdline")
WITH_PASSWORD = [
    f"postgresql://genlock:{SECRET}@127.0.0.1:1/genlock",
    f"postgres://genlock:{SECRET}@127.0.0.1:1/genlock?connect_timeout=1",
    f"postgresql://127.0.0.1:1/genlock?user=genlock&password={SECRET}",
    f"host=127.0.0.1 port=1 user=genlock password={SECRET}",
    f"host=127.0.0.1 port=1 password = '{SECRET} \\' and more'",
]
MALFORMED = [
    f"postgresql://genlock:{SECRET} x@127.0.0.1/genlock",
    f"postgresql://genlock:{SECRET}%zz@127.0.0.1/genlock",
    f"host=127.0.0.1 password=x {SECRET}",
]


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_a_password_is_redacted(url: str) -> None:
    shown = redact(f"could not connect to {url} today")
    assert SECRET not in shown
    assert "127.0.0.1" in shown
    assert shown.endswith(" today")


@pytest.mark.parametrize("text", ["postgresql://genlock@db/genlock", "host=db user=genlock", "https://a.example/b@c"])
def test_what_holds_no_password_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "program",
    [
        ("genlock.server",),
        ("genlock.regeneration.worker",),
        ("genlock.cli", "up"),
        ("genlock.cli", "worker"),
    ],
)
def test_a_password_on_the_command_line_is_refused(tmp_path: Path, program: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", *program, "--data", str(tmp_path / "data"), "--database-url", WITH_PASSWORD[0]]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode != 0
    assert SECRET not in refused.stdout + refused.stderr
    assert "GENLOCK_DATABASE_URL" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("program", ["genlock.server", "genlock.regeneration.worker"])
def test_a_malformed_url_is_not_printed(tmp_path: Path, program: str) -> None:
    environment = {
        **os.environ,
        "GENLOCK_DATABASE_URL": MALFORMED[0],
        "GENLOCK_LOG_LEVEL": "debug",
        "GENLOCK_PORT": "0",
    }
    command = [sys.executable, "-m", program, "--data", str(tmp_path / "data")]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert refused.returncode != 0
    assert SECRET not in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr
    assert "database URL" in refused.stderr


@pytest.mark.parametrize("url", MALFORMED)
async def test_a_malformed_url_is_refused_before_anything_connects(url: str) -> None:
    for use in (migrate, Database):
        with pytest.raises(Invalid) as refused:
            use(url)
        assert SECRET not in str(refused.value)
        assert refused.value.__context__ is None or SECRET not in str(refused.value.__context__)


@pytest.mark.parametrize("url", WITH_PASSWORD)
def test_an_unreachable_database_is_reported_without_its_password(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as refused:
        migrate(url)
    assert SECRET not in str(refused.value) + str(refused.value.__cause__) + caplog.text


def test_settings_and_choices_show_no_secret(tmp_path: Path) -> None:
    secrets = {"database_url": WITH_PASSWORD[0], "comfyui_secret": SECRET}
    settings = Settings(data=tmp_path, database_owner_url=WITH_PASSWORD[1], token=SECRET, **secrets)  # pyright: ignore[reportArgumentType]
    for shown in (settings, Choices(**secrets)):  # pyright: ignore[reportArgumentType]
        assert SECRET not in repr(shown) + str(shown)


@pytest.mark.skipif(not PROC.exists(), reason="only Linux has /proc, from which the test reads command lines")
def test_no_process_of_a_server_has_the_password_on_its_command_line(database: str) -> None:
    """The server, and the worker that it starts, get the URL by their environment."""
    with temporary_folder() as folder:
        parts = conninfo_to_dict(database)
        secret = Path(str(parts.pop("passfile"))).read_text().splitlines()[0].rpartition(":")[2]
        url = make_conninfo(**parts, password=secret)  # pyright: ignore[reportArgumentType]
        environment = {**os.environ, "GENLOCK_DATABASE_URL": url, "GENLOCK_DATA": str(folder / "data")}
        command = [sys.executable, "-m", "genlock.cli", "up", "--port", "0", "--workers", "1"]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            assert server.stdout is not None
            shown = ""
            while " is ready at " not in shown:
                line = server.stdout.readline()
                assert line, shown
                shown += line
            lines: list[str] = []
            until_s = time.monotonic() + 60
            while not any("genlock.regeneration.worker" in line for line in lines):
                assert time.monotonic() < until_s
                lines = _command_lines(server.pid)
            assert secret not in "".join(lines) + shown
        finally:
            server.terminate()
            server.communicate(timeout=60)


def _command_lines(pid: int) -> list[str]:
    """Return the command lines of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{process_id}/cmdline").read_bytes().decode() for process_id in (pid, *children)]
