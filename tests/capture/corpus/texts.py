"""Prompts: literal, joined, passed on, and unknown."""

from tests.capture.corpus.cases import (
    BASE,
    PROMPTED,
    SAMPLED,
    SIZED,
    WHOLE,
    Because,
    Case,
    Input,
    image_to_video,
    ksampler,
    named,
    node,
)

_LINKED = node("CLIPTextEncode", clip=["4", 0], text=["60", 0])
_WITHOUT_PROMPT = SIZED | SAMPLED | {"negative_prompt": PROMPTED["negative_prompt"]}
_DRAWN = {"seed_2": Because("5", "DPRandomGenerator draws by it; a workflow is the same whatever it is")}

TEXTS = (
    Case(
        "a text out of a primitive",
        image_to_video(n5=_LINKED, n60=node("PrimitiveStringMultiline", value="she runs")),
        BASE,
        WHOLE | {"prompt": Because("she runs", "a primitive only hands its value on")},
    ),
    Case(
        "texts joined",
        image_to_video(
            n5=_LINKED,
            n60=node("StringConcatenate", string_a="mara", string_b=["61", 0], delimiter=" "),
            n61=node("PrimitiveString", value="walks"),
        ),
        BASE,
        WHOLE | {"prompt": Because("mara walks", "StringConcatenate puts the delimiter between its texts")},
    ),
    Case(
        "a text that a node makes up",
        image_to_video(n5=_LINKED, n60=named("DPRandomGenerator", {"text": "a {red|blue} coat", "seed": 5})),
        BASE,
        _WITHOUT_PROMPT | _DRAWN,
        {("5", "prompt"): "what DPRandomGenerator gives is not known here"},
    ),
    Case(
        "a text that was seen",
        image_to_video(n5=_LINKED, n60=named("DPRandomGenerator", {"text": "a {red|blue} coat", "seed": 5})),
        BASE,
        WHOLE | {"prompt": Because("a red coat", "the text that went into the encoder when it ran"), **_DRAWN},
        resolved={"5": {"text": "a red coat"}},
    ),
    Case(
        "joined with a text that is not known",
        image_to_video(
            n5=_LINKED,
            n60=node("StringConcatenate", string_a="mara", string_b=["61", 0], delimiter=" "),
            n61=named("Random Line", {"file": "lines"}),
        ),
        BASE,
        _WITHOUT_PROMPT,
        {("5", "prompt"): "one half is known, and half a prompt is none"},
    ),
    Case(
        "two prompts combined",
        image_to_video(
            n62=node("CLIPTextEncode", clip=["4", 0], text="in the rain"),
            n63=node("ConditioningCombine", conditioning_1=["5", 0], conditioning_2=["62", 0]),
            n9=node(
                "WanImageToVideo",
                positive=["63", 0],
                negative=["6", 0],
                vae=["7", 0],
                start_image=["8", 0],
                width=64,
                height=48,
                length=9,
            ),
        ),
        BASE,
        WHOLE
        | {
            "prompt": Because("she walks", "conditioning_1"),
            "prompt_2": Because("in the rain", "conditioning_2: both are kept, in order"),
        },
    ),
    Case(
        "a negative prompt that is nothing",
        image_to_video(
            n6=None,
            n64=node("ConditioningZeroOut", conditioning=["5", 0]),
            n9=node(
                "WanImageToVideo",
                positive=["5", 0],
                negative=["64", 0],
                vae=["7", 0],
                start_image=["8", 0],
                width=64,
                height=48,
                length=9,
            ),
        ),
        BASE,
        WHOLE | {"negative_prompt": Because("", "ConditioningZeroOut leaves nothing of the text behind it")},
    ),
    Case(
        "two encoders, one text",
        image_to_video(n5=node("CLIPTextEncodeSDXL", clip=["4", 0], text_g="she walks", text_l="she walks")),
        BASE,
        WHOLE | {"prompt": Because("she walks", "text_g and text_l say the same: one prompt")},
    ),
    Case(
        "two encoders, two texts",
        image_to_video(n5=node("CLIPTextEncodeSDXL", clip=["4", 0], text_g="she walks", text_l="film grain")),
        BASE,
        WHOLE | {"prompt": Because("she walks", "text_g"), "prompt_2": Because("film grain", "text_l")},
    ),
    Case(
        "an encoder that nobody knows",
        image_to_video(n5=named("MagicWords", {"clip": ["4", 0], "words": "she walks"})),
        BASE,
        _WITHOUT_PROMPT,
        {("5", "prompt"): "MagicWords makes the conditioning; what of it is a prompt is not known here"},
    ),
    Case(
        "both sides through a node that nobody knows",
        image_to_video(
            n65=named("SwapSides", {"positive": ["9", 0], "negative": ["9", 1]}),
            n10=ksampler(positive=["65", 0], negative=["65", 1]),
        ),
        BASE,
        SIZED | SAMPLED,
        {
            ("65", "prompt"): "SwapSides may do what its name says",
            ("65", "negative_prompt"): "SwapSides may do what its name says",
        },
    ),
    Case(
        "a prompt that may load LoRAs",
        image_to_video(n5=named("PromptControlEncode", {"clip": ["4", 0], "text": "she walks <lora:rain:0.8>"})),
        BASE,
        _WITHOUT_PROMPT,
        {("5", "prompt"): "ComfyUI's own encoder reads the tag as text; another may load the file"},
    ),
    Case(
        "a textual inversion",
        image_to_video(n6=node("CLIPTextEncode", clip=["4", 0], text="blurry, (embedding:badhands:1.2)")),
        (*BASE, Input("other", "badhands", "called by name inside the prompt; no loader names it")),
        WHOLE | {"negative_prompt": Because("blurry, (embedding:badhands:1.2)", "the text as it is")},
    ),
    Case(
        "a node that generates by itself",
        {
            "1": named("RemoteVideoNode", {"prompt": "she walks", "negative_prompt": "blurry", "image": ["2", 0]}),
            "2": node("LoadImage", image="start.png"),
            "3": node("SaveVideo", video=["1", 0], filename_prefix="walk"),
        },
        (Input("source_image", "start.png", "LoadImage feeds the node"),),
        {},  # its class name has neither TextEncode nor Prompt: its text stays in the workflow
    ),
)
