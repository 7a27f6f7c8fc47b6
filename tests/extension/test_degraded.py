"""A ComfyUI that another pack changed: what can still be seen is told, and the rest is said."""

from pathlib import Path

import pytest
from tests.conftest import LiveServer
from tests.extension.watched import Watched, serving_extension, video

pytestmark = pytest.mark.long


def test_what_cannot_be_seen_is_said_and_runs_arrive_all_the_same(tmp_path: Path, live_server: LiveServer) -> None:
    with serving_extension(tmp_path / "comfyui", "wrapper") as comfy:
        assert "nodes, cached_nodes cannot be seen" in comfy.log.read_text(errors="replace")
        watched = Watched(comfy, live_server)
        watched.connect()
        watched.film()
        first = watched.run(video("genlock/rooftop/night/1", seed=1))
        again = watched.run(video("genlock/rooftop/night/1", seed=1))
        looked = watched.command("comfyui", "doctor", str(comfy.base), "--comfyui", comfy.url)
    assert (first["state"], again["state"]) == ("recorded", "repeated")
    sees = first["record"]["capture"]["sees"]
    assert [name for name, works in sees.items() if not works] == ["nodes", "cached_nodes"]
    assert first["record"]["files"] == []
    take = watched.take(1)
    assert not any("digest" in line for line in take["receipt"]["document"]["inputs"])
    assert take["take"]["missing"] != []
    assert looked.code == 1
    assert "not: nodes, cached_nodes" in looked.out
