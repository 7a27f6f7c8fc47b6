"""Draws a frame from the start image and the network's maps: warp the image by the flow, then add the colour."""

from dataclasses import dataclass

import numpy as np

from genlock.engines.pictures import Pixels
from genlock.engines.sketch.fixed import WEIGHT_STEP, Floats, multiply, on_grid
from genlock.engines.sketch.network import Maps
from genlock.engines.sketch.weights import PATCH

FIRST_FRAME_COLOUR = 0.008
"""How far the first frame of a video may differ from the start image, with any weights: two of 255 levels. That is
small enough for a structural similarity above one half even on flat black: its constant for brightness is 0.01²."""

FLOW_SPAN = 1 / 32
"""The maximum flow at ``motion`` 1, as a fraction of the frame's longer side."""


@dataclass(frozen=True)
class Motion:
    """The workflow's settings for the maps: the strengths of flow and colour, and the blur."""

    motion: float
    amount: float
    blur: int


def soften(latent: Floats, blur: int) -> Floats:
    """Return the latent picture, averaged ``blur`` times with its neighbours (1 2 1 in both directions)."""
    for _ in range(blur):
        tall = np.concatenate([latent[:1], latent, latent[-1:]], axis=0)
        latent = 0.25 * tall[:-2] + 0.5 * tall[1:-1] + 0.25 * tall[2:]
        wide = np.concatenate([latent[:, :1], latent, latent[:, -1:]], axis=1)
        latent = 0.25 * wide[:, :-2] + 0.5 * wide[:, 1:-1] + 0.25 * wide[:, 2:]
    return latent


def draw(start: Pixels, maps: Maps, motion: Motion, position: float) -> Pixels:
    """Draw a frame; ``position`` 0 is a video's first (almost no colour, no flow), 1 its last, or a still."""
    height, width, _ = start.shape
    first = min(FIRST_FRAME_COLOUR, motion.amount)
    gain = first + (motion.amount - first) * position
    reach = motion.motion * position * FLOW_SPAN * max(height, width)
    bent = _warp(start, _enlarge(maps.flow, height, width) * reach)
    coloured = bent + _enlarge(maps.colour, height, width) * (255.0 * gain)
    return np.clip(np.rint(coloured), 0.0, 255.0).astype(np.uint8)


def _enlarge(small: Floats, height: int, width: int) -> Floats:
    """Return a map enlarged to the frame's size, linear between the centres of the patches, with exact sums."""
    rows, columns = _ramp(small.shape[0], height), _ramp(small.shape[1], width)
    channels = small.shape[2]
    tall = multiply(on_grid(small).reshape(small.shape[0], -1).T, rows).T.reshape(height, small.shape[1], channels)
    wide = multiply(on_grid(tall).transpose(0, 2, 1), columns)
    return np.ascontiguousarray(wide.transpose(0, 2, 1))


def _ramp(count: int, length: int) -> Floats:
    """Return the exact matrix, count × length, that enlarges a row of ``count`` values to ``length``."""
    places = (np.arange(length) + 0.5) / PATCH - 0.5
    left = np.floor(places)
    share = places - left
    matrix = np.zeros((count, length))
    columns = np.arange(length)
    low = np.clip(left, 0, count - 1).astype(np.intp)
    high = np.clip(left + 1, 0, count - 1).astype(np.intp)
    matrix[low, columns] += (1.0 - share) / WEIGHT_STEP
    matrix[high, columns] += share / WEIGHT_STEP
    return matrix


def _warp(start: Pixels, flow: Floats) -> Floats:
    """Return the start image warped by the flow, with bilinear interpolation."""
    height, width, _ = start.shape
    columns, rows = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    x: Floats = np.clip(columns[None, :] + flow[..., 0], 0.0, width - 1.0)
    y: Floats = np.clip(rows[:, None] + flow[..., 1], 0.0, height - 1.0)
    left, top = np.floor(x), np.floor(y)
    across, down = (x - left)[..., None], (y - top)[..., None]
    x0, y0 = left.astype(np.intp), top.astype(np.intp)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    flat = start.reshape(-1, 3).astype(np.float64)
    upper = flat[y0 * width + x0] * (1.0 - across) + flat[y0 * width + x1] * across
    lower = flat[y1 * width + x0] * (1.0 - across) + flat[y1 * width + x1] * across
    return upper * (1.0 - down) + lower * down
