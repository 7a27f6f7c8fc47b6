"""A page in Debian's headless Chromium, driven over its own debugging protocol: open, look, press keys, take a picture.

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
        self._socket, self._asked = socket, 0

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the protocol."""
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(timeout=60))
            if said.get("id") == self._asked:
                assert "error" not in said, (method, said["error"])
                return said["result"]

    def open(self, url: str) -> None:
        """Go there."""
        self.ask("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to, promises awaited."""
        said = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def see(self, expression: str) -> Any:
        """What an expression comes to, once it is something; what it needs may not be there yet."""
        return until(lambda: self.value(f"(() => {{ try {{ return {expression} }} catch {{ return null }} }})()"))

    def press(self, key: str, code: int, modifiers: int = 0) -> None:
        """Press a key and let it go, as a person at the keyboard."""
        named: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, **named)

    def picture(self, path: Path) -> Path:
        """What is seen, as a PNG."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))
        return path


def require_chromium() -> str:
    """The program."""
    found = shutil.which("chromium")
    require(found is not None, "there is no Chromium here: apt-get install chromium")
    return found or ""


@contextmanager
def browsing(folder: Path) -> Generator[Page]:
    """A page of a browser of its own, whose profile is in ``folder``."""
    words = [require_chromium(), "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    words += ["--remote-debugging-port=0", f"--user-data-dir={folder}", f"--window-size={SIZE[0]},{SIZE[1]}"]
    words += ["--no-sandbox"] if os.geteuid() == 0 else []
    with (folder.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen([*words, "about:blank"], stdout=log, stderr=subprocess.STDOUT)
    try:
        port = until(lambda: _port(folder, process))
        pages = until(lambda: [one for one in httpx.get(f"http://127.0.0.1:{port}/json").json() if _is_page(one)])
        with connect(pages[0]["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(30)


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int | None:
    assert process.poll() is None, "the browser ended"
    said = folder / "DevToolsActivePort"
    lines = said.read_text().splitlines() if said.exists() else []
    return int(lines[0]) if len(lines) > 1 else None


def _is_page(target: dict[str, Any]) -> bool:
    return target["type"] == "page"
