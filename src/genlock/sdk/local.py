"""Finds the server of a data folder on this machine, and starts it if it is not running.

    server.json answers? ─ yes ─▶ its URL, and the token in admin.token
                         └ no ──▶ start `python -m genlock.server`, wait until it is ready, report its progress

Starting twice is harmless: a server that finds its data folder in use waits for the other server and ends. So the first
client starts it, and all clients wait for the same one.
"""

import importlib.util
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
from pydantic import ValidationError

from genlock.errors import Conflict, Denied, Unavailable
from genlock.model import Model
from genlock.sdk.transport import Address, Say
from genlock.settings import Settings
from genlock.tls import needs_certificates

IDLE_MINUTES = 15.0
_OK = 200
_PATIENCE_S = 600.0
_ENDING_PATIENCE_S = 60.0
_LARGEST_LOG_BYTES = 5 * 2**20
_LOGGED = re.compile(r"\d{4}-\d\d-\d\d ")
_SERVER_PACKAGES = ("fastapi", "psycopg", "uvicorn", "numpy", "av")


class Running(Model):
    """The content of ``server.json``, which a running server writes."""

    url: str
    pid: int
    version: str


def address_of(settings: Settings, say: Say) -> Callable[[], Address]:
    """Return a function that finds the server: the one at ``url``, else the data folder's own."""
    starter = _Starter(settings, say)

    def find() -> Address:
        if settings.url is None:
            return Address(url=starter.reach().url, token=settings.token or read_token(settings))
        url = settings.url.rstrip("/")
        own = read_running(settings)
        # The administrator's token is sent only to the data folder's own server.
        is_own = own is not None and own.url == url
        return Address(url=url, token=settings.token or (read_token(settings) if is_own else None))

    return find


def is_own(settings: Settings) -> bool:
    """Return whether the server of the settings is the data folder's own, on this machine."""
    own = read_running(settings)
    return settings.url is None or (own is not None and own.url == settings.url.rstrip("/"))


def read_running(settings: Settings) -> Running | None:
    """Read ``server.json``; ``None`` if it does not exist. The server may have ended since."""
    try:
        return Running.model_validate(json.loads(settings.server_file.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError, ValidationError):
        return None
    except PermissionError as error:
        raise _not_yours(settings.server_file) from error


def read_token(settings: Settings) -> str | None:
    """Read the administrator's token of the data folder, if it has one."""
    try:
        return settings.token_file.read_text(encoding="utf-8").strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise _not_yours(settings.token_file) from error


def is_ready(running: Running) -> bool:
    """Return whether a server answers there and is ready."""
    return _status(f"{running.url}/readyz", None) == _OK


def find_ready(settings: Settings) -> Running | None:
    """Return the data folder's server if it is ready. Another program may listen on its port by now."""
    running, token = read_running(settings), read_token(settings)
    if running is None:
        return None
    if token is None:
        return running if is_ready(running) else None
    return running if _status(f"{running.url}/api/v1/me", token) == _OK else None


def wait_until_ready(
    settings: Settings, ended: Callable[[], int | None], on_wait: Callable[[], None] = lambda: None
) -> Running | None:
    """Wait for the data folder's server; return ``None`` if the process that should start it failed.

    ``ended`` returns the exit status of that process, ``None`` while it runs; ``on_wait`` is called while waiting.
    """
    until_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until_s:
        status = ended()
        on_wait()
        running = find_ready(settings)
        if running is None and status == 0:  # it ended because another server of this folder responds
            running = read_running(settings)
        if running is not None:
            return running
        if status is not None:
            return None
        time.sleep(0.1)
    raise Unavailable(
        f"The server of {settings.data} is not ready after {_PATIENCE_S / 60:.0f} minutes.",
        hint=f"Its progress is in {_log_file(settings)}.",
        code="not_ready",
    )


def server_command() -> list[str]:
    """Return the command of the server; ``-P`` keeps files of the current folder from being imported."""
    return [sys.executable, "-P", "-m", "genlock.server"]


def check_installed() -> None:
    """Raise ``Unavailable`` if this installation of Genlock has no server."""
    missing = [name for name in _SERVER_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(
            f"This installation of Genlock has no server: {', '.join(missing)} cannot be found.",
            hint="Install it with `pip install 'genlock[server]'`, or name a server with --url or GENLOCK_URL.",
            code="no_server_installed",
        )


def stop(settings: Settings) -> Running | None:
    """Stop the data folder's server and wait until it has ended; return ``None`` if none is running."""
    running = read_running(settings)
    if running is None or not _is_server_of(settings, running):
        return None
    try:
        os.kill(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        return None
    except PermissionError as error:
        raise _not_yours(settings.server_file) from error
    until_s = time.monotonic() + _ENDING_PATIENCE_S
    while time.monotonic() < until_s:
        now = read_running(settings)
        if (now is None or now.pid != running.pid) and not _is_alive(running.pid):
            return running
        time.sleep(0.05)
    raise Unavailable(
        f"The server (process {running.pid}) has not ended after {_ENDING_PATIENCE_S:.0f} seconds.",
        hint="It may be waiting for a long request. Try again, or end the process.",
        code="still_ending",
    )


class _Starter:
    """Finds the data folder's server, and starts it if it is not running."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self._settings, self._say = settings, say
        self._process: _Spawned | None = None

    def reach(self) -> Running:
        """Return the running server. Raise ``Unavailable`` with its output if it cannot be started."""
        settings = self._settings
        if self._process is not None:
            self._process.ended()  # reaps a server that has ended
        running = find_ready(settings)
        if running is not None:
            return running
        check_installed()
        log = _open_log(settings)
        tail = _Tail(log, self._say)
        self._say(f"Starting the server of {settings.data} …")
        self._process = _Spawned(server_command(), _background(settings).as_environment(), log)
        started = wait_until_ready(settings, self._process.ended, tail.report)
        if started is None:
            raise tail.failure(self._process.ended())
        return started


class _Spawned:
    """A process in its own session that outlives this one. Its output goes to a log."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        self._pid = os.posix_spawn(command[0], command, environment, file_actions=actions, setsid=True)
        self._status: int | None = None

    def ended(self) -> int | None:
        """Return its exit status; ``None`` while it runs."""
        if self._status is None:
            try:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:  # reaped by other code in this process
                pid, status = self._pid, 0
            if pid == self._pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


class _Tail:
    """The log lines of a starting server."""

    def __init__(self, log: Path, say: Say) -> None:
        self._log, self._say = log, say
        self._at = log.stat().st_size
        self._lines: list[str] = []

    def report(self) -> None:
        """Report the new lines, except log records."""
        with self._log.open("rb") as file:
            file.seek(self._at)
            added = file.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            self._lines.append(line)
            if _LOGGED.match(line) is None:
                self._say(line)

    def failure(self, status: int | None) -> Unavailable:
        """Return why the server did not start, from its output where possible."""
        self.report()
        message, hint = f"The server did not start (exit status {status}).", f"The reason is in {self._log}."
        for line in self._lines:
            if line.startswith("Error: "):
                message = f"The server did not start: {line.removeprefix('Error: ')}"
            elif line.startswith("Hint: "):
                hint = line.removeprefix("Hint: ")
        return Unavailable(message, hint=hint, code="not_started")


def _background(settings: Settings) -> Settings:
    """Return the settings of a background server: it ends when idle, and uses any port if its own is in use."""
    changed: dict[str, object] = {"idle_minutes": settings.idle_minutes or IDLE_MINUTES}
    if "port" not in settings.model_fields_set and not _is_free(settings.host, settings.port):
        changed["port"] = 0
    return settings.model_copy(update=changed)


def _is_free(host: str, port: int) -> bool:
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False


def _open_log(settings: Settings) -> Path:
    log = _log_file(settings)
    try:
        # Searchable but not listable by others: the embedded database has its own user.
        settings.data.mkdir(mode=0o711, parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > _LARGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        log.touch(mode=0o600)
    except PermissionError as error:
        raise _not_yours(settings.data) from error
    except OSError as error:
        raise Unavailable(
            f"The data folder {settings.data} cannot be used: {error.strerror}.", hint="Choose another one with --data."
        ) from error
    return log


def _log_file(settings: Settings) -> Path:
    return settings.data / "server.log"


def _is_server_of(settings: Settings, running: Running) -> bool:
    """Return whether a process is the data folder's server, and not another one with its process id."""
    if find_ready(settings) == running:
        return True
    try:  # it may hang; then check its command line
        return b"genlock.server" in Path(f"/proc/{running.pid}/cmdline").read_bytes()
    except OSError:
        return False


def _status(url: str, token: str | None) -> int | None:
    """Return the status of a GET to a server of this machine; ``None`` without an answer."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        verify = needs_certificates(url)
        return httpx.get(url, headers=headers, timeout=10, trust_env=False, verify=verify).status_code
    except httpx.HTTPError:
        return None


def _is_alive(pid: int) -> bool:
    """Return whether a process is running. A zombie is not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except OSError:
        return True  # without /proc, or without permission
    return state != "Z"


def _not_yours(path: Path) -> Denied | Conflict:
    return Denied(
        f"{path} belongs to another user.",
        hint="Choose your own data folder with --data, or name a server and token with --url and --token.",
        code="not_yours",
    )
