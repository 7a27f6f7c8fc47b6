"""The test server is a real one: it answers, and lists its tiny models."""

import httpx
import pytest
from tests.comfyui.builds import chosen_build
from tests.comfyui.server import ComfyServer

pytestmark = pytest.mark.long


def test_a_real_server_lists_the_tiny_models(comfyui_server: ComfyServer) -> None:
    stats = httpx.get(f"{comfyui_server.url}/system_stats").json()
    assert stats["system"]["comfyui_version"] == chosen_build().version
    assert stats["devices"][0]["type"] == "cpu"
    for category, name in (
        ("diffusion_models", "tiny_wan_i2v.safetensors"),
        ("vae", "tiny_wan_vae.safetensors"),
        ("text_encoders", "tiny_clip_l.safetensors"),
        ("checkpoints", "tiny_all.safetensors"),
        ("loras", "mara_v1.safetensors"),
    ):
        assert name in httpx.get(f"{comfyui_server.url}/models/{category}").json()
