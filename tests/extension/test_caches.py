"""ComfyUI with other caches than its usual one: a run is recorded with the files that were loaded, cached or not."""

from pathlib import Path

import pytest
from tests.conftest import LiveServer
from tests.extension.watched import Watched, serving_extension, used, video

pytestmark = pytest.mark.long

NAME = "rain.safetensors"


@pytest.mark.parametrize(
    ("flags", "remembers"), [(("--cache-none",), False), (("--cache-lru", "20"), True)], ids=["none", "lru"]
)
def test_a_replaced_lora_is_recorded_as_it_was_loaded(
    flags: tuple[str, ...], remembers: bool, tmp_path: Path, live_server: LiveServer
) -> None:
    with serving_extension(tmp_path / "comfyui", flags=flags) as comfy:
        watched = Watched(comfy, live_server)
        watched.connect()
        watched.film()
        old = watched.lora(NAME, 11)
        first = watched.run(video("genlock/rooftop/night/1", NAME, seed=1))
        new = watched.lora(NAME, 12)
        again = watched.run(video("genlock/rooftop/night/1", NAME, seed=1))
        other = watched.run(video("genlock/rooftop/night/2", NAME, seed=2))
    assert (first["state"], used(first)[NAME], len(used(first))) == ("recorded", old, 5)
    assert (again["state"], used(again)[NAME]) == (("repeated", old) if remembers else ("recorded", new))
    assert (other["state"], used(other)[NAME]) == ("recorded", old if remembers else new)
    assert used(other).keys() == used(first).keys()
