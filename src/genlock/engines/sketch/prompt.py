"""From a prompt to numbers: tokens are hashed into buckets, and the model's rows for the buckets are summed.

There is no learned tokenizer: a word is any run of letters and digits, without regard to case. Each word picks two
buckets by its SHA-256, the whole prompt, letter by letter, picks two more; so two different prompts differ in
something. The empty prompt is the zero vector.
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
    """The words of a prompt, then the prompt itself; nothing for the empty one."""
    if not prompt:
        return ()
    words: list[str] = _WORD.findall(unicodedata.normalize("NFC", prompt).casefold())
    return (*(f"word {word}" for word in words), f"prompt {prompt}")


def embed(weights: Weights, tokens: tuple[str, ...]) -> Floats:
    """The sum of the tokens' rows over the root of their number."""
    rows = weights.tensors["text.embedding.weight"]
    total = np.zeros(TEXT)
    for token in tokens:
        hashed = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        first, second = hashed[0] % BUCKETS, hashed[1] % BUCKETS
        # A sign and two sizes per token tell apart tokens that happen to share their buckets.
        sign = 1.0 if hashed[2] & 1 else -1.0
        total = total + sign * ((0.5 + hashed[3] / 256.0) * rows[first] + (0.5 + hashed[4] / 256.0) * rows[second])
    return total / sqrt(max(len(tokens), 1))


def palette_tokens(palette: str) -> tuple[str, ...]:
    """The tokens of a palette; none for ``natural``."""
    return () if palette == "natural" else (f"palette {palette}",)
