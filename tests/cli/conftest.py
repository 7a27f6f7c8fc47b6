"""Fixtures of the CLI tests: a server with a worker, sample files, and commands run in and out of process."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.client.served import Served, served
from tests.fixtures_postgres import fresh_database
from typer.testing import CliRunner

from genlock.cli.app import app
from genlock.engines.sketch.samples import write_samples

_numbers = count(1)
SETTINGS = {
    **{"prompt": "walk", "negative_prompt": "", "seed": str(2**64 - 1), "cfg": "4", "steps": "1"},
    **{"sampler": "euler", "width": "64", "height": "64", "frames": "2"},
}
INPUTS = ("workflow:walk", "model:tiny", "lora:rain=0.8", "variant:clothed")


@dataclass(frozen=True)
class CommandResult:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Return the one JSON document on standard output."""
        return json.loads(self.out)


Run = Callable[..., CommandResult]


@pytest.fixture(scope="session")
def studio(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Start a server process with one worker."""
    with (
        fresh_database(postgres, template) as database,
        served(tmp_path_factory.mktemp("studio") / "data", database, workers=1) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the sketch engine's sample files to a folder."""
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


def heed_interrupts() -> None:
    """Give a new process its interrupt back, which the background jobs of a shell ignore, tests included."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def in_process(environment: Mapping[str, str], arguments: tuple[str, ...]) -> CommandResult:
    """Run a command in this process: quick, and never in a terminal."""
    result = CliRunner(env={**environment, "COLUMNS": "300"}).invoke(app, list(arguments), prog_name="genlock")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return CommandResult(result.exit_code, result.stdout, result.stderr)


def out_of_process(environment: Mapping[str, str], arguments: tuple[str, ...]) -> CommandResult:
    """Run a command in a new process, as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "genlock.cli", *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    return CommandResult(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def genlock(studio: Served) -> Run:
    """Return a function that runs a command against the server."""
    environment = studio.environment()
    return lambda *arguments: in_process(environment, arguments)


@pytest.fixture
def typed(studio: Served) -> Run:
    """Return a function that runs a command against the server in a new process."""
    environment = studio.environment()
    return lambda *arguments: out_of_process(environment, arguments)


@pytest.fixture
def slug() -> str:
    """Return the slug of a project that no other test has."""
    return f"film{next(_numbers)}"


@pytest.fixture
def film(genlock: Run, slug: str, samples: Path) -> str:
    """Create a project with scene `night` of 3 segments and the assets portrait, clothed, walk, tiny and rain."""
    assert genlock("project", "add", slug).code == 0
    assert genlock("scene", "add", slug, "night", "--segments", "3").code == 0
    for kind, file, *more in (
        ("source_image", "portrait_v1.png"),
        ("variant", "clothed_v1.png", "--from", "source_image:portrait@1"),
        ("workflow", "walk_v1.json"),
        ("model", "tiny_v1.safetensors"),
        ("lora", "rain_v1.safetensors"),
    ):
        ran = genlock("asset", "add", str(samples / file), "--kind", kind, "--project", slug, *more)
        assert ran.code == 0, ran.err
    return slug


def render(genlock: Run, place: str, *more: str) -> CommandResult:
    """Render a place of a project with small settings."""
    inputs = [word for reference in INPUTS for word in ("--input", reference)]
    settings = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    return genlock("render", place, "--engine", "sketch", *inputs, *settings, *more)
