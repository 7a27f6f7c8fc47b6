"""The local server: discovered, started when none runs, once for concurrent commands, and stopped."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.client.test_retries import QUICK, answer, listening, saying

from genlock.client import Genlock
from genlock.errors import Invalid, Unavailable
from genlock.sdk import local
from genlock.sdk.connection import settings_of
from genlock.settings import Settings

HEAVY = {
    *("fastapi", "starlette", "uvicorn", "psycopg", "procrastinate", "alembic", "sqlalchemy", "numpy", "av", "PIL"),
    *("safetensors", "python_multipart"),
}


@pytest.fixture
def settings(tmp_path: Path, database: str) -> Generator[Settings]:
    """Return a data folder without a server, over an empty database; stop any server started there."""
    settings = settings_of(None, None, tmp_path / "data", database_url=database, port=0, workers=0)
    yield settings
    local.stop(settings)


def command(settings: Settings) -> subprocess.Popen[str]:
    """Start ``genlock project list --json``."""
    return subprocess.Popen(
        [sys.executable, "-m", "genlock.cli", "project", "list", "--json"],
        env=settings.as_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_server_is_started_when_needed_reused_and_stopped(settings: Settings) -> None:
    messages: list[str] = []
    with Genlock(settings=settings, on_progress=messages.append) as gl:
        assert gl.me().role.value == "admin"
        assert any("Starting the server" in line for line in messages)
        assert any("is ready at" in line for line in messages)
        assert not any(line.startswith("20") for line in messages), "its log is not shown"
        url = gl.url
    messages.clear()
    with Genlock(settings=settings, on_progress=messages.append) as gl:
        assert (gl.url, messages) == (url, [])
    running = local.stop(settings)
    assert running
    assert running.url == url
    assert local.find_ready(settings) is None
    assert local.stop(settings) is None


@pytest.mark.long
def test_a_client_that_outlives_its_server_starts_another(settings: Settings) -> None:
    with Genlock(settings=settings, retry=QUICK) as gl:
        created = gl.create_project("stored")
        running = local.read_running(settings)
        assert running
        os.kill(running.pid, signal.SIGKILL)
        assert gl.project("stored").id == created.id
        again = local.read_running(settings)
        assert again
        assert again.pid != running.pid


def test_two_commands_at_once_start_one_server(settings: Settings) -> None:
    both = [command(settings), command(settings)]
    for process in both:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert json.loads(out) == {"items": [], "total": 0}
    log = (settings.data / "server.log").read_text()
    assert log.count("is ready at") == 1, log


@pytest.mark.long
def test_two_threads_at_once_use_one_server(settings: Settings) -> None:
    urls: list[str] = []

    def ask() -> None:
        with Genlock(settings=settings) as gl:
            urls.append(gl.url)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 2
    assert len(set(urls)) == 1


def test_the_reason_for_a_failed_start_is_reported(tmp_path: Path) -> None:
    nowhere = settings_of(None, None, tmp_path / "data", database_url="postgresql://127.0.0.1:1/none", port=0)
    with Genlock(settings=nowhere) as gl, pytest.raises(Unavailable) as refused:
        gl.me()
    assert refused.value.code == "not_started"
    assert refused.value.hint


def test_an_announcement_of_another_users_server_is_ignored(settings: Settings) -> None:
    stranger = answer("401 Unauthorized", {"detail": "no", "code": "unknown_token"})
    with listening(saying(stranger)) as url:
        settings.data.mkdir(parents=True)
        settings.token_file.write_text("ours")
        settings.server_file.write_text(json.dumps({"url": url, "pid": os.getpid(), "version": "0"}))
        assert local.find_ready(settings) is None
        assert local.stop(settings) is None, "this process must not be ended for it"
        with Genlock(settings=settings) as gl:
            assert gl.url != url


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 1}', "\x00"])
def test_a_broken_announcement_is_ignored(tmp_path: Path, text: str) -> None:
    settings = settings_of(None, None, tmp_path)
    settings.server_file.write_text(text)
    assert local.read_running(settings) is None


def test_the_administrators_token_is_sent_to_its_own_server_only(tmp_path: Path) -> None:
    (tmp_path / "admin.token").write_text("secret\n")
    (tmp_path / "server.json").write_text(json.dumps({"url": "http://127.0.0.1:5", "pid": 1, "version": "0"}))

    def find(url: str, token: str | None = None) -> str | None:
        return local.address_of(settings_of(url, token, tmp_path), lambda text: None)().token

    assert find("http://127.0.0.1:5/") == "secret"
    assert find("http://127.0.0.1:6") is None
    assert find("http://127.0.0.1:6", "mine") == "mine"


def test_a_given_folder_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLOCK_URL", "http://elsewhere.example")
    monkeypatch.setenv("GENLOCK_TOKEN", "theirs")
    assert (settings_of(None, None, None).url, settings_of(None, None, None).token) == (
        "http://elsewhere.example",
        "theirs",
    )
    own = settings_of(None, None, tmp_path)
    assert (own.url, own.token, own.data) == (None, None, tmp_path)
    with pytest.raises(Invalid) as refused:
        settings_of(None, None, None, port=70_000)
    assert "port" in refused.value.message


def test_no_module_of_the_server_is_imported() -> None:
    program = (
        "import sys, genlock.client, genlock.cli.app\n"
        f"print(sorted({{name.partition('.')[0] for name in sys.modules}} & {HEAVY!r}))"
    )
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


def test_a_missing_server_extra_is_reported_with_its_installation(tmp_path: Path) -> None:
    """Run as an installation without the extra ``server``."""
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['fastapi', 'psycopg', 'uvicorn', 'numpy', 'av']))\n"
        "from genlock.cli.app import main\n"
        f"sys.argv = ['genlock', '--data', {str(tmp_path)!r}, *sys.argv[1:]]\n"
        "main()"
    )
    for words in (["up"], ["status"], ["worker"], ["sketch", "samples", str(tmp_path / "samples")]):
        completed = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
        assert completed.returncode == 1, words
        assert "pip install 'genlock[server]'" in completed.stderr, completed.stderr
        assert "Traceback" not in completed.stderr
