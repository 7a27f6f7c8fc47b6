"""The offer of the built-in engine, and the fields of a complete receipt of its runs. Pure."""

from collections.abc import Mapping

from genlock.engines.model import START_ROLES, Offer

ON_SAMPLER: Mapping[str, str] = {
    "seed": "seed",
    "steps": "steps",
    "cfg": "cfg",
    "sampler": "sampler_name",
    "scheduler": "scheduler",
    "denoise": "denoise",
    "width": "width",
    "height": "height",
    "frames": "length",
}
"""The receipt's parameter for each value of the sampler that a spec sets."""

OFFER = Offer(
    name="sketch",
    parameters=("prompt", "negative_prompt", *ON_SAMPLER, "fps"),
    roles=("workflow", "model", "lora", *START_ROLES),
    produces=("video", "image"),
    required_parameters=("negative_prompt", "steps", "sampler"),
    requires_start_image=True,
)
