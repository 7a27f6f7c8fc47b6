"""The server as a process: it starts, announces its address, and stops."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.fixtures_postgres import temporary_folder

Command = list[str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def command(data: Path, database: str | None, *more: str) -> Command:
    given = [] if database is None else ["--database-url", database]
    return [sys.executable, "-m", "genlock.server", "--data", str(data), *given, "--workers", "0", "--port", "0", *more]


@contextmanager
def started(arguments: Command, environment: dict[str, str] | None = None) -> Generator[subprocess.Popen[str]]:
    """Start a server; kill it at the end if it still runs."""
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def running(arguments: Command, environment: dict[str, str] | None = None) -> Generator[subprocess.Popen[str]]:
    """Start a server and wait until it is ready; kill it at the end if it still runs."""
    with started(arguments, environment) as process:
        assert process.stdout
        for line in process.stdout:
            if " is ready at " in line:
                break
        else:
            assert process.stderr
            pytest.fail(process.stderr.read())
        yield process


def ended(process: subprocess.Popen[str]) -> int:
    return process.wait(60)


def announced(data: Path) -> dict[str, str]:
    return json.loads((data / "server.json").read_text())


def client(data: Path) -> httpx.Client:
    secret = (data / "admin.token").read_text().strip()
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx.Client(base_url=announced(data)["url"], headers=headers, timeout=60, verify=False)


def test_a_server_announces_its_address_and_leaves_nothing_running(data: Path, database: str) -> None:
    with running(command(data, database)) as process:
        announcement = announced(data)
        assert announcement["pid"] == process.pid
        assert set(announcement) == {"url", "pid", "version"}
        assert stat.S_IMODE((data / "server.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((data / "admin.token").stat().st_mode) == 0o600
        with client(data) as asking:
            assert asking.get("/api/v1/me").json()["role"] == "admin"
            assert asking.get("/readyz").json() == {"status": "ready", "warnings": []}
        process.send_signal(signal.SIGTERM)
        assert ended(process) == 0
    assert not (data / "server.json").exists()


def test_a_second_start_for_the_same_data_shows_the_first(data: Path, database: str) -> None:
    with running(command(data, database)):
        second = subprocess.run(command(data, database), capture_output=True, text=True, timeout=60, check=False)
        assert (second.returncode, second.stderr) == (0, "")
        assert announced(data)["url"] in second.stdout


def test_a_taken_port_is_an_error_that_names_the_option(data: Path, database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = subprocess.run(
            [*command(data, database), "--port", port], capture_output=True, text=True, timeout=60, check=False
        )
    assert refused.returncode == 1
    assert f"Port {port} is taken" in refused.stderr
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_after_a_kill_the_next_start_takes_over(data: Path, database: str) -> None:
    with running(command(data, database)) as process:
        process.kill()
        ended(process)
    assert announced(data)["pid"] == process.pid, "a leftover"
    with running(command(data, database)) as process, client(data) as asking:
        assert announced(data)["pid"] == process.pid
        assert asking.get("/api/v1/tokens").json()["items"][0]["id"] == 1, "the token is the same one"


def test_an_idle_server_ends_by_itself(data: Path, database: str) -> None:
    with running(command(data, database, "--idle-minutes", "0.01")) as process:
        assert ended(process) == 0


def test_a_server_does_not_end_while_it_renders(data: Path, database: str) -> None:
    with running(command(data, database, "--idle-minutes", "0.02")) as process, client(data) as asking:
        asking.post("/api/v1/projects", json={"slug": "a", "name": "A"}).raise_for_status()
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(
                "INSERT INTO genlock.plans (project_id, state, selection, created_by) VALUES (1, 'running', '{}', 'a')"
            )
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(4)
            owner.execute("UPDATE genlock.plans SET state = 'cancelled', finished_at = now()")
        assert ended(process) == 0


def test_an_open_stream_does_not_delay_the_end(data: Path, database: str) -> None:
    with (
        running(command(data, database)) as process,
        client(data) as asking,
        asking.stream("GET", "/api/v1/events/stream") as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == ": connected"
        process.send_signal(signal.SIGTERM)
        assert list(lines) == [""]
        assert ended(process) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--port", "70000"], 2, "port"),
        (["--workers", "-1"], 2, "workers"),
        (["--database-url", "host=/nowhere port=1"], 1, "database"),
        (["--blobs", "s3://bucket"], 1, "--blobs"),
        (["--host", "203.0.113.7"], 1, "--host"),
    ],
)
def test_invalid_arguments_are_refused_in_one_sentence(
    data: Path, database: str, arguments: list[str], status: int, message: str
) -> None:
    refused = subprocess.run(
        [*command(data, database), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == status, refused.stderr
    assert refused.stderr.startswith("Error: ") or "\nError: " in refused.stderr
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_migrations_run_as_the_owner(data: Path, postgres: str, database: str) -> None:
    """With an owner's URL the server's role needs no permission to change the tables."""
    with running(command(data, database), {"GENLOCK_DATABASE_OWNER_URL": database}), client(data) as asking:
        assert asking.get("/readyz").json()["warnings"] == []


def test_a_server_without_settings_starts_its_own_database() -> None:
    with temporary_folder() as folder:
        data = folder / "data"
        with running(command(data, None)) as process, client(data) as asking:
            assert asking.post("/api/v1/projects", json={"slug": "a", "name": "A"}).status_code == 201
            process.send_signal(signal.SIGTERM)
            assert ended(process) == 0
        with running(command(data, None)) as process, client(data) as asking:
            assert asking.get("/api/v1/projects").json()["items"][0]["slug"] == "a"
            process.send_signal(signal.SIGINT)
            assert ended(process) == 0


def test_concurrent_starts_result_in_one_server(data: Path, database: str) -> None:
    outputs: list[str] = []

    def start() -> None:
        completed = subprocess.run(
            command(data, database, "--idle-minutes", "0.05"), capture_output=True, text=True, timeout=120, check=False
        )
        outputs.append(f"{completed.returncode} {completed.stdout}")

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(output.startswith("0 ") for output in outputs), outputs
    assert sum(" is ready at " in output for output in outputs) >= 1
