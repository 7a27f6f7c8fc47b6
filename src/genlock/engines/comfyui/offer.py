"""What the engine for ComfyUI understands, and what a complete receipt of its runs has. Pure."""

from genlock.engines.model import START_ROLES, Offer

SAMPLING = ("seed", "steps", "cfg", "sampler", "scheduler", "denoise")
SIZES = ("width", "height", "frames", "fps")
SERVICES = ("duration", "resolution", "aspect_ratio")
"""What nodes of partners' services have instead of a size and a number of frames."""

PROMPTS = ("prompt", "negative_prompt")

OFFER = Offer(
    name="comfyui",
    parameters=(*PROMPTS, *SAMPLING, *SIZES, *SERVICES),
    roles=(
        "workflow", "model", "lora", "vae", "text_encoder", "controlnet", *START_ROLES, "audio", "video", "other",
    ),
    produces=("video", "image"),
    required_parameters=("negative_prompt", "steps", "sampler"),
)  # fmt: skip
"""Its parameters are those of a receipt that a graph can hold; each is a field of ``Bindings``."""
