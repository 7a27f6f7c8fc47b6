"""A ComfyUI that another pack changed: what can still be observed is recorded, and the rest is reported."""

from pathlib import Path

import pytest
from tests.conftest import LiveServer
from tests.extension.watched import Watched, serving_extension, until, used, video

pytestmark = pytest.mark.long


def test_missing_hooks_are_reported_and_runs_are_still_captured(tmp_path: Path, live_server: LiveServer) -> None:
    with serving_extension(tmp_path / "comfyui", "wrapper") as comfy:
        until(lambda: "this ComfyUI is not as expected" in comfy.log.read_text(errors="replace"))
        assert "the hook for nodes does not work" in comfy.log.read_text(errors="replace")
        watched = Watched(comfy, live_server)
        watched.connect()
        watched.film()
        first = watched.run(video("genlock/rooftop/night/1", seed=1))
        again = watched.run(video("genlock/rooftop/night/1", seed=1))
        diagnosis = watched.command("comfyui", "doctor", str(comfy.base), "--comfyui", comfy.url)
    assert (first["state"], again["state"]) == ("recorded", "repeated")
    sees = first["record"]["capture"]["sees"]
    assert {name for name, works in sees.items() if not works} == {"nodes", "calls", "cached_nodes"}
    assert {file["observed"] for file in first["record"]["files"]} == {False}
    assert len(used(first)) == 5
    take = watched.take(1)
    assert (take["state"], take["take"]["evidence"]) == ("unknown", "matched_by_name")
    assert any("the hook for nodes does not work" in reason for reason in take["take"]["missing"])
    assert diagnosis.code == 1
    assert "not: nodes, calls, cached_nodes" in " ".join(diagnosis.out.split())
