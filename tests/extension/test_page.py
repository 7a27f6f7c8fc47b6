"""ComfyUI's real page in a real browser: after a run it shows the receipt's number, and what is out of date."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.comfyui import models
from tests.comfyui.builds import chosen_build
from tests.comfyui.server import ComfyServer, require
from tests.comfyui.workflows import node
from tests.conftest import LiveServer
from tests.extension.browser import CONTROL, Page, browsing
from tests.extension.watched import Watched, prepare, video

pytestmark = pytest.mark.long

ENTER = 13
TOASTS = "[...document.querySelectorAll('.p-toast-message')].map((toast) => toast.innerText).filter(Boolean)"
STILL = "document.querySelectorAll('.p-toast-message').length && document.getAnimations().length === 0"


@pytest.fixture
def watched(tmp_path: Path, live_server: LiveServer) -> Generator[Watched]:
    """Start a ComfyUI with its page and the extension, connected to a Genlock with a project."""
    require(chosen_build().has_front_end(), "there is no page of ComfyUI's here: run `make comfyui`")
    base = tmp_path / "comfyui"
    prepare(base)
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}))
    comfy = ComfyServer(base, front_end=chosen_build().front_end)
    watched_comfy = Watched(comfy, live_server)
    watched_comfy.connect()
    watched_comfy.film()
    comfy.start()
    yield watched_comfy
    comfy.stop()


def run_in(page: Page, watched: Watched, seed: int, lora: str) -> None:
    """Load a graph with a Genlock node into the page, and start it as a user does: Control and Enter."""
    graph = video("walk", lora, seed=seed)
    graph["50"] = node("GenlockPlace", project="rooftop", scene="night", segment="1")
    page.value(f"window.app.loadApiJson({json.dumps(graph)}, 'walk')")
    page.press("Enter", ENTER, CONTROL)


def test_a_notice_shows_the_receipt_and_a_warning_the_outdated_lora(watched: Watched, tmp_path: Path) -> None:
    file = models.write(tmp_path / "rain.safetensors", models.lora(11))
    newer = models.write(tmp_path / "newer" / "rain.safetensors", models.lora(12))
    watched.lora("rain.safetensors", 11)
    assert watched.command("asset", "add", str(file), "--kind", "lora").code == 0
    with browsing(tmp_path / "browser") as page:
        page.open(watched.comfy.url)
        page.see("window.app.extensionManager && window.app.graph && window.app.rootGraph !== null")
        run_in(page, watched, 1, "rain.safetensors")
        (notice,) = page.see(f"{TOASTS}.length && {TOASTS}")
        page.see(STILL)
        page.picture(tmp_path / "notice.png")
        capture = watched.captures()[0]
        assert f"Genlock: Receipt {capture['receipt_id']} · rooftop/night/1" in notice
        assert watched.command("asset", "add", str(newer), "--kind", "lora").code == 0
        run_in(page, watched, 2, "rain.safetensors")
        warned = page.see(f"{TOASTS}.find((text) => text.includes('active'))")
        page.see(f"{STILL} && {TOASTS}.length === 1")
        page.picture(tmp_path / "warning.png")
        capture = watched.captures()[0]
        assert f"Genlock: Receipt {capture['receipt_id']}" in warned
        assert "lora rain: this run used v1, v2 is active" in warned
    assert len(watched.captures()) == 2
