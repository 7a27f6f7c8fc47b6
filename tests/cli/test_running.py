"""How commands end: exit codes, one JSON document, errors as text, and no control sequences in a terminal."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run, heed_interrupts, in_process, out_of_process, render
from tests.client.served import Served

from genlock.cli.formatting import clean


def test_success_exits_with_0(typed: Run, slug: str) -> None:
    created = typed("project", "add", slug, "--name", "夜 🌃", "--json")
    assert (created.code, created.document["slug"], created.document["name"]) == (0, slug, "夜 🌃")
    assert created.err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("projects",),
        ("project", "ad"),
        ("project", "add"),
        ("status", "--colour"),
        ("segment", "add", "p/s", "--count", "many"),
        ("provenance", "rooftop"),
        ("usage", "rain"),
        ("usage", "loras:rain"),
        ("pin", "rooftop", "lora:rain", "--reason", "x"),
        ("render", "rooftop/night", "--engine", "sketch", "--set", "seed"),
        ("render", "rooftop/night", "--engine", "sketch", "--input", "lora:rain=x"),
        ("render", "rooftop/night", "--engine", "sketch", "--input", "lora:rain=nan"),
        ("receipts",),
        ("up", "--port", "70000"),
    ],
)
def test_wrong_usage_exits_with_2(genlock: Run, words: tuple[str, ...]) -> None:
    ran = genlock(*words)
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert ran.err
    assert "Traceback" not in ran.err


def test_a_failure_exits_with_1_and_a_hint(typed: Run, genlock: Run, film: str) -> None:
    ran = typed("project", "show", f"{film}x")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"Error: There is no project '{film}x'.\nHint:  Did you mean {film}")
    refused = genlock("project", "show", f"{film}x", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (1, "not_found")
    assert film in refused.document["error"]["hint"]
    for words, suggestion in (
        (("provenance", f"{film}/nigth/1"), f"{film}/night"),
        (("provenance", f"{film}/night/9"), "It has 3"),
        (("asset", "show", "lora:rian", "--project", film), "lora:rain"),
    ):
        ran = genlock(*words)
        assert (ran.code, suggestion in ran.err) == (1, True), ran.err


@pytest.mark.parametrize("words", [("--json", "project", "list"), ("project", "list", "--json"), ("status", "--json")])
def test_json_output_is_one_document_only(typed: Run, film: str, words: tuple[str, ...]) -> None:
    ran = typed(*words)
    assert set(ran.document) >= {"items"}
    assert ran.err == ""


@pytest.mark.parametrize("words", [("inbox", "--json"), ("project", "--json", "list"), ("token", "--json", "list")])
def test_common_options_are_accepted_after_a_group(genlock: Run, film: str, words: tuple[str, ...]) -> None:
    assert set(genlock(*words).document) >= {"items"}


def test_a_group_passes_the_server_url_on(film: str) -> None:
    ran = in_process({}, ("token", "--url", "http://127.0.0.1:1", "--token", "t", "list"))
    assert "No answer from http://127.0.0.1:1" in ran.err


def test_a_path_that_is_not_a_file_creates_no_asset(genlock: Run, film: str, tmp_path: Path) -> None:
    sound = tmp_path / "sound_v1.bin"
    sound.write_bytes(b"sound")
    for wrong in (tmp_path, tmp_path / "absent_v1.bin"):
        refused = genlock("asset", "add", str(sound), str(wrong), "--kind", "other", "--project", film)
        assert (refused.code, refused.out) == (1, ""), "none is added when one cannot be"
    assert genlock("asset", "list", "--kind", "other", "--project", film, "--json").document["items"] == []


def test_every_view_is_available_as_json(genlock: Run, film: str) -> None:
    for words in (
        f"project show {film}|scene list {film}|segment list {film}|asset list|asset show lora:rain --project {film}"
        f"|asset history lora:rain --project {film}|asset impact lora:rain@1 --project {film}"
        f"|asset usage lora:rain --project {film}|status {film}|plans list|waivers {film}|pins {film}|token list"
        f"|events {film}|provenance {film}/night/1|receipts --seed 5"
    ).split("|"):
        ran = genlock(*words.split(), "--json")
        assert ran.code == 0, words
        assert isinstance(ran.document, dict), words
        plain = genlock(*words.split())
        assert (plain.code, bool(plain.out)) == (0, True), words


def test_an_unreachable_server_is_reported(tmp_path: Path) -> None:
    ran = in_process({}, ("--url", "http://127.0.0.1:1", "--token", "t", "project", "list"))
    assert (ran.code, ran.out) == (1, "")
    assert "No answer from http://127.0.0.1:1" in ran.err
    assert "Hint:" in ran.err


def test_the_named_server_is_used(studio: Served) -> None:
    ran = in_process({"GENLOCK_URL": studio.url, "GENLOCK_TOKEN": "nonsense"}, ("project", "list"))
    assert ran.code == 1
    assert in_process({"GENLOCK_URL": studio.url, "GENLOCK_TOKEN": studio.token}, ("project", "list")).code == 0
    assert in_process({}, ("project", "list", "--url", studio.url, "--token", studio.token)).code == 0


def test_control_characters_in_user_text_are_not_sent_to_the_terminal(genlock: Run, film: str) -> None:
    nasty = "\x1b[31mred\x1b]0;title\x07 [bold]not bold[/bold] :smile:"
    assert genlock("pin", film, "lora:rain@1", "--reason", nasty).code == 0
    shown = genlock("pins", film).out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[bold]not bold[/bold] :smile:" in shown
    assert genlock("pins", film, "--json").document["items"][0]["reason"] == nasty
    assert clean("a\tb\nc\x9b") == "a\tb\nc\N{REPLACEMENT CHARACTER}"


def in_a_terminal(environment: dict[str, str], *words: str) -> str:
    """Return what a command writes to a terminal."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "genlock.cli", *words], env=environment, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    output = b""
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # on Linux this means that the terminal was closed
            break
        if not chunk:
            break
        output += chunk
    os.close(controller)
    process.wait()
    return output.decode()


def test_a_terminal_gets_colours_unless_they_are_disabled(studio: Served, film: str) -> None:
    environment = {**studio.environment(), "TERM": "xterm-256color", "COLUMNS": "120"}
    environment.pop("NO_COLOR", None)
    assert "\x1b[" in in_a_terminal(environment, "status", film)
    assert "\x1b[3" not in in_a_terminal({**environment, "NO_COLOR": "1"}, "status", film)
    assert "\x1b" not in out_of_process(environment, ("status", film)).out


def test_a_plan_shows_progress_bars_in_a_terminal(studio: Served, genlock: Run, film: str, samples: Path) -> None:
    assert render(genlock, f"{film}/night").code == 0
    genlock("asset", "add", str(samples / "rain_v2.safetensors"), "--kind", "lora", "--project", film)
    environment = {**studio.environment(), "TERM": "xterm-256color", "COLUMNS": "120"}
    shown = in_a_terminal(environment, "plan", film, "--yes")
    assert "━" in shown, "a bar"
    assert "succeeded – 3 segments rendered." in shown
    assert "Error" not in shown


def test_an_interrupt_ends_a_command_cleanly(studio: Served, film: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "genlock.cli", "events", film, "--follow", "--after", "0", "--json"],
        env=studio.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert process.stdout
    assert json.loads(process.stdout.readline())["verb"] == "project.created", "a document a line"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err == "Interrupted.\n"


def test_a_closed_pipe_is_not_an_error(studio: Served, film: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "genlock.cli", "events", film, "--json"],
        env=studio.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()


@pytest.mark.parametrize("words", [("--help",), ("plans", "--help"), ("--version",), ("--json", "unheard-of")])
def test_output_to_a_full_disk_is_an_error_of_one_sentence(words: tuple[str, ...], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "genlock.cli", *words],
            env={"PATH": os.defpath, "GENLOCK_DATA": str(tmp_path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1] == "Error: Could not write the output: No space left on device."


def test_results_for_a_full_disk_are_an_error_of_one_sentence(studio: Served, film: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "genlock.cli", "project", "list"],
            env=studio.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (1, "Error: Could not write the output: No space left on device.\n")


def test_an_internal_error_is_reported_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genlock.cli.verify.digest_of", _fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "r.json").write_text("{}")
    ran = in_process({}, ("verify", str(tmp_path / "r.json")))
    assert ran.code == 1
    assert "Unexpected error in Genlock: RuntimeError: on purpose" in ran.err
    assert "Traceback" not in ran.err
    (log,) = tmp_path.glob("genlock-*.log")
    assert "on purpose" in log.read_text()
    assert str(log) in ran.err


def _fail(*_: object) -> str:
    raise RuntimeError("on purpose")


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def up(tmp_path: Path, database: str) -> Start:
    """Return a function that starts ``genlock up`` on this test's data folder."""

    def start(*words: str) -> "subprocess.Popen[str]":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GENLOCK_")}
        given = ("--data", str(tmp_path / "data"), "--database-url", database, "--port", "0", "--workers", "0")
        return subprocess.Popen(
            [sys.executable, "-m", "genlock.cli", "up", *given, *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def test_up_prints_its_url_and_down_stops_it(up: Start, tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    process = up()
    assert process.stdout
    assert process.stderr
    assert "genlock down" in process.stderr.readline()
    while " is ready at " not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
    url = line.split()[-1]
    again = up()
    out, _ = again.communicate()
    assert (again.returncode, url in out) == (0, True)
    assert in_process({}, (*data, "project", "list")).code == 0
    assert in_process({}, (*data, "down")).out == f"The server at {url} is stopped.\n"
    process.communicate()
    assert process.returncode == 0
    assert in_process({}, (*data, "down", "--json")).document == {"stopped": None}


@pytest.mark.long
def test_up_prints_json_and_ends_on_a_signal(up: Start, tmp_path: Path) -> None:
    process = up("--json")
    assert process.stdout
    document = json.loads("".join(iter(lambda: process.stdout.readline(), "}\n")) + "}")  # pyright: ignore[reportOptionalMemberAccess]
    assert document["data"] == str(tmp_path / "data")
    assert json.loads((tmp_path / "data" / "server.json").read_text())["url"] == document["url"]
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 0


@pytest.mark.long
def test_up_on_a_taken_port_names_the_option(studio: Served, tmp_path: Path, database: str) -> None:
    port = studio.url.rpartition(":")[2]
    given = ("--data", str(tmp_path / "data"), "--database-url", database, "--port", port)
    ran = out_of_process(studio.environment(), ("up", *given))
    assert (ran.code, "--port" in ran.err) == (1, True)
