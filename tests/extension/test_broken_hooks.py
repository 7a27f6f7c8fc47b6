"""Each hook broken, and all of them: the run still gets its receipt, with weaker evidence and the reason."""

from collections.abc import Generator
from pathlib import Path

import pytest
from tests.comfyui.server import ComfyServer
from tests.conftest import LiveServer
from tests.extension.watched import Watched, digest_of_file, serving_extension, used, video

pytestmark = pytest.mark.long

PREFIX = "genlock/rooftop/night"
HOOKS = ("file_names", "loads", "opens", "inputs", "nodes", "calls", "cached_nodes", "runs", "results")


@pytest.fixture
def broken(request: pytest.FixtureRequest, tmp_path: Path, live_server: LiveServer) -> Generator[Watched]:
    """Start a ComfyUI in which a hook is undone before the first prompt."""
    environment = {"BREAK_HOOK": str(request.param)}
    with serving_extension(tmp_path / "comfyui", "breaker", environment=environment) as comfy:
        watched = Watched(comfy, live_server)
        watched.connect()
        watched.film()
        yield watched


def weights_of(comfy: ComfyServer) -> dict[str, str]:
    """Return the digests of the files that the graph names, by their names in it."""
    names = ("diffusion_models/tiny_wan_i2v", "text_encoders/tiny_clip_l", "vae/tiny_wan_vae", "loras/mara_v1")
    paths = [comfy.base / "models" / f"{name}.safetensors" for name in names]
    return {path.name: digest_of_file(path) for path in [*paths, comfy.base / "input" / "start.png"]}


@pytest.mark.parametrize("broken", [*HOOKS, "self_test", "all"], indirect=True)
def test_a_run_has_its_receipt_and_the_reason_of_its_weaker_evidence(
    broken: Watched, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["broken"]
    first = broken.run(video(f"{PREFIX}/1", seed=1))
    again = broken.run(video(f"{PREFIX}/1", seed=1))
    other = broken.run(video(f"{PREFIX}/2", seed=2))
    assert [first["state"], again["state"], other["state"]] == ["recorded", "repeated", "recorded"], again
    assert again["receipt_id"] == first["receipt_id"]
    for capture in (first, other):
        digests = weights_of(broken.comfy)
        assert used(capture).keys() <= digests.keys()
        assert {file: digest for file, digest in used(capture).items() if digest.startswith("sha256:")} == digests
    reasons = first["record"]["capture"]["reasons"]
    expected = "the hooks were not tested" if name in ("self_test", "all") else f"the hook for {name} does not work"
    assert any(reason.startswith(expected) for reason in reasons), reasons
    for segment in (1, 2):
        provenance = broken.take(segment)
        assert (provenance["state"], provenance["take"]["evidence"]) == ("unknown", "matched_by_name")
        assert set(reasons) <= set(provenance["take"]["missing"])
    diagnosis = broken.command("comfyui", "doctor", str(broken.comfy.base), "--comfyui", broken.comfy.url)
    assert diagnosis.code == 1
    assert expected in " ".join(diagnosis.out.split())


@pytest.mark.parametrize("broken", ["all"], indirect=True)
def test_a_failed_run_is_read_from_the_history_too(broken: Watched) -> None:
    graph = video(f"{PREFIX}/1", seed=3)
    graph["4"]["inputs"]["type"] = "stable_diffusion"  # whose texts are too narrow for this model
    failed = broken.run(graph)
    assert (failed["state"], failed["status"]) == ("failed", "error")
    assert "at node 10 (KSampler)" in failed["why"]
    assert failed["record"]["cached_nodes"] == []
