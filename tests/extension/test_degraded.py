"""A ComfyUI that another pack changed: what can still be observed is recorded, and the rest is reported."""

from pathlib import Path

import pytest
from tests.conftest import LiveServer
from tests.extension.watched import Watched, serving_extension, video

pytestmark = pytest.mark.long


def test_missing_hooks_are_reported_and_runs_are_still_captured(tmp_path: Path, live_server: LiveServer) -> None:
    with serving_extension(tmp_path / "comfyui", "wrapper") as comfy:
        assert "nodes, cached_nodes cannot be seen" in comfy.log.read_text(errors="replace")
        watched = Watched(comfy, live_server)
        watched.connect()
        watched.film()
        first = watched.run(video("genlock/rooftop/night/1", seed=1))
        again = watched.run(video("genlock/rooftop/night/1", seed=1))
        diagnosis = watched.command("comfyui", "doctor", str(comfy.base), "--comfyui", comfy.url)
    assert (first["state"], again["state"]) == ("recorded", "repeated")
    sees = first["record"]["capture"]["sees"]
    assert [name for name, works in sees.items() if not works] == ["nodes", "cached_nodes"]
    assert first["record"]["files"] == []
    take = watched.take(1)
    assert not any("digest" in line for line in take["receipt"]["document"]["inputs"])
    assert take["take"]["missing"] != []
    assert diagnosis.code == 1
    assert "not: nodes, cached_nodes" in diagnosis.out
