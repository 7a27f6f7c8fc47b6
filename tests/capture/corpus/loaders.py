"""Loaders of custom nodes: other names, several files at once, and rows that are switched off."""

from typing import Any

from tests.capture.corpus.cases import (
    BASE,
    ENCODER,
    MODEL,
    SAMPLED,
    START,
    VAE,
    WHOLE,
    Because,
    Case,
    Input,
    image_to_video,
    ksampler,
    named,
    node,
)

from genlock.capture.run_record import LoadedFile

_RAIN = Input("lora", "rain.safetensors", "the first row", 0.8)
_SNOW = Input("lora", "snow.safetensors", "the second row", 0.3)
_DIGEST = "sha256:" + "ab" * 32


def _with_loras(class_type: str, inputs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return image_to_video(n2=named(class_type, {"model": ["1", 0], **inputs}), n10=ksampler(model=("2", 0)))


_WRAPPED = {
    "1": named("WanVideoModelLoader", {"model": "wan.safetensors", "base_precision": "bf16", "lora": ["2", 0]}),
    "2": named("WanVideoLoraSelect", {"lora": "rain.safetensors", "strength": 0.8}),
    "4": named("LoadWanVideoT5TextEncoder", {"model_name": "umt5.safetensors", "precision": "bf16"}),
    "5": named("WanVideoTextEncode", {"positive_prompt": "she walks", "negative_prompt": "blurry", "t5": ["4", 0]}),
    "7": named("WanVideoVAELoader", {"model_name": "wan_vae.safetensors"}),
    "9": named("WanVideoEmptyEmbeds", {"width": 64, "height": 48, "num_frames": 9}),
    "10": named(
        "WanVideoSampler",
        {
            "model": ["1", 0],
            "text_embeds": ["5", 0],
            "image_embeds": ["9", 0],
            "steps": 3,
            "cfg": 4.0,
            "shift": 5.0,
            "seed": 42,
            "scheduler": "unipc",
        },
    ),
    "11": named("WanVideoDecode", {"vae": ["7", 0], "samples": ["10", 0]}),
    "12": named("VHS_VideoCombine", {"images": ["11", 0], "frame_rate": 16, "filename_prefix": "walk"}),
}

LOADERS = (
    Case(
        "GGUF models",
        image_to_video(
            n1=node("UnetLoaderGGUF", unet_name="wan-Q4_K_M.gguf"),
            n4=node("CLIPLoaderGGUF", clip_name="umt5-Q5.gguf", type="wan"),
        ),
        (
            ENCODER._replace(name="umt5-Q5.gguf", why="clip_name says what it is"),
            START,
            VAE,
            MODEL._replace(name="wan-Q4_K_M.gguf", why="unet_name says what it is"),
        ),
        WHOLE,
    ),
    Case(
        "two text encoders",
        image_to_video(
            n4=node("DualCLIPLoader", clip_name1="clip_l.safetensors", clip_name2="llava.safetensors", type="hunyuan")
        ),
        (
            ENCODER._replace(name="clip_l.safetensors", why="clip_name1"),
            ENCODER._replace(name="llava.safetensors", why="clip_name2"),
            START,
            VAE,
            MODEL,
        ),
        WHOLE,
    ),
    Case(
        "rows of objects, one switched off",
        _with_loras(
            "Power Lora Loader (rgthree)",
            {
                "PowerLoraLoaderHeaderWidget": {"type": "PowerLoraLoaderHeaderWidget"},
                "lora_1": {"on": True, "lora": "rain.safetensors", "strength": 0.8},
                "lora_2": {"on": False, "lora": "fog.safetensors", "strength": 1.0},
                "lora_10": {"on": True, "lora": "snow.safetensors", "strength": 0.3, "strengthTwo": 0.2},
                "➕ Add Lora": "",
            },
        ),
        (*BASE, _RAIN, _SNOW._replace(strength_clip=0.2, why="lora_10 follows lora_2, which is off and not loaded")),
        WHOLE,
    ),
    Case(
        "numbered rows, some empty",
        _with_loras(
            "Lora Loader Stack (rgthree)",
            {
                "lora_01": "rain.safetensors",
                "strength_01": 0.8,
                "lora_02": "None",
                "strength_02": 1.0,
                "lora_03": "snow.safetensors",
                "strength_03": 0.3,
            },
        ),
        (*BASE, _RAIN, _SNOW._replace(why="lora_03; 'None' in lora_02 is no file")),
        WHOLE,
    ),
    Case(
        "rows that are counted",
        _with_loras(
            "LoRA Stacker",
            {
                "input_mode": "simple",
                "lora_count": 2,
                "lora_name_1": "rain.safetensors",
                "lora_wt_1": 0.8,
                "model_str_1": 1.0,
                "clip_str_1": 1.0,
                "lora_name_2": "snow.safetensors",
                "lora_wt_2": 0.3,
                "model_str_2": 1.0,
                "clip_str_2": 1.0,
                "lora_name_3": "fog.safetensors",
                "lora_wt_3": 1.0,
            },
        ),
        (
            *BASE,
            _RAIN._replace(strength_clip=0.8, why="simple: lora_wt is both strengths"),
            _SNOW._replace(strength_clip=0.3, why="simple: lora_wt is both strengths; a third row is not counted"),
        ),
        WHOLE,
    ),
    Case(
        "rows with switches beside them",
        _with_loras(
            "CR LoRA Stack",
            {
                "switch_1": "On",
                "lora_name_1": "rain.safetensors",
                "model_weight_1": 0.8,
                "clip_weight_1": 0.7,
                "switch_2": "Off",
                "lora_name_2": "snow.safetensors",
                "model_weight_2": 0.3,
                "clip_weight_2": 0.3,
            },
        ),
        (*BASE, _RAIN._replace(strength_clip=0.7, why="switch_1 is on; switch_2 is off")),
        WHOLE,
    ),
    Case(
        "a list within an object",
        _with_loras(
            "Lora Loader (LoraManager)",
            {
                "loras": {
                    "__value__": [
                        {"name": "rain.safetensors", "strength": 0.8, "active": True},
                        {"name": "fog.safetensors", "strength": 1.0, "active": False},
                        {"name": "snow.safetensors", "strength": 0.3, "active": True},
                    ]
                }
            },
        ),
        (*BASE, _RAIN, _SNOW._replace(why="the third row; the second is not active")),
        WHOLE,
    ),
    Case(
        "everything by nodes of another pack",
        _WRAPPED,
        (
            _RAIN._replace(why="WanVideoLoraSelect, before the model that takes it"),
            MODEL._replace(why="WanVideoModelLoader: the class says what 'model' is"),
            ENCODER._replace(why="LoadWanVideoT5TextEncoder: the class says what 'model_name' is"),
            VAE._replace(why="WanVideoVAELoader: the class says what 'model_name' is"),
        ),
        {
            "prompt": Because("she walks", "positive_prompt says its side"),
            "negative_prompt": Because("blurry", "negative_prompt says its side"),
            "fps": Because(16.0, "VHS_VideoCombine.frame_rate"),
            **{word: SAMPLED[word] for word in ("seed", "steps", "cfg")},
            "scheduler": Because("unipc", "WanVideoSampler.scheduler"),
            "width": Because(64, "WanVideoImageToVideoEncode says size and frames in one node"),
            "height": Because(48, "likewise"),
            "frames": Because(9, "likewise"),
        },
    ),
    Case(
        "a class that nobody knows, a folder that holds the file",
        image_to_video(n1=named("Loader9000", {"what": "wan.bits", "mode": "wan"})),
        (ENCODER, START, VAE, MODEL._replace(name="wan.bits", why="diffusion_models has a file of that name")),
        WHOLE,
        folders={"diffusion_models": ["wan.bits", "wan"], "loras": ["rain.safetensors"]},
    ),
    Case(
        "a class that nobody knows, and no folders",
        image_to_video(n1=named("Loader9000", {"what": "wan.safetensors"})),
        (ENCODER, START, VAE, Input("other", "wan.safetensors", "weights for certain; nothing says which kind")),
        WHOLE,
    ),
    Case(
        "a name that two folders have",
        image_to_video(n1=named("Loader9000", {"unet_file": "wan.safetensors"})),
        (ENCODER, START, VAE, MODEL._replace(why="both folders have it, and the input says unet")),
        WHOLE,
        folders={"diffusion_models": ["wan.safetensors"], "loras": ["wan.safetensors"]},
    ),
    Case(
        "a picture that only the input folder knows",
        image_to_video(n8=named("PickPicture", {"choice": "start.raw"})),
        (ENCODER, Input("other", "start.raw", "the input folder has it; its name does not say what it is"), VAE, MODEL),
        WHOLE,
        folders={"input": ["start.raw"]},
    ),
    Case(
        "a VAE that is no file",
        image_to_video(n7=node("VAELoader", vae_name="pixel_space")),
        (ENCODER, START, MODEL),  # pixel_space is a word of VAELoader's own
        WHOLE,
    ),
    Case(
        "files as they were loaded",
        image_to_video(n2=node("LoraLoaderModelOnly", model=["1", 0], lora_name="rain.safetensors", strength_model=1)),
        (
            ENCODER,
            START._replace(digest=_DIGEST, why="hashed while LoadImage read it"),
            VAE,
            MODEL,
            Input("lora", "inner.safetensors", "loaded by a node that came into being while the graph ran", None),
        ),
        WHOLE,
        loaded_files=(
            LoadedFile(node="8", input="image", category="input", name="start.png", digest=_DIGEST),
            LoadedFile(node="10.0.0.1", category="loras", name="inner.safetensors", missing="it changed"),
            LoadedFile(node="2", category="loras", name="rain.safetensors", digest=_DIGEST),  # leads to no output
        ),
    ),
)
