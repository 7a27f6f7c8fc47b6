"""The kind of a file by its folder, and its name."""

from itertools import islice
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.model import Kind
from genlock.names import check_name
from genlock.watching.folders import kind_of, names_of


def split(path: str) -> tuple[tuple[str, ...], str]:
    parts = PurePosixPath(path).parts
    return parts[:-1], parts[-1]


KINDS = {
    "models/checkpoints/tiny.safetensors": Kind.MODEL,
    "models/diffusion_models/wan.safetensors": Kind.MODEL,
    "models/unet/flux.gguf": Kind.MODEL,
    "models/loras/rain.safetensors": Kind.LORA,
    "models/loras/wan/2.2/rain.safetensors": Kind.LORA,
    "ComfyUI/models/Loras/rain.SAFETENSORS": Kind.LORA,
    "models/vae/wan.pt": Kind.VAE,
    "models/text_encoders/t5.safetensors": Kind.TEXT_ENCODER,
    "models/clip/clip_l.safetensors": Kind.TEXT_ENCODER,
    "models/controlnet/canny.pth": Kind.CONTROLNET,
    "models/upscale_models/esrgan.pth": Kind.OTHER,
    "models/of_somebodys_node/weights.safetensors": Kind.OTHER,
    "models/loras/vae/rain.safetensors": Kind.LORA,
    "loras/rain.safetensors": Kind.LORA,
    "clip/models/loras/rain.safetensors": Kind.LORA,
    "input/portrait.png": Kind.SOURCE_IMAGE,
    "input/clips/portrait.WebP": Kind.SOURCE_IMAGE,
    "input/voice.flac": Kind.AUDIO,
    "input/plate.mp4": Kind.VIDEO,
}
NOT_OURS = [
    "rain.safetensors",
    "somewhere/rain.safetensors",
    "models/rain.safetensors",
    "models/loras/readme.txt",
    "models/loras/put_loras_here",
    "models/loras/.hidden.safetensors",
    "models/loras/.cache/rain.safetensors",
    "models/loras/rain.safetensors.part",
    "models/loras/rain.crdownload",
    "models/loras/genlock/1a2b3c/rain.safetensors",
    "input/genlock/1a2b3c.png",
    "input/notes.txt",
    "input/scan.bmp",
    "output/00001.png",
    "custom_nodes/pack/models/loras/rain.safetensors",
]


@pytest.mark.parametrize("path", KINDS)
def test_the_folder_decides_the_kind_of_a_file(path: str) -> None:
    assert kind_of(*split(path)) is KINDS[path]


@pytest.mark.parametrize("path", NOT_OURS)
def test_other_files_are_left_alone(path: str) -> None:
    assert kind_of(*split(path)) is None


def test_the_name_is_the_stem_with_more_parts_where_it_is_taken() -> None:
    names = list(islice(names_of(*split("models/loras/wan/2.2/rain_v2.safetensors")), 4))
    assert names == ["rain_v2", "rain_v2 (wan 2.2)", "rain_v2 (wan 2.2 safetensors)", "rain_v2 (wan 2.2 safetensors) 2"]
    assert next(names_of(*split("models/loras/a:b@c.safetensors"))) == "a_b_c"


@given(st.lists(st.text(max_size=300), max_size=3), st.text(min_size=1, max_size=300))
def test_any_file_gets_valid_and_distinct_names(folders: list[str], filename: str) -> None:
    names = list(islice(names_of(("models", "loras", *folders), filename), 6))
    assert [check_name(name) for name in names] == names
    assert len(set(names)) >= 3
