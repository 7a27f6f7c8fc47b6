"""The network: denoises a latent picture by the start image and a prompt, then decodes it to maps.

    start image ── encoder ──────────────┐
    noise ── in ── + ── softsign ── mid ── + ── softsign ── out ── cleaner latent    (several times: the sampler)
                   ↑                       ↑
        prompt ── text.projection · time.weight (frame position, noise level)

    cleaned latent ── softsign ── decoder ── softsign ── colour (3 maps) and flow (2 maps)

A latent picture has a quarter of the frame's width and height. If all weights are zero, every map is zero.
"""

from dataclasses import dataclass

import numpy as np

from genlock.engines.pictures import Pixels
from genlock.engines.sketch.fixed import Floats, as_matrix, multiply, neighbourhoods, on_grid, softsign
from genlock.engines.sketch.weights import HIDDEN, PATCH, Weights

Prompts = tuple[Floats, Floats | None]
"""The positive prompt, and the negative one if guidance needs it."""


@dataclass(frozen=True)
class Moment:
    """The position of an evaluation in the video and in the sampling: both from 0 to 1."""

    position: float
    noise_level: float


@dataclass(frozen=True)
class Maps:
    """The decoder's output, each value within ±1: ``colour`` h × w × 3 and ``flow`` h × w × 2 (x, y)."""

    colour: Floats
    flow: Floats


class Network:
    """The layers of one model, ready to multiply."""

    def __init__(self, weights: Weights) -> None:
        tensors = weights.tensors
        self._encoder, self._encoder_bias = as_matrix(tensors["encoder.weight"]), tensors["encoder.bias"]
        self._projection = as_matrix(tensors["text.projection.weight"])
        self._time = as_matrix(tensors["time.weight"])
        self._in, self._in_bias = as_matrix(tensors["in.weight"]), tensors["in.bias"]
        self._mid, self._mid_bias = as_matrix(tensors["mid.weight"]), tensors["mid.bias"]
        self._out, self._out_bias = as_matrix(tensors["out.weight"]), tensors["out.bias"]
        self._decoder, self._decoder_bias = as_matrix(tensors["decoder.weight"]), tensors["decoder.bias"]

    def encode(self, image: Pixels) -> Floats:
        """Return the features of the start image: one vector per patch of pixels."""
        height, width, _ = image.shape
        centred = image.astype(np.float64) / 127.5 - 1.0
        patches = centred.reshape(height // PATCH, PATCH, width // PATCH, PATCH, 3).transpose(0, 2, 1, 3, 4)
        flat = patches.reshape(height // PATCH, width // PATCH, PATCH * PATCH * 3)
        return multiply(on_grid(flat), self._encoder) + self._encoder_bias

    def guided(self, latent: Floats, image: Floats, prompts: Prompts, cfg: float, at: Moment) -> Floats:
        """Return the denoised latent with classifier-free guidance of scale ``cfg``.

        Without a negative prompt ``cfg`` has no effect.
        """
        positive, negative = prompts
        # The first convolution does not depend on the prompt, so both evaluations share it.
        features = multiply(neighbourhoods(on_grid(latent)), self._in) + self._in_bias + image
        towards = self._clean(features, positive, at)
        if negative is None:
            return towards
        away = self._clean(features, negative, at)
        return away + cfg * (towards - away)

    def _clean(self, features: Floats, prompt: Floats, at: Moment) -> Floats:
        moment = np.array([at.position, at.position * at.position, at.noise_level])
        biases = multiply(on_grid(prompt), self._projection)
        first = softsign(features + biases[:HIDDEN] + multiply(on_grid(moment), self._time))
        second = multiply(neighbourhoods(on_grid(first)), self._mid) + self._mid_bias + biases[HIDDEN:]
        joined = first + softsign(second)
        return multiply(neighbourhoods(on_grid(joined)), self._out) + self._out_bias

    def decode(self, latent: Floats) -> Maps:
        """Return the maps of a cleaned latent picture."""
        maps = softsign(multiply(on_grid(softsign(latent)), self._decoder) + self._decoder_bias)
        return Maps(colour=maps[..., :3], flow=maps[..., 3:])
