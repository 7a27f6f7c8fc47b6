"""``genlock comfyui install`` and ``doctor`` report problems, against a stand-in for ComfyUI's answers."""

import json
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from comfyui.start import code_of as extension_code_of
from tests.cli.conftest import CommandResult, Run

from genlock.cli.comfyui import code_of, source
from genlock.server import choices
from genlock.settings import Settings

WELL = {
    "sees": {"loads": True, "nodes": True},
    **{"runs": 3, "waiting": 0, "refused": 0, "delivered": 3, "overhead": 0.001, "last_error": None},
    **{"environment": {"comfyui": "0.3.75"}, "something_newer": 1},
}


@dataclass
class Answering:
    """A server that answers every request in the same way if it carries the secret."""

    status: int = 200
    body: bytes = b""
    secret: str = ""
    history: bytes = b"{}"
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def answering() -> Generator[Answering]:
    answering = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/history"):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(answering.history)
                return
            is_allowed = self.headers.get("X-Genlock-Secret") == answering.secret
            self.send_response(answering.status if is_allowed else 401)
            self.end_headers()
            self.wfile.write(answering.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: pytest shows what is wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answering.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield answering
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Installation:
    """A folder of ComfyUI and the doctor's findings about it."""

    genlock: Run
    answering: Answering
    folder: Path
    last: CommandResult = field(default_factory=lambda: CommandResult(0, "", ""))

    @property
    def pack(self) -> Path:
        return self.folder / "custom_nodes" / "genlock"

    def problems(self) -> dict[str, str]:
        """Return the message of each item that the doctor reports as wrong."""
        self.last = self.genlock("comfyui", "doctor", str(self.folder), "--comfyui", self.answering.url, "--json")
        assert self.last.code in (0, 1), self.last.err
        problems = {item["what"]: item["detail"] for item in self.last.document["items"] if not item["good"]}
        assert self.last.code == bool(problems)
        return problems

    def config(self) -> dict[str, Any]:
        return json.loads((self.pack / "genlock.json").read_text())

    def answer(self, **changed: Any) -> None:
        self.answering.body = json.dumps({**WELL, **changed}).encode()


@pytest.fixture
def installation(genlock: Run, answering: Answering, tmp_path: Path) -> Installation:
    """Install the extension, and a ComfyUI that answers as if it ran it."""
    (tmp_path / "custom_nodes").mkdir()
    installation = Installation(genlock, answering, tmp_path)
    assert genlock("comfyui", "install", str(tmp_path)).code == 0
    answering.secret = installation.config()["secret"]
    installation.answer(code=code_of(installation.pack))
    return installation


def test_a_good_installation_has_no_problems(installation: Installation) -> None:
    assert installation.problems() == {}


def test_the_extension_has_a_token_that_only_sends_runs(installation: Installation) -> None:
    def holder() -> dict[str, Any]:
        return installation.genlock("token", "list", "--json").document["items"][0]

    install = ("comfyui", "install", str(installation.folder))
    first = holder()
    assert (first["role"], first["projects"], first["revoked_at"]) == ("capture", None, None)
    assert installation.genlock("project", "add", "rooftop").code == 0
    assert installation.genlock(*install, "--project", "rooftop").code == 0
    limited = holder()
    assert (limited["role"], limited["projects"]) == ("capture", [1])
    assert installation.genlock(*install).code == 0
    assert holder() == limited, "a limit stays"
    assert installation.genlock(*install, "--project", "rooftop", "--all-projects").code == 2
    assert holder() == limited
    tokens = {item["id"]: item for item in installation.genlock("token", "list", "--json").document["items"]}
    assert tokens[first["id"]]["revoked_at"] is not None, "the token that was replaced"
    installation.answer(code=code_of(installation.pack))
    assert installation.problems() == {}
    details = {item["what"]: item["detail"] for item in installation.last.document["items"]}
    assert details["Genlock"].endswith("as capture, in 1 projects")
    assert installation.genlock(*install, "--all-projects").code == 0
    assert (holder()["role"], holder()["projects"]) == ("capture", None)


def test_a_token_with_more_rights_is_replaced(installation: Installation) -> None:
    broad = installation.genlock("token", "add", "mine", "--role", "creator", "--json").document
    file = installation.pack / "genlock.json"
    file.write_text(json.dumps({**installation.config(), "token": broad["secret"]}))
    assert installation.problems() == {}
    details = {item["what"]: item["detail"] for item in installation.last.document["items"]}
    assert "which is more than it needs" in details["Genlock"]
    assert installation.genlock("comfyui", "install", str(installation.folder)).code == 0
    tokens = installation.genlock("token", "list", "--json").document["items"]
    assert (tokens[0]["role"], tokens[1]["name"], tokens[1]["revoked_at"]) == ("capture", "mine", None)
    viewer = installation.genlock("token", "add", "mine", "--role", "viewer", "--json").document
    file.write_text(json.dumps({**installation.config(), "token": viewer["secret"]}))
    assert "may not send runs" in installation.problems()["Genlock"]


def test_a_missing_folder_or_extension_is_reported(genlock: Run, answering: Answering, tmp_path: Path) -> None:
    refused = genlock("comfyui", "doctor", str(tmp_path))
    assert (refused.code, "does not contain custom_nodes" in refused.err) == (1, True)
    (tmp_path / "custom_nodes").mkdir()
    problems = Installation(genlock, answering, tmp_path).problems()
    assert problems["extension"] == "not installed: genlock comfyui install"
    (tmp_path / "custom_nodes" / "genlock").mkdir()
    refused = genlock("comfyui", "install", str(tmp_path))
    assert (refused.code, "is not Genlock's extension" in refused.err) == (1, True)


def test_an_old_or_changed_extension_is_reported(installation: Installation) -> None:
    with (installation.pack / "runs.py").open("a") as file:
        file.write("# older\n")
    problems = installation.problems()
    assert problems["extension"] == "differs from this version of Genlock: genlock comfyui install"
    assert installation.genlock("comfyui", "install", str(installation.folder)).code == 0
    assert installation.problems() == {}, "the code is what it was, and so is the token"


def test_a_comfyui_that_was_not_restarted_is_reported(installation: Installation) -> None:
    for code in ("0" * 64, None):
        installation.answer(code=code)
        assert "does not run the installed code: restart it" in installation.problems()["ComfyUI"]


def test_a_missing_unprotected_or_refused_configuration_is_reported(installation: Installation) -> None:
    file = installation.pack / "genlock.json"
    file.chmod(0o644)
    assert "other users can read it" in installation.problems()["configuration"]
    file.chmod(0o600)
    file.write_text(json.dumps({**installation.config(), "token": "gl_wrong"}))
    assert "Genlock" in installation.problems()
    file.write_text(json.dumps({**installation.config(), "secret": "another"}))
    assert "has another secret" in installation.problems()["ComfyUI"]
    file.unlink()
    assert installation.problems()["configuration"] == "missing: genlock comfyui install"


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b'{"sees": []}', b'{"sees": {}}', b"\xff", b'{"sees": {"a": {}}}']
)
def test_an_answer_that_is_not_from_the_extension_is_reported(installation: Installation, body: bytes) -> None:
    installation.answering.body = body
    assert "is not from this version's extension" in installation.problems()["ComfyUI"]


def test_a_comfyui_that_is_down_blind_slow_or_behind_is_reported(installation: Installation) -> None:
    code = code_of(installation.pack)
    installation.answer(
        code=code, sees={"loads": False, "nodes": True}, overhead=0.5, last_error="Genlock does not answer"
    )
    problems = installation.problems()
    assert problems.keys() == {"sees", "costs", "records"}
    assert problems["sees"] == "not: loads"
    installation.answering.status = 404
    assert "runs without the extension" in installation.problems()["ComfyUI"]
    installation.answering.port = 1
    assert "no answer at" in installation.problems()["ComfyUI"]


def test_no_run_yet_is_not_the_same_as_runs_that_were_not_recorded(installation: Installation) -> None:
    code = code_of(installation.pack)
    installation.answer(code=code, runs=0, taken=0, delivered=0)
    assert installation.problems() == {}
    details = {item["what"]: item["detail"] for item in installation.last.document["items"]}
    assert details["records"].startswith("no run yet since ComfyUI was started")
    installation.answering.history = b'{"a prompt": {}}'
    assert installation.problems()["records"].startswith("ComfyUI ended runs, and none of them was recorded")
    installation.answer(code=code, runs=0, taken=1, delivered=0)
    assert installation.problems() == {}, "a run that is being hashed"


def test_what_the_self_test_did_not_see_is_reported(installation: Installation) -> None:
    reason = "the hook for calls does not work: self-test: ['load'] ran"
    sees = {"loads": True, "calls": False}
    installation.answer(code=code_of(installation.pack), sees=sees, reasons=[reason])
    assert installation.problems()["sees"] == f"not: calls; {reason}"
    installation.answer(code=code_of(installation.pack), reasons=["the hooks were not tested: no executor"])
    assert "the hooks were not tested" in installation.problems()["sees"]


def test_an_extension_of_another_version_of_genlock_is_named(installation: Installation) -> None:
    with (installation.pack / "runs.py").open("a") as file:
        file.write("# older\n")
    config = installation.pack / "genlock.json"
    config.write_text(json.dumps({**installation.config(), "installed_by": "0.0.1"}))
    problem = installation.problems()["extension"]
    assert problem.startswith("is that of Genlock 0.0.1, and this is Genlock ")
    assert problem.endswith("genlock comfyui install, then restart ComfyUI")


def test_the_comfyui_that_the_data_folder_remembers_is_examined(
    installation: Installation, genlock: Run, tmp_path: Path
) -> None:
    refused = genlock("comfyui", "doctor")
    assert (refused.code, "ComfyUI's folder is not known" in refused.err) == (1, True)
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    choices.store(
        Settings(data=data, comfyui_url=installation.answering.url, comfyui_folder=installation.folder, url=None)
    )
    ran = genlock("comfyui", "doctor", "--data", str(data), "--json")
    items = {item["what"]: item for item in ran.document["items"]}
    assert ran.code == 0, items
    assert installation.answering.url in items["ComfyUI"]["detail"]


def test_the_extension_and_the_doctor_compute_the_same_code_digest() -> None:
    assert extension_code_of(source()) == code_of(source())
