"""Sums that are equal on every machine: convolutions in fixed point, stored as float64.

A matrix product adds its terms in an order that depends on the BLAS library, its threads and the processor. Here every
factor is an integer: activations in steps of 2^-16 within ±16 (at most 2^20), weights in steps of 2^-18 within ±8 (at
most 2^21). A sum of up to 2^11 such products is below 2^53, where float64 is exact, so the order of addition has no
effect. Everything else in the engine is elementwise IEEE 754 arithmetic.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ACTIVATION_STEP = 2.0**-16
WEIGHT_STEP = 2.0**-18
MAX_ACTIVATION = 16.0
LARGEST_SUM = 2**11
_MAX_WHOLE = MAX_ACTIVATION / ACTIVATION_STEP


def on_grid(values: Floats) -> Floats:
    """Return ``values`` as integer multiples of ``ACTIVATION_STEP``, clipped to ±16."""
    return np.clip(np.rint(values / ACTIVATION_STEP), -_MAX_WHOLE, _MAX_WHOLE)


def as_matrix(weight: Floats) -> Floats:
    """Return a weight (outputs × inputs × height × width, or outputs × inputs) as an exact matrix, inputs × outputs.

    The inputs of a convolution are ordered row, column, channel, as in ``neighbourhoods``.
    """
    ordered = np.moveaxis(weight, 1, -1) if weight.ndim == 4 else weight
    flat = ordered.reshape(weight.shape[0], -1)
    if flat.shape[1] > LARGEST_SUM:
        raise ValueError(f"a sum of {flat.shape[1]} products would not be exact")
    return np.ascontiguousarray(np.rint(flat / WEIGHT_STEP).T)


def multiply(whole: Floats, matrix: Floats) -> Floats:
    """Return the exact product of a grid array (… × inputs) and a matrix from ``as_matrix``, as real numbers."""
    return (whole @ matrix) * (ACTIVATION_STEP * WEIGHT_STEP)


def neighbourhoods(whole: Floats) -> Floats:
    """Convert height × width × channels to height × width × (9 · channels): each pixel with its eight neighbours.

    Edges are padded by repetition.
    """
    height, width, channels = whole.shape
    padded = np.empty((height + 2, width + 2, channels))
    padded[1:-1, 1:-1] = whole
    padded[0, 1:-1], padded[-1, 1:-1] = whole[0], whole[-1]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    gathered = np.empty((height, width, 9 * channels))
    for row in range(3):
        for column in range(3):
            start = (3 * row + column) * channels
            gathered[:, :, start : start + channels] = padded[row : row + height, column : column + width]
    return gathered


def softsign(values: Floats) -> Floats:
    """Return ``x / (1 + |x|)``, which saturates at ±1 like tanh, but is defined exactly by IEEE 754."""
    return values / (1.0 + np.abs(values))
