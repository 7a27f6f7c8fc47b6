"""Sampling in several stages, and sampling composed of noise, guidance, solver and schedule."""

from typing import Any

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


def _advanced(model: str, latent: list[object], **other: object) -> dict[str, Any]:
    return named(
        "KSamplerAdvanced",
        {
            "model": [model, 0],
            "positive": ["9", 0],
            "negative": ["9", 1],
            "latent_image": latent,
            "add_noise": "enable",
            "noise_seed": 7,
            "steps": 20,
            "cfg": 3.5,
            "sampler_name": "euler",
            "scheduler": "beta",
            "start_at_step": 0,
            "end_at_step": 10,
            "return_with_leftover_noise": "enable",
        }
        | other,
    )


_TWO_MODELS = image_to_video(
    n1=node("UNETLoader", unet_name="wan_high.safetensors"),
    n2=node("LoraLoaderModelOnly", model=["1", 0], lora_name="fast_high.safetensors", strength_model=1.0),
    n20=node("UNETLoader", unet_name="wan_low.safetensors"),
    n21=node("LoraLoaderModelOnly", model=["20", 0], lora_name="fast_low.safetensors", strength_model=0.9),
    n10=_advanced("2", ["9", 2]),
    n22=_advanced("21", ["10", 0], add_noise="disable", noise_seed=0, cfg=1.0, start_at_step=10, end_at_step=10000),
    n11=node("VAEDecode", samples=["22", 0], vae=["7", 0]),
)


def _custom(**changed: Any) -> dict[str, dict[str, Any]]:
    """Return text to video with SamplerCustomAdvanced: node 10 takes noise 30, guider 31, solver 32 and schedule 33."""
    graph = image_to_video(
        n8=None,
        n9=node("EmptyHunyuanLatentVideo", width=64, height=48, length=9),
        n30=node("RandomNoise", noise_seed=42),
        n31=node("CFGGuider", model=["1", 0], positive=["5", 0], negative=["6", 0], cfg=4.0),
        n32=node("KSamplerSelect", sampler_name="euler"),
        n33=node("BasicScheduler", model=["1", 0], scheduler="simple", steps=3, denoise=1.0),
        n10=node(
            "SamplerCustomAdvanced",
            noise=["30", 0],
            guider=["31", 0],
            sampler=["32", 0],
            sigmas=["33", 0],
            latent_image=["9", 0],
        ),
    )
    for key, other in changed.items():
        graph[key[1:]] = other
    return graph


_CUSTOM_INPUTS = (MODEL, ENCODER, VAE._replace(why="VAELoader decodes the frames"))
_CUSTOM = (
    PROMPTED
    | SIZED
    | {
        "seed": Because("42", "RandomNoise.noise_seed, behind the sampler's noise"),
        "cfg": Because(4.0, "CFGGuider.cfg, behind the sampler's guider"),
        "sampler": Because("euler", "KSamplerSelect.sampler_name"),
        "scheduler": Because("simple", "BasicScheduler.scheduler"),
        "steps": Because(3, "BasicScheduler.steps"),
        "denoise": Because(1.0, "BasicScheduler.denoise"),
    }
)

SAMPLINGS = (
    Case(
        "two models, two stages",
        _TWO_MODELS,
        (
            ENCODER,
            START,
            VAE,
            Input("model", "wan_high.safetensors", "the first stage's model: the second stage takes its latent"),
            Input("lora", "fast_high.safetensors", "on the first stage's model", 1.0),
            Input("model", "wan_low.safetensors", "the second stage's model"),
            Input("lora", "fast_low.safetensors", "on the second stage's model", 0.9),
        ),
        PROMPTED
        | SIZED
        | {
            "seed": Because("7", "KSamplerAdvanced calls it noise_seed; the first stage adds the noise"),
            "steps": Because(20, "first stage"),
            "cfg": Because(3.5, "first stage"),
            "sampler": Because("euler", "first stage"),
            "scheduler": Because("beta", "first stage"),
            "seed_2": Because("0", "second stage; solvers with noise of their own use it even so"),
            "steps_2": Because(20, "second stage"),
            "cfg_2": Because(1.0, "second stage"),
            "sampler_2": Because("euler", "second stage"),
            "scheduler_2": Because("beta", "second stage"),
        },
    ),
    Case(
        "a second sampling over an enlarged latent",
        image_to_video(
            n40=node("LatentUpscaleBy", samples=["10", 0], upscale_method="bislerp", scale_by=1.5),
            n41=ksampler(latent=("40", 0), seed=43, denoise=0.4),
            n11=node("VAEDecode", samples=["41", 0], vae=["7", 0]),
        ),
        BASE,
        WHOLE
        | {
            "seed_2": Because("43", "the second KSampler"),
            "denoise_2": Because(0.4, "the second KSampler keeps most of the first"),
            **{f"{word}_2": SAMPLED[word] for word in ("steps", "cfg", "sampler", "scheduler")},
        },
    ),
    Case("noise, guider, solver and schedule apart", _custom(), _CUSTOM_INPUTS, _CUSTOM),
    Case(
        "guidance by the model itself",
        _custom(
            n31=node("BasicGuider", model=["1", 0], conditioning=["34", 0]),
            n34=node("FluxGuidance", conditioning=["5", 0], guidance=6.0),
            n6=node("CLIPTextEncode", clip=["4", 0], text="never used"),
        ),
        (ENCODER, MODEL, _CUSTOM_INPUTS[-1]),
        {word: it for word, it in _CUSTOM.items() if word not in ("cfg", "negative_prompt")}
        | {
            "cfg": Because(1.0, "BasicGuider guides with the prompt alone, which is a cfg of 1"),
            "prompt": Because("she walks", "behind FluxGuidance, which hands its conditioning on"),
        },
    ),
    Case(
        "a solver that is a node",
        _custom(n32=node("SamplerEulerAncestral", eta=1.0, s_noise=1.0)),
        _CUSTOM_INPUTS,
        _CUSTOM | {"sampler": Because("SamplerEulerAncestral", "no name to choose: the class is the solver")},
    ),
    Case(
        "a schedule that is a node",
        _custom(n33=node("LTXVScheduler", steps=30, max_shift=2.05, base_shift=0.95, stretch=True, terminal=0.1)),
        _CUSTOM_INPUTS,
        {word: it for word, it in _CUSTOM.items() if word != "denoise"}
        | {
            "steps": Because(30, "LTXVScheduler.steps"),
            "scheduler": Because("LTXVScheduler", "no name to choose: the class is the schedule"),
        },
    ),
    Case(
        "a schedule cut in two, the second half without noise",
        _custom(
            n35=node("SplitSigmas", sigmas=["33", 0], step=2),
            n36=node("DisableNoise"),
            n10=node(
                "SamplerCustomAdvanced",
                noise=["30", 0],
                guider=["31", 0],
                sampler=["32", 0],
                sigmas=["35", 0],
                latent_image=["9", 0],
            ),
            n37=node(
                "SamplerCustomAdvanced",
                noise=["36", 0],
                guider=["31", 0],
                sampler=["32", 0],
                sigmas=["35", 1],
                latent_image=["10", 0],
            ),
            n11=node("VAEDecode", samples=["37", 0], vae=["7", 0]),
        ),
        _CUSTOM_INPUTS,
        _CUSTOM
        | {
            f"{word}_2": Because(it.value, "the second half takes the same node; it has no seed: DisableNoise")
            for word, it in _CUSTOM.items()
            if word in ("cfg", "sampler", "scheduler", "steps", "denoise")
        },
    ),
    Case(
        "SamplerCustom",
        _custom(
            n10=node(
                "SamplerCustom",
                model=["1", 0],
                positive=["5", 0],
                negative=["6", 0],
                sampler=["32", 0],
                sigmas=["33", 0],
                latent_image=["9", 0],
                add_noise=True,
                noise_seed=42,
                cfg=4.0,
            )
        ),
        _CUSTOM_INPUTS,
        _CUSTOM
        | {
            "seed": Because("42", "SamplerCustom.noise_seed"),
            "cfg": Because(4.0, "SamplerCustom.cfg"),
        },
    ),
    Case(
        "frame rates in the conditioning",
        image_to_video(
            n14=node("LTXVConditioning", positive=["9", 0], negative=["9", 1], frame_rate=25.0),
            n10=ksampler(positive=["14", 0], negative=["14", 1]),
        ),
        BASE,  # LTXVConditioning passes both sides on; its frame rate is the model's, the video's is CreateVideo's
        WHOLE,
    ),
    Case(
        "a seed out of a primitive",
        image_to_video(n10=ksampler(seed=["50", 0]), n50=node("PrimitiveInt", value=42)),
        BASE,
        WHOLE | {"seed": Because("42", "PrimitiveInt only hands its value on")},
    ),
    Case(
        "a seed that is worked out",
        image_to_video(n10=ksampler(seed=["50", 0]), n50=node("MathExpression|pysssss", expression="40 + 2")),
        BASE,
        WHOLE | {"seed": Because("42", "the expression has only constants")},
    ),
    Case(
        "a seed that nobody knows",
        image_to_video(n10=ksampler(seed=["50", 0]), n50=node("SomebodysDice", sides=42)),
        BASE,
        {word: it for word, it in WHOLE.items() if word != "seed"},
        {("10", "seed"): "what SomebodysDice gives is not known here; it is never guessed"},
    ),
    Case(
        "a seed that was seen",
        image_to_video(n10=ksampler(seed=["50", 0]), n50=node("SomebodysDice", sides=42)),
        BASE,
        WHOLE | {"seed": Because("42", "the value that went into the sampler when it ran")},
        resolved={"10": {"seed": 42}},
    ),
    Case(
        "noise over the picture that it begins with",
        image_to_video(
            n14=node("ImageAddNoise", image=["8", 0], seed=11, strength=0.1),
            n9=node(
                "WanImageToVideo",
                positive=["5", 0],
                negative=["6", 0],
                vae=["7", 0],
                start_image=["14", 0],
                width=64,
                height=48,
                length=9,
            ),
        ),
        BASE,
        WHOLE
        | {"seed_2": Because("11", "ImageAddNoise draws by it and samples nothing: numbered after the samplings")},
    ),
    Case(
        "faces done again",
        image_to_video(
            n40=node(
                "FaceDetailer",
                image=["11", 0],
                model=["1", 0],
                clip=["4", 0],
                vae=["7", 0],
                positive=["5", 0],
                negative=["6", 0],
                seed=5,
                steps=8,
                cfg=2.0,
                sampler_name="euler",
                scheduler="simple",
                denoise=0.5,
            ),
            n12=node("CreateVideo", images=["40", 0], fps=8.0),
        ),
        BASE,
        WHOLE
        | {
            "seed_2": Because("5", "FaceDetailer takes noise and steps: it samples"),
            "steps_2": Because(8, "FaceDetailer"),
            "cfg_2": Because(2.0, "FaceDetailer"),
            "sampler_2": Because("euler", "FaceDetailer"),
            "scheduler_2": Because("simple", "FaceDetailer"),
            "denoise_2": Because(0.5, "FaceDetailer"),
        },
    ),
)
