"""Fixtures of the SDK tests: one server for all of them, and a client of it."""

from collections.abc import Callable, Generator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from tests.client.served import Served, served
from tests.fixtures_postgres import fresh_database

from genlock.client import Genlock
from genlock.engines.media import encode_video
from genlock.timeline.model import Project

_numbers = count(1)


@pytest.fixture(scope="session")
def server(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Start a server process that may register the files of one folder in place."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "shelf").mkdir()
    with (
        fresh_database(postgres, template) as database,
        served(folder / "data", database, register_roots=str(folder / "shelf")) as running,
    ):
        yield running


@pytest.fixture
def gl(server: Served) -> Generator[Genlock]:
    """Return a client of the server."""
    with server.client() as client:
        yield client


@pytest.fixture
def project(gl: Genlock) -> Project:
    """Create a project that only this test uses."""
    return gl.create_project(f"p{next(_numbers)}", "A project")


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """Write a small file."""
    path = tmp_path / "rain_v1.bin"
    path.write_bytes(b"rain, one")
    return path


@pytest.fixture
def video(tmp_path: Path) -> Callable[[int], Path]:
    """Return a function that writes videos: four small frames of one shade."""

    def write(shade: int) -> Path:
        path = tmp_path / f"{shade}.mp4"
        encode_video(path, [np.full((32, 32, 3), shade, np.uint8)] * 4, 8)
        return path

    return write
