"""A real ComfyUI server for tests: a separate process on loopback with its own base folder.

    with serving(tmp_path / "comfyui", "--cache-none") as comfy:
        httpx.get(comfy.url + "/system_stats")

One thread, because the machine is shared and frames are the same with one or two.
"""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.comfyui.builds import Build, chosen_build
from tests.comfyui.models import write_models

START_S = 180
STUBS = Path(__file__).parent / "stubs"
FOLDERS = ("models", "input", "output", "temp", "user", "custom_nodes")
CATEGORIES = ("checkpoints", "diffusion_models", "loras", "text_encoders", "vae")
_FRONT_END = "<!doctype html><title>no front end</title>"


@dataclass
class ComfyServer:
    """A server. ``start`` and ``stop`` may be repeated: the port and the base folder stay."""

    base: Path
    flags: Sequence[str] = ()
    port: int = 0
    front_end: Path | None = None
    environment: dict[str, str] = field(default_factory=dict[str, str])
    build: Build = field(default_factory=chosen_build)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.port = self.port or _free_port()
        for name in FOLDERS:
            (self.base / name).mkdir(parents=True, exist_ok=True)
        for name in CATEGORIES:
            (self.base / "models" / name).mkdir(exist_ok=True)

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Return the path of its log."""
        return self.base / "server.log"

    def start(self) -> None:
        """Start the process and return when it answers; fail with the end of its log if it ends instead."""
        assert self.process is None, "it runs already"
        self.front_end = self.front_end or _empty_front_end(self.base)
        command = [
            self.build.python,
            self.build.server / "main.py",
            *("--cpu", "--listen", "127.0.0.1", "--port", str(self.port), "--disable-api-nodes"),
            *("--base-directory", self.base, "--database-url", "sqlite:///:memory:"),
            *("--front-end-root", self.front_end),
            *self.flags,
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GENLOCK_")}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(STUBS), **self.environment}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=self.build.server,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + START_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise AssertionError(f"ComfyUI did not start:\n{self.last_words()}")
            time.sleep(0.1)

    def answers(self) -> bool:
        """Return whether it answers."""
        try:
            return httpx.get(f"{self.url}/system_stats", timeout=5, verify=False).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """Stop it cleanly, or kill it when it does not end."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill it, as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it on the same port, which clears its history."""
        self.stop()
        self.start()

    def last_words(self) -> str:
        """Return the end of its log."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace"))[-4000:]

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def require_comfyui() -> None:
    """Fail with a request for ``make comfyui`` when there is no server."""
    build = chosen_build()
    require(build.is_built(), f"ComfyUI {build.version} is not built here: run `make comfyui`")


def require(is_available: bool, reason: str) -> None:
    """Fail with the reason when this machine lacks something that a test needs."""
    if not is_available:
        pytest.fail(reason)


@contextmanager
def serving(
    base: Path,
    *flags: str,
    models: bool = True,
    environment: Mapping[str, str] | None = None,
    build: Build | None = None,
) -> Generator[ComfyServer]:
    """Run a server with the tiny models, or with ``models=False`` without any."""
    server = ComfyServer(base, flags, environment=dict(environment or {}), build=build or chosen_build())
    if models:
        write_models(base / "models")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _empty_front_end(base: Path) -> Path:
    folder = base / "front"
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text(_FRONT_END)
    return folder


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
