"""``genlock comfyui install`` and ``doctor`` where something is wrong, without a ComfyUI: what answers is told it."""

import json
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from comfyui.start import code_of as extension_code_of
from tests.cli.conftest import Ran, Run

from genlock.cli.comfyui import code_of, source

WELL = {
    "sees": {"loads": True, "nodes": True},
    **{"runs": 3, "waiting": 0, "refused": 0, "delivered": 3, "overhead": 0.001, "last_error": None},
    **{"environment": {"comfyui": "0.3.75"}, "something_newer": 1},
}


@dataclass
class Answering:
    """Something that answers every request in one way, to whoever shows the secret."""

    status: int = 200
    body: bytes = b""
    secret: str = ""
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def answering() -> Generator[Answering]:
    said = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            let_in = self.headers.get("X-Genlock-Secret") == said.secret
            self.send_response(said.status if let_in else 401)
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: pytest shows what is wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    said.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield said
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Looked:
    """A ComfyUI's folder, and what the doctor finds there."""

    genlock: Run
    answering: Answering
    folder: Path
    last: Ran = field(default_factory=lambda: Ran(0, "", ""))

    @property
    def pack(self) -> Path:
        return self.folder / "custom_nodes" / "genlock"

    def wrong(self) -> dict[str, str]:
        """What is not as it should be, and what is said of it."""
        self.last = self.genlock("comfyui", "doctor", str(self.folder), "--comfyui", self.answering.url, "--json")
        assert self.last.code in (0, 1), self.last.err
        found = {item["what"]: item["said"] for item in self.last.document["items"] if not item["good"]}
        assert self.last.code == bool(found)
        return found

    def config(self) -> dict[str, Any]:
        return json.loads((self.pack / "genlock.json").read_text())

    def answer(self, **changed: Any) -> None:
        self.answering.body = json.dumps({**WELL, **changed}).encode()


@pytest.fixture
def looked(genlock: Run, answering: Answering, tmp_path: Path) -> Looked:
    """With the extension installed, and a ComfyUI that runs it."""
    (tmp_path / "custom_nodes").mkdir()
    found = Looked(genlock, answering, tmp_path)
    assert genlock("comfyui", "install", str(tmp_path)).code == 0
    answering.secret = found.config()["secret"]
    found.answer(code=code_of(found.pack))
    return found


def test_where_all_is_well_nothing_is_wrong(looked: Looked) -> None:
    assert looked.wrong() == {}


def test_no_folder_and_no_extension(genlock: Run, answering: Answering, tmp_path: Path) -> None:
    refused = genlock("comfyui", "doctor", str(tmp_path))
    assert (refused.code, "does not contain custom_nodes" in refused.err) == (1, True)
    (tmp_path / "custom_nodes").mkdir()
    wrong = Looked(genlock, answering, tmp_path).wrong()
    assert wrong["extension"] == "not installed: genlock comfyui install"
    (tmp_path / "custom_nodes" / "genlock").mkdir()
    refused = genlock("comfyui", "install", str(tmp_path))
    assert (refused.code, "is not Genlock's extension" in refused.err) == (1, True)


def test_an_old_or_changed_extension(looked: Looked) -> None:
    with (looked.pack / "runs.py").open("a") as file:
        file.write("# older\n")
    wrong = looked.wrong()
    assert wrong["extension"] == "differs from this version of Genlock: genlock comfyui install"
    assert looked.genlock("comfyui", "install", str(looked.folder)).code == 0
    assert looked.wrong() == {}, "the code is what it was, and so is the token"


def test_comfyui_was_not_restarted_since(looked: Looked) -> None:
    for code in ("0" * 64, None):
        looked.answer(code=code)
        assert "does not run the installed code: restart it" in looked.wrong()["ComfyUI"]


def test_a_configuration_that_is_missing_open_or_refused(looked: Looked) -> None:
    file = looked.pack / "genlock.json"
    file.chmod(0o644)
    assert "other users can read it" in looked.wrong()["configuration"]
    file.chmod(0o600)
    file.write_text(json.dumps({**looked.config(), "token": "gl_wrong"}))
    assert "Genlock" in looked.wrong()
    file.write_text(json.dumps({**looked.config(), "secret": "another"}))
    assert "has another secret" in looked.wrong()["ComfyUI"]
    file.unlink()
    assert looked.wrong()["configuration"] == "missing: genlock comfyui install"


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b'{"sees": []}', b'{"sees": {}}', b"\xff", b'{"sees": {"a": {}}}']
)
def test_what_is_not_the_extension_is_said(looked: Looked, body: bytes) -> None:
    looked.answering.body = body
    assert "is not from this version's extension" in looked.wrong()["ComfyUI"]


def test_comfyui_that_is_down_blind_slow_or_behind(looked: Looked) -> None:
    code = code_of(looked.pack)
    looked.answer(code=code, sees={"loads": False, "nodes": True}, overhead=0.5, last_error="Genlock does not answer")
    wrong = looked.wrong()
    assert wrong.keys() == {"sees", "costs", "records"}
    assert wrong["sees"] == "not: loads"
    looked.answering.status = 404
    assert "runs without the extension" in looked.wrong()["ComfyUI"]
    looked.answering.port = 1
    assert "no answer at" in looked.wrong()["ComfyUI"]


def test_the_extension_tells_its_code_as_the_doctor_does() -> None:
    assert extension_code_of(source()) == code_of(source())
