"""A page in Debian's headless Chromium, driven over its debugging protocol: open, evaluate, press keys, screenshot.

chromium --remote-debugging-port=0 ─▶ its port in a file ─▶ a socket to the one page ─▶ {"id", "method", "params"}
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.comfyui.server import require
from tests.extension.watched import until
from websockets.sync.client import ClientConnection, connect

SIZE = (1280, 720)
CONTROL = 2
"""Chromium's bit for the Control key."""


class Page:
    """The one page of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._requests = socket, 0

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a command of the protocol."""
        self._requests += 1
        self._socket.send(json.dumps({"id": self._requests, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == self._requests:
                assert "error" not in message, (method, message["error"])
                return message["result"]

    def open(self, url: str) -> None:
        """Navigate to a URL."""
        self.ask("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, with promises awaited."""
        answer = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def see(self, expression: str) -> Any:
        """Return the value of an expression once it is truthy."""
        return until(lambda: self.value(f"(() => {{ try {{ return {expression} }} catch {{ return null }} }})()"))

    def press(self, key: str, code: int, modifiers: int = 0) -> None:
        """Press and release a key as a user does."""
        named: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, **named)

    def picture(self, path: Path) -> Path:
        """Save a screenshot of the page as PNG."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
        return path


def require_chromium() -> str:
    """Return the program."""
    program = shutil.which("chromium")
    require(program is not None, "there is no Chromium here: apt-get install chromium")
    return program or ""


@contextmanager
def browsing(folder: Path) -> Generator[Page]:
    """Yield a page of a separate browser, whose profile is in ``folder``."""
    words = [require_chromium(), "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    words += ["--remote-debugging-port=0", f"--user-data-dir={folder}", f"--window-size={SIZE[0]},{SIZE[1]}"]
    words += ["--no-sandbox"] if os.geteuid() == 0 else []
    with (folder.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen([*words, "about:blank"], stdout=log, stderr=subprocess.STDOUT)
    try:
        port = until(lambda: _port(folder, process))
        pages = until(
            lambda: [target for target in httpx.get(f"http://127.0.0.1:{port}/json").json() if _is_page(target)]
        )
        with connect(pages[0]["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(30)


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int | None:
    assert process.poll() is None, "the browser ended"
    port_file = folder / "DevToolsActivePort"
    lines = port_file.read_text().splitlines() if port_file.exists() else []
    return int(lines[0]) if len(lines) > 1 else None


def _is_page(target: dict[str, Any]) -> bool:
    return target["type"] == "page"
