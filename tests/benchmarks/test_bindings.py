"""The measurement of bindings tells right, missing and wrong apart."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.comfyui import workflows

from benchmarks import bindings

RIGHT: dict[str, Any] = {
    "kind": "local",
    "outputs": [{"node": "13"}],
    "models": [
        {"node": "1", "input": "unet_name", "folder": "diffusion_models"},
        {"node": "4", "input": "clip_name", "folder": "text_encoders"},
        {"node": "7", "input": "vae_name", "folder": "vae"},
    ],
    "loras": [{"node": "2", "input": "lora_name", "strengths": [{"node": "2", "input": "strength_model"}]}],
    "start_image": [{"node": "8", "input": "image"}],
    "prompt": [{"node": "5", "input": "text"}],
    "negative": [{"node": "6", "input": "text"}],
    "seed": [{"node": "10", "input": "seed"}, {"node": "99", "input": "noise_seed", "inert": "it adds no noise"}],
    "steps": [{"node": "10", "input": "steps"}],
    "cfg": [{"node": "10", "input": "cfg"}],
    "sampler": [{"node": "10", "input": "sampler_name"}],
    "width": [{"node": "9", "input": "width"}],
    "height": [{"node": "9", "input": "height"}],
    "frames": [{"node": "9", "input": "length"}],
    "fps": [{"node": "13", "input": "fps"}, {"node": "9", "input": "fps", "role": "conditioning"}],
}


def written(folder: Path, **changes: Any) -> Path:
    for name, content in (("api", workflows.image_to_video()), ("expected", RIGHT | changes)):
        (folder / name).mkdir()
        (folder / name / "walk.json").write_text(json.dumps(content))
    return folder


def measured(folder: Path) -> bindings.Measured:
    result = bindings.measure(folder, "walk", bindings.definitions_in(folder))
    assert result is not None
    return result


def test_everything_found_is_right(tmp_path: Path) -> None:
    result = measured(written(tmp_path))
    assert result.misses == ()
    assert bindings.table([result]).count("1/1 (100 %)") == len(result.fields) + 1


@pytest.mark.parametrize(
    ("field", "changes", "wrong"),
    [
        ("output", {"outputs": [{"node": "11"}]}, True),
        ("models", {"models": [*RIGHT["models"][:2], {"node": "7", "input": "vae_name", "folder": "clip"}]}, True),
        ("LoRA", {"loras": [{"node": "2", "input": "lora_name", "strengths": [{"node": "2", "input": "x"}]}]}, False),
        ("start image", {"start_image": None}, True),
        ("end image", {"end_image": [{"node": "8", "input": "image"}]}, False),
        ("seed", {"seed": [*RIGHT["seed"], {"node": "11", "input": "seed"}]}, False),
    ],
)
def test_what_differs_is_missing_or_wrong(tmp_path: Path, field: str, changes: dict[str, Any], wrong: bool) -> None:
    [miss] = measured(written(tmp_path, **changes)).misses
    assert (miss.field, miss.wrong) == (field, wrong)


def test_a_graph_that_is_not_to_be_measured_is_left_out(tmp_path: Path) -> None:
    assert bindings.measure(written(tmp_path, scored=False), "walk", {}) is None
