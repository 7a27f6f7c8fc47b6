"""Graphs of ComfyUI's own nodes: how files, LoRAs and sizes are read, and what an editor leaves in the graph."""

from tests.capture.corpus.cases import (
    BASE,
    ENCODER,
    MODEL,
    PROMPTED,
    SAMPLED,
    SIZED,
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

_RAIN = Input("lora", "rain.safetensors", "LoraLoaderModelOnly 2 is between model and sampler", 0.8)
_SNOW = Input("lora", "snow.safetensors", "LoraLoaderModelOnly 3 takes what 2 gives, so it is second", 0.3)


def _lora(model: list[object], name: str, strength: object) -> dict[str, object]:
    return node("LoraLoaderModelOnly", model=model, lora_name=name, strength_model=strength)


_SUBGRAPH = {
    key.replace("2", "21:2") if key in ("2",) else key: value
    for key, value in image_to_video(
        n2=_lora(["1", 0], "rain.safetensors", 0.8), n10=ksampler(model=("21:2", 0))
    ).items()
}
_EDITED = image_to_video(n10=ksampler(cfg=4, denoise=1))
_EDITED["8"] = {**_EDITED["8"], "is_changed": ["ab" * 32], "_meta": {"title": "the start"}}

PLAIN = (
    Case("image to video, files apart", image_to_video(), BASE, WHOLE),
    Case(
        "one LoRA",
        image_to_video(n2=_lora(["1", 0], "rain.safetensors", 0.8), n10=ksampler(model=("2", 0))),
        (*BASE, _RAIN),
        WHOLE,
    ),
    Case(
        "two LoRAs, the ids against the order",
        image_to_video(
            n30=_lora(["1", 0], "rain.safetensors", 0.8),
            n2=_lora(["30", 0], "snow.safetensors", 0.3),
            n10=ksampler(model=("2", 0)),
        ),
        (*BASE, _RAIN, _SNOW),
        WHOLE,
    ),
    Case(
        "the same LoRA twice",
        image_to_video(
            n2=_lora(["1", 0], "rain.safetensors", 0.8),
            n3=_lora(["2", 0], "rain.safetensors", 0.3),
            n10=ksampler(model=("3", 0)),
        ),
        (*BASE, _RAIN, _RAIN._replace(strength_model=0.3, why="applied again: two inputs, each with its strength")),
        WHOLE,
    ),
    Case(
        "a LoRA with strength 0",
        image_to_video(n2=_lora(["1", 0], "rain.safetensors", 0), n10=ksampler(model=("2", 0))),
        (*BASE, _RAIN._replace(strength_model=0.0, why="loads nothing, and is still named: a dependency")),
        WHOLE,
    ),
    Case(
        "a LoRA for model and text encoder",
        image_to_video(
            n2=node(
                "LoraLoader",
                model=["1", 0],
                clip=["4", 0],
                lora_name="rain.safetensors",
                strength_model=0.8,
                strength_clip=0.5,
            ),
            n5=node("CLIPTextEncode", clip=["2", 1], text="she walks"),
            n10=ksampler(model=("2", 0)),
        ),
        # The prompt is encoded with the LoRA, so the LoRA and its model come before the picture is read.
        (ENCODER, MODEL, _RAIN._replace(strength_clip=0.5), START, VAE),
        WHOLE,
    ),
    Case(
        "one checkpoint for model and VAE",
        image_to_video(
            n1=node("CheckpointLoaderSimple", ckpt_name="all.safetensors"),
            n7=None,
            n9=node(
                "WanImageToVideo",
                positive=["5", 0],
                negative=["6", 0],
                vae=["1", 2],
                start_image=["8", 0],
                width=64,
                height=48,
                length=9,
            ),
            n11=node("VAEDecode", samples=["10", 0], vae=["1", 2]),
        ),
        (ENCODER, START, Input("model", "all.safetensors", "a checkpoint is the model, whatever else is in it")),
        WHOLE,
    ),
    Case(
        "a checkpoint, and a VAE of its own",
        image_to_video(n1=node("CheckpointLoaderSimple", ckpt_name="all.safetensors")),
        (ENCODER, START, VAE, Input("model", "all.safetensors", "its model is used, its VAE is not")),
        WHOLE,
    ),
    Case(
        "inside a subgraph",
        _SUBGRAPH,
        (*BASE, _RAIN._replace(why="node 21:2: an editor writes the ids of subgraphs so")),
        WHOLE,
    ),
    Case(
        "a bypassed LoRA",
        image_to_video(),
        BASE,  # an editor leaves a bypassed node out and links the model past it: nothing of it is in the graph
        WHOLE,
    ),
    Case(
        "a muted start image",
        image_to_video(
            n8=None,
            n9=node(
                "WanImageToVideo", positive=["5", 0], negative=["6", 0], vae=["7", 0], width=64, height=48, length=9
            ),
        ),
        (ENCODER, VAE, MODEL),  # an editor leaves a muted node out, and the inputs it fed
        WHOLE,
    ),
    Case(
        "a LoRA that leads nowhere",
        image_to_video(n2=_lora(["1", 0], "rain.safetensors", 0.8)),
        BASE,  # the sampler takes the bare model: a node that reaches no output is not used
        WHOLE,
    ),
    Case(
        "the titles, whole numbers and fingerprints of an editor",
        _EDITED,
        BASE,  # 4 is 4.0; _meta and is_changed do not affect the result
        WHOLE,
    ),
    Case(
        "one of two outputs",
        image_to_video(n20=node("SaveImage", images=["8", 0], filename_prefix="copy")),
        (START._replace(why="only the picture leads to output 20"),),
        {},
        output="20",
    ),
    Case(
        "a picture out of the output folder",
        image_to_video(n8=node("LoadImage", image="walk_00001_.png [output]")),
        (ENCODER, START._replace(name="walk_00001_.png", why="[output] says the folder, not the name"), VAE, MODEL),
        WHOLE,
    ),
    Case(
        "first and last picture",
        image_to_video(
            n14=node("LoadImage", image="end.png"),
            n9=node(
                "WanFirstLastFrameToVideo",
                positive=["5", 0],
                negative=["6", 0],
                vae=["7", 0],
                start_image=["8", 0],
                end_image=["14", 0],
                width=64,
                height=48,
                length=9,
            ),
        ),
        (Input("source_image", "end.png", "end_image comes before start_image by name"), *BASE),
        WHOLE,
    ),
    Case(
        "text to video",
        image_to_video(
            n8=None,
            n7=node("VAELoader", vae_name="hunyuan_vae.safetensors"),
            n9=node("EmptyHunyuanLatentVideo", width=64, height=48, length=9, batch_size=1),
            n10=ksampler(latent=("9", 0), positive=["5", 0], negative=["6", 0]),
        ),
        (MODEL, ENCODER, VAE._replace(name="hunyuan_vae.safetensors", why="VAELoader decodes the frames")),
        PROMPTED
        | SAMPLED
        | {
            "width": Because(64, "EmptyHunyuanLatentVideo.width"),
            "height": Because(48, "EmptyHunyuanLatentVideo.height"),
            "frames": Because(9, "EmptyHunyuanLatentVideo.length"),
            "fps": SIZED["fps"],
        },
    ),
    Case(
        "a seed beyond what floats can say",
        image_to_video(n10=ksampler(seed=18446744073709551615)),
        BASE,
        WHOLE | {"seed": Because("18446744073709551615", "exact to the last digit")},
    ),
    Case(
        "values that no receipt can take",
        image_to_video(n10=ksampler(seed=-1, steps=0)),
        BASE,
        {word: it for word, it in WHOLE.items() if word != "seed"}
        | {"steps": Because(0, "no steps were taken: the latent as it was")},
    ),
    Case(
        "a ControlNet",
        image_to_video(
            n15=node("ControlNetLoader", control_net_name="depth.safetensors"),
            n16=node("LoadImage", image="depth.png"),
            n17=node(
                "ControlNetApplyAdvanced",
                positive=["5", 0],
                negative=["6", 0],
                control_net=["15", 0],
                image=["16", 0],
                strength=0.7,
                start_percent=0.0,
                end_percent=1.0,
            ),
            n9=node(
                "WanImageToVideo",
                positive=["17", 0],
                negative=["17", 1],
                vae=["7", 0],
                start_image=["8", 0],
                width=64,
                height=48,
                length=9,
            ),
        ),
        (
            Input("controlnet", "depth.safetensors", "ControlNetLoader"),
            Input("source_image", "depth.png", "LoadImage feeds the ControlNet"),
            ENCODER,
            START,
            VAE,
            MODEL,
        ),
        WHOLE,
    ),
    Case(
        "a video that is loaded and saved at its own rate",
        {
            "1": named("VHS_LoadVideo", {"video": "walk.mp4", "force_rate": 0, "custom_width": 0}),
            "2": named("VHS_VideoCombine", {"images": ["1", 0], "frame_rate": 16, "filename_prefix": "again"}),
        },
        (Input("video", "walk.mp4", "VHS_LoadVideo names a file of the input folder"),),
        {"fps": Because(16.0, "VHS_VideoCombine.frame_rate")},
    ),
)
