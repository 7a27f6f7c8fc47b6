"""The nodes that only serve to write a prompt, such as a language model with its LoRA.

    LoraLoader ──▶ TextGenerate ──▶ switch ──▶ CLIPTextEncode.text ──▶ sampler
    └────── only serve the prompt ──────┘

A node is one if every link from it leads to an input that takes a prompt as text, or to another such node. What it
loads changes the words, which a receipt records, and is not the picture's own model or LoRA.
"""

import re

from genlock.graphs.wiring import Wiring

_TEXT_INPUTS = frozenset(
    ["text", "prompt", "positive_prompt", "negative_prompt", "text_g", "text_l", "clip_g", "t5xxl", "llama"]
)
"""Inputs that take text in every class. ``positive`` and ``negative`` are not here: they take conditioning, too."""

_SHOWS_TEXT = re.compile(r"^(Preview(Any|Text)|Show\s?Text|Display\s?(Text|Any))", re.IGNORECASE)


def prompt_only(wiring: Wiring) -> frozenset[str]:
    """Return the ids of the nodes that only serve to write a prompt."""
    writers: set[str] = set()
    for key in reversed(wiring.nodes):  # consumers before their sources
        leads = [
            link.input in _TEXT_INPUTS or consumer in writers
            for consumer, link in wiring.consumers[key]
            if not _SHOWS_TEXT.search(wiring.nodes[consumer].class_type)
        ]
        if leads and all(leads):
            writers.add(key)
    return frozenset(writers)
