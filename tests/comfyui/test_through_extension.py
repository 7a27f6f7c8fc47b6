"""Files for a ComfyUI whose folders no worker can read: its extension fetches them from Genlock, by content."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.comfyui import models
from tests.comfyui.server import ComfyServer
from tests.comfyui.studio import ComfyStudio
from tests.conftest import LiveServer
from tests.extension.watched import Watched, serving_extension

from genlock.engines.comfyui.engine import ComfyUIEngine
from genlock.errors import Denied, Tampered, Unavailable

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ComfyServer]:
    """Start a ComfyUI with the extension."""
    with serving_extension(tmp_path_factory.mktemp("comfyui")) as started:
        yield started


@pytest.fixture
def watched(server: ComfyServer, live_server: LiveServer) -> Watched:
    """Connect that ComfyUI to a Genlock of this test."""
    watched_comfy = Watched(server, live_server)
    watched_comfy.connect()
    return watched_comfy


def secret_of(server: ComfyServer) -> str:
    return str(json.loads((server.base / "custom_nodes" / "genlock" / "genlock.json").read_text())["secret"])


def register(watched: Watched, *files: Path) -> None:
    """Upload files to Genlock, so that the extension can fetch them."""
    for path in files:
        added = watched.command("asset", "add", str(path), "--kind", "other")
        assert added.code == 0, added.err


async def test_a_replaced_lora_is_fetched_by_content(watched: Watched, truth: ComfyServer, tmp_path: Path) -> None:
    studio = ComfyStudio(watched.comfy, tmp_path / "studio")
    other = studio.lora(12)
    register(watched, *(path for name, path in studio.files.items() if name != "start"), other)
    studio.engine = ComfyUIEngine(watched.comfy.url, secret=secret_of(watched.comfy))
    results = [await studio.render(seed="1"), await studio.render({"lora": other}, seed="1")]
    honest = ComfyStudio(truth, tmp_path / "honest")
    expected = [await honest.render(seed="1"), await honest.render({"lora": other}, seed="1")]
    assert [result.frames_digest for result in results] == [result.frames_digest for result in expected]
    assert results[0].frames_digest != results[1].frames_digest
    assert {result.evidence for result in results} == {"recorded"}
    names = [json.loads(result.graph)["2"]["inputs"]["lora_name"] for result in results]
    assert len(set(names)) == 2
    assert all(name.startswith("genlock/") for name in names)


async def test_a_fetched_file_that_changes_during_the_run_fails_the_render(watched: Watched, tmp_path: Path) -> None:
    studio = ComfyStudio(watched.comfy, tmp_path / "studio")
    lora = studio.lora(31)
    register(watched, *(path for name, path in studio.files.items() if name != "start"), lora)
    engine = ComfyUIEngine(watched.comfy.url, secret=secret_of(watched.comfy))
    job = studio.job("changing", seed="2")

    def report(progress: float, message: str) -> None:
        for path in (watched.comfy.base / "models" / "loras" / "genlock").glob("*/*.safetensors"):
            if progress > 0.3 and path.read_bytes() == lora.read_bytes():
                models.write(path, models.lora(32))

    with pytest.raises(Tampered, match="other bytes"):
        await engine.render(job.spec, {**job.files, "lora": lora}, report)


async def test_obstacles_are_reported(watched: Watched, truth: ComfyServer, tmp_path: Path) -> None:
    studio = ComfyStudio(watched.comfy, tmp_path / "studio")
    studio.engine = ComfyUIEngine(watched.comfy.url, secret="guessed")
    with pytest.raises(Denied, match="another secret"):
        await studio.render()
    studio.engine = ComfyUIEngine(watched.comfy.url, secret=secret_of(watched.comfy))
    unknown = {"lora": studio.lora(77)}
    register(watched, *(path for name, path in studio.files.items() if name not in ("start", "lora")))
    with pytest.raises(Unavailable, match="could not fetch rain_v1") as missing:
        await studio.render(unknown)
    assert missing.value.code == "not_staged"
    studio.engine = ComfyUIEngine(truth.url, secret="any")
    with pytest.raises(Unavailable, match="no Genlock extension"):
        await studio.render()
