"""The sampler: denoises step by step under guidance, decodes, and draws the frames one after another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from genlock.engines.pictures import Pixels
from genlock.engines.sketch.fixed import Floats
from genlock.engines.sketch.network import Moment, Network
from genlock.engines.sketch.noise import frame_noise, noise
from genlock.engines.sketch.picture import Motion, draw, soften
from genlock.engines.sketch.weights import LATENT, PATCH

SAMPLERS = ("euler", "heun")
SCHEDULERS = ("linear", "quadratic")


@dataclass(frozen=True)
class Sampling:
    """The settings of a sampling."""

    seed: int
    steps: int
    cfg: float
    sampler: str
    scheduler: str
    denoise: float
    frames: int
    still: bool
    motion: Motion


def frames_of(
    network: Network,
    start: Pixels,
    positive: Floats,
    negative: Floats,
    sampling: Sampling,
    checkpoint: Callable[[], None],
) -> Iterator[Pixels]:
    """Yield the frames, each of the size of ``start``; ``checkpoint`` is called before every step and may raise."""
    shape = (start.shape[0] // PATCH, start.shape[1] // PATCH, LATENT)
    image = network.encode(start)
    shared = noise(sampling.seed, 0, shape)
    # At cfg 1 the negative prompt cancels out; skipping it halves the work.
    prompts = (positive, None if sampling.cfg == 1 else negative)
    levels = _levels(sampling)
    for frame in range(sampling.frames):
        position = 1.0 if sampling.still else frame / max(sampling.frames - 1, 1)
        latent = sampling.denoise * frame_noise(sampling.seed, frame, shape, shared)
        for level, following in pairwise(levels):
            checkpoint()
            clean = network.guided(latent, image, prompts, sampling.cfg, Moment(position, level))
            share = following / level
            ahead = share * latent + (1.0 - share) * clean
            if sampling.sampler == "heun" and following > 0:
                again = network.guided(ahead, image, prompts, sampling.cfg, Moment(position, following))
                ahead = share * latent + (1.0 - share) * (0.5 * (clean + again))
            latent = ahead
        yield draw(start, network.decode(soften(latent, sampling.motion.blur)), sampling.motion, position)


def _levels(sampling: Sampling) -> tuple[float, ...]:
    """Return the noise levels from 1 down to 0, one more than the number of steps."""
    line = [1.0 - step / sampling.steps for step in range(sampling.steps + 1)]
    return tuple(level * level if sampling.scheduler == "quadratic" else level for level in line)
