"""Noise from a seed: the only use of the seed.

Philox is a counter-based generator with a published, fixed output (Salmon et al., "Parallel random numbers: as easy
as 1, 2, 3", 2011); all 64 bits of the seed are its key, the frame is its counter, so no frame depends on another.
"""

import numpy as np

from genlock.engines.sketch.fixed import ACTIVATION_STEP, Floats

SHARED = 0.875
OWN = 0.5
_WORDS = 4
_MEAN = _WORDS * 0xFFFF / 2
_STRETCH = 1.75
"""Four 16-bit words in steps of 2^-16 have a deviation of 0.577; scaled, about 1."""


def noise(seed: int, frame: int, shape: tuple[int, int, int]) -> Floats:
    """Return approximately normal noise (the sum of four uniform words) of ``shape`` for a frame: mean 0, deviation
    about 1.
    """
    count = shape[0] * shape[1] * shape[2]
    raw = np.random.Philox(key=seed, counter=frame << 192).random_raw(count)
    total = np.zeros(count)
    for word in range(_WORDS):
        total = total + ((raw >> np.uint64(16 * word)) & np.uint64(0xFFFF)).astype(np.float64)
    return ((total - _MEAN) * (ACTIVATION_STEP * _STRETCH)).reshape(shape)


def frame_noise(seed: int, frame: int, shape: tuple[int, int, int], shared: Floats) -> Floats:
    """Return noise for a frame that is mostly shared between frames, so that a video does not flicker."""
    return SHARED * shared + OWN * noise(seed, frame + 1, shape)
