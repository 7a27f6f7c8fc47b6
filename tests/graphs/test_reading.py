"""What reading gives of an ordinary image-to-video graph: the places that a wish can be bound to."""

from typing import Any

import pytest

from genlock.errors import Invalid
from genlock.graphs.reading import read_uses
from genlock.graphs.uses import Setting

GRAPH: dict[str, Any] = {
    "1": {"class_type": "UNETLoader", "inputs": {"unet_name": "wan.safetensors", "weight_dtype": "default"}},
    "2": {
        "class_type": "LoraLoaderModelOnly",
        "inputs": {"model": ["1", 0], "lora_name": "rain.safetensors", "strength_model": 0.8},
    },
    "4": {"class_type": "CLIPLoader", "inputs": {"clip_name": "umt5.safetensors", "type": "wan"}},
    "5": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 0], "text": "she walks"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 0], "text": ["17", 0]}},
    "17": {"class_type": "PrimitiveString", "inputs": {"value": "blurry"}},
    "7": {"class_type": "VAELoader", "inputs": {"vae_name": "wan_vae.safetensors"}},
    "8": {"class_type": "LoadImage", "inputs": {"image": "start.png"}},
    "9": {
        "class_type": "WanImageToVideo",
        "inputs": {
            "positive": ["5", 0],
            "negative": ["6", 0],
            "vae": ["7", 0],
            "start_image": ["8", 0],
            "width": 64,
            "height": 48,
            "length": 9,
        },
    },
    "10": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["2", 0],
            "positive": ["9", 0],
            "negative": ["9", 1],
            "latent_image": ["9", 2],
            "seed": 42,
            "steps": 3,
            "cfg": 4.0,
            "sampler_name": "euler",
            "scheduler": "simple",
            "denoise": 1.0,
        },
    },
    "11": {"class_type": "VAEDecode", "inputs": {"samples": ["10", 0], "vae": ["7", 0]}},
    "12": {"class_type": "CreateVideo", "inputs": {"images": ["11", 0], "fps": 8.0}},
    "13": {"class_type": "SaveVideo", "inputs": {"video": ["12", 0], "filename_prefix": "walk"}},
    "20": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "copy"}},
}


def test_every_use_names_its_place() -> None:
    """Each use names its node and input, so that it can be set there."""
    reading = read_uses(GRAPH, "13")
    assert [(file.role, file.node, file.input, file.name) for file in reading.files] == [
        ("text_encoder", "4", "clip_name", "umt5.safetensors"),
        ("source_image", "8", "image", "start.png"),
        ("vae", "7", "vae_name", "wan_vae.safetensors"),
        ("model", "1", "unet_name", "wan.safetensors"),
        ("lora", "2", "lora_name", "rain.safetensors"),
    ]
    assert reading.of_role("lora")[0].strength_model == Setting("2", "strength_model", 0.8)
    (positive,), (negative,) = reading.texts_of("positive"), reading.texts_of("negative")
    assert (positive.node, positive.input, positive.text) == ("5", "text", "she walks")
    # The primitive holds the text, so another text is set there.
    assert (negative.node, negative.input, negative.text) == ("17", "value", "blurry")
    (sampler,) = reading.samplers
    assert {word: (setting.node, setting.input, setting.value) for word, setting in sampler.settings.items()} == {
        "seed": ("10", "seed", 42),
        "steps": ("10", "steps", 3),
        "cfg": ("10", "cfg", 4.0),
        "sampler": ("10", "sampler_name", "euler"),
        "scheduler": ("10", "scheduler", "simple"),
        "denoise": ("10", "denoise", 1.0),
    }
    assert reading.sizes == {
        "width": (Setting("9", "width", 64),),
        "height": (Setting("9", "height", 48),),
        "frames": (Setting("9", "length", 9),),
        "fps": (Setting("12", "fps", 8.0),),
    }
    assert [(image.node, image.purposes) for image in reading.images] == [("8", ("start_image",))]
    assert [(output.node, output.class_type, output.prefix) for output in reading.outputs] == [
        ("13", "SaveVideo", Setting("13", "filename_prefix", "walk"))
    ]
    assert reading.unresolved == ()


def test_without_an_output_all_are_read() -> None:
    """A graph is read for each node that saves something, in the order of their ids."""
    assert [output.node for output in read_uses(GRAPH).outputs] == ["13", "20"]


def test_only_what_leads_to_the_output_is_read() -> None:
    """The copy of the start image has nothing to do with the model."""
    assert [file.role for file in read_uses(GRAPH, "20").files] == ["source_image"]


def test_an_output_that_is_not_there_is_refused() -> None:
    """A binding that names a node of another graph must not read as an empty one."""
    with pytest.raises(Invalid, match="no node '99'"):
        read_uses(GRAPH, "99")
