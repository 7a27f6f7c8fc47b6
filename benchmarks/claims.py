"""Claims like those of the generated receipts, for recordings during the measurement."""

from collections.abc import Mapping
from typing import Any

from benchmarks.layout import HEIGHT, WIDTH


def claim(
    assets: Mapping[str, int],
    number: int,
    outputs: Mapping[str, str],
    *,
    lora_version: int = 1,
    continues: str | None = None,
) -> dict[str, Any]:
    """Return a claim of eight inputs (the source image is added by Genlock), different for each ``number``.

    ``continues`` is the digest of the last frame that the take continues.
    """
    used = [
        {"role": role, "asset": assets[role], "version": 1} for role in ("workflow", "model", "vae", "text_encoder")
    ]
    loras = [
        {"role": "lora", "asset": assets["lora"], "version": lora_version, "strength_model": 0.8},
        {"role": "lora", "asset": assets["style"], "version": 1, "strength_model": 0.45},
    ]
    variants = [{"role": "variant", "asset": assets["variant"], "version": 1}] if "variant" in assets else []
    frames = [{"role": "seed_frame", "digest": continues, "part": "last_frame"}] if continues else []
    return {
        "inputs": [*used, *loras, *variants, *frames],
        "parameters": {
            "prompt": f"she walks on through the rain, take {number}, slow dolly in, night, neon reflections",
            "negative_prompt": "blurry, watermark, text, low quality",
            "seed": str(number),
            "cfg": 4.5,
            "steps": 20,
            "sampler": "uni_pc",
            "scheduler": "simple",
            "width": WIDTH,
            "height": HEIGHT,
            "frames": 81,
            "fps": 16,
        },
        "engine": {
            "name": "comfyui",
            "version": "0.3.50",
            "environment": {"python": "3.11.9", "torch": "2.7.1+cu128", "device": "NVIDIA GeForce RTX 4090"},
        },
        "outputs": dict(outputs),
        "observed": {"duration_s": 41.5, "worker": "render-2"},
        "recorder": {"name": "bench", "version": "1"},
    }
