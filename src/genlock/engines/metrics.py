"""Measures of the similarity of two pictures."""

import math

import numpy as np
from numpy.typing import NDArray

from genlock.engines.pictures import Pixels

WINDOW = 8
_C1, _C2 = 0.01**2, 0.03**2
_LUMA = (0.2126, 0.7152, 0.0722)


def ssim(first: Pixels, second: Pixels) -> float:
    """Return the mean structural similarity of two pictures of the same size: 1 for equal, near 0 for unrelated ones.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    2004; on BT.709 luma, with uniform windows of 8 × 8. Raise ``ValueError`` for pictures of different or too small
    sizes.
    """
    if first.shape != second.shape or min(first.shape[:2]) < WINDOW:
        raise ValueError(f"cannot compare pictures of {first.shape} and {second.shape}")
    x, y = _luma(first), _luma(second)
    mean_x, mean_y = _means(x), _means(y)
    variance_x = _means(x * x) - mean_x * mean_x
    variance_y = _means(y * y) - mean_y * mean_y
    covariance = _means(x * y) - mean_x * mean_y
    alike = (2.0 * mean_x * mean_y + _C1) * (2.0 * covariance + _C2)
    largest = (mean_x * mean_x + mean_y * mean_y + _C1) * (variance_x + variance_y + _C2)
    return float(np.mean(alike / largest))


def psnr(first: Pixels, second: Pixels) -> float:
    """Return the peak signal-to-noise ratio of two pictures of the same size, over all channels, in decibels.

    Raise ``ValueError`` for pictures of different sizes, and for equal ones, which have no noise.
    """
    if first.shape != second.shape:
        raise ValueError(f"cannot compare pictures of {first.shape} and {second.shape}")
    error = first.astype(np.float64) - second.astype(np.float64)
    noise = float(np.mean(error * error))
    if not noise:
        raise ValueError("the pictures are equal")
    return 10.0 * math.log10(255.0**2 / noise)


def _luma(picture: Pixels) -> NDArray[np.float64]:
    red, green, blue = (picture[..., channel].astype(np.float64) for channel in range(3))
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue) / 255.0


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of every window, from a summed-area table."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = np.cumsum(np.cumsum(values, axis=0), axis=1)
    inside = sums[WINDOW:, WINDOW:] - sums[:-WINDOW, WINDOW:] - sums[WINDOW:, :-WINDOW] + sums[:-WINDOW, :-WINDOW]
    return inside / WINDOW**2
