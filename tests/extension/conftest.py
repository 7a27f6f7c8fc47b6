"""Fixtures of the tests of the extension inside a real ComfyUI."""

from collections.abc import Generator
from pathlib import Path

import pytest
from tests.comfyui.server import ComfyServer
from tests.conftest import LiveServer
from tests.extension.watched import Watched, serving_extension


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Generator[ComfyServer]:
    """Start a ComfyUI with the extension and a gate, not connected to any Genlock yet."""
    with serving_extension(tmp_path_factory.mktemp("comfyui"), "gate") as started:
        yield started


@pytest.fixture
def watched(comfy: ComfyServer, live_server: LiveServer) -> Watched:
    """Connect that ComfyUI to a Genlock of this test, with a project in it."""
    watched_comfy = Watched(comfy, live_server)
    watched_comfy.connect()
    watched_comfy.film()
    return watched_comfy


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return the folder of a gate: `reached` appears in it, `open` opens it."""
    folder = tmp_path / "gate"
    folder.mkdir()
    return folder
