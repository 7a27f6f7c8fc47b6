"""Embeds a prompt: tokens are hashed into buckets, and the model's rows for the buckets are summed.

There is no learned tokenizer: a word is any run of letters and digits, case-insensitive. Each word selects two buckets
by its SHA-256, and the exact prompt selects two more, so that two different prompts differ. The empty prompt is the
zero vector.
"""

import hashlib
import re
import unicodedata
from math import sqrt

import numpy as np

from genlock.engines.sketch.fixed import Floats
from genlock.engines.sketch.weights import BUCKETS, TEXT, Weights

_WORD = re.compile(r"\w+")
MAX_PROMPT = 20_000
PALETTES = ("natural", "dawn", "dusk", "ink", "neon")


def tokens_of(prompt: str) -> tuple[str, ...]:
    """Return the words of a prompt, then the prompt itself; nothing for the empty one."""
    if not prompt:
        return ()
    words: list[str] = _WORD.findall(unicodedata.normalize("NFC", prompt).casefold())
    return (*(f"word {word}" for word in words), f"prompt {prompt}")


def embed(weights: Weights, tokens: tuple[str, ...]) -> Floats:
    """Return the sum of the tokens' rows divided by the square root of their number."""
    rows = weights.tensors["text.embedding.weight"]
    total = np.zeros(TEXT)
    for token in tokens:
        hashed = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        first, second = hashed[0] % BUCKETS, hashed[1] % BUCKETS
        # A sign and two magnitudes per token distinguish tokens that share their buckets.
        sign = 1.0 if hashed[2] & 1 else -1.0
        total = total + sign * ((0.5 + hashed[3] / 256.0) * rows[first] + (0.5 + hashed[4] / 256.0) * rows[second])
    return total / sqrt(max(len(tokens), 1))


def palette_tokens(palette: str) -> tuple[str, ...]:
    """Return the tokens of a palette; none for ``natural``."""
    return () if palette == "natural" else (f"palette {palette}",)
