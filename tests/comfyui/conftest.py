"""Fixtures of the tests against a real ComfyUI."""

from collections.abc import Generator
from pathlib import Path

import pytest
from tests.comfyui.server import ComfyServer, require_comfyui, serving
from tests.comfyui.studio import ComfyStudio

PACK = "somebodys_pack"
_NODE = """
class Nothing:
    INPUT_TYPES = classmethod(lambda cls: {"required": {}})
    RETURN_TYPES, FUNCTION = ("INT",), "run"

    def run(self):
        return (0,)


NODE_CLASS_MAPPINGS = {"SomebodysNothing": Nothing}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ComfyServer]:
    """Start a server for this module only, whose files may be overwritten; it has a node pack."""
    require_comfyui()
    base = tmp_path_factory.mktemp("comfyui")
    pack = base / "custom_nodes" / PACK
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(_NODE)
    with serving(base) as started:
        yield started


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Generator[ComfyServer]:
    """Start another server without a cache: its output depends only on the files that are there."""
    require_comfyui()
    with serving(tmp_path_factory.mktemp("truth"), "--cache-none") as started:
        yield started


@pytest.fixture
def studio(server: ComfyServer, tmp_path: Path) -> ComfyStudio:
    """Return jobs for that server, staged by content."""
    return ComfyStudio(server, tmp_path)
