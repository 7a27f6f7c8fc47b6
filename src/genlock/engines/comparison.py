"""Compares two videos frame by frame: the similarity of each pair, and the first frame that differs.

    one.mp4   ▢ ▢ ▢ ▢        psnr  ∞   ∞   41  38 dB
    two.mp4   ▢ ▢ ▣ ▣   ──▶  ssim  1   1  .99 .98       first difference: frame 3, with a picture of it

Two frames are in memory at a time.
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np

from genlock.engines.media import decoded
from genlock.engines.metrics import WINDOW, psnr, ssim
from genlock.engines.model import IMAGE, Produces
from genlock.engines.pictures import Pixels, png_of, read_picture
from genlock.model import Model

AMPLIFICATION = 8
"""The factor by which differences are amplified in their picture, to make them visible."""


class Likeness(Model):
    """The similarity of two videos, or of two pictures, which are treated as videos of one frame.

    ``psnr_db`` (null where frames are equal) and ``ssim`` have a number for each frame that both have in the same size.
    ``first_different`` counts from 1; null if all frames are equal.
    """

    frames: int
    other_frames: int
    same_size: bool
    psnr_db: tuple[float | None, ...]
    ssim: tuple[float, ...]
    first_different: int | None

    @property
    def comparable(self) -> bool:
        """Whether every frame has a counterpart to compare with."""
        return self.same_size and self.frames == self.other_frames

    @property
    def worst_psnr_db(self) -> float | None:
        """The lowest signal-to-noise ratio of a frame; ``None`` if all frames are equal."""
        return min((ratio for ratio in self.psnr_db if ratio is not None), default=None)

    @property
    def worst_ssim(self) -> float | None:
        """The lowest structural similarity of a frame."""
        return min(self.ssim, default=None)


def compare(first: Path, second: Path, produces: Produces) -> tuple[Likeness, bytes | None]:
    """Compare two outputs; return their similarity and a picture of the first frame that differs (PNG). Blocks.

    The picture shows that frame of ``first`` and of ``second``, and their amplified difference, side by side. Raise
    ``Invalid`` for an output that cannot be decoded.
    """
    return compare_frames(_frames(first, produces), _frames(second, produces))


def compare_frames(before_frames: Iterable[Pixels], after_frames: Iterable[Pixels]) -> tuple[Likeness, bytes | None]:
    """Compare frames as ``compare`` does: height × width × 3, eight bits."""
    noise: list[float | None] = []
    structure: list[float] = []
    counts = [0, 0]
    same_size, first, picture = True, None, None
    for number, (before, after) in enumerate(zip_longest(before_frames, after_frames), start=1):
        counts = [counts[0] + (before is not None), counts[1] + (after is not None)]
        if before is None or after is None:
            first = first or number
        elif before.shape != after.shape:
            same_size, first = False, first or number
        elif np.array_equal(before, after):
            noise.append(None)
            structure.append(1.0)
        else:
            noise.append(psnr(before, after))
            structure.append(_similarity(before, after))
            if first is None:
                first, picture = number, _shown(before, after)
    likeness = Likeness(
        frames=counts[0],
        other_frames=counts[1],
        same_size=same_size,
        psnr_db=tuple(noise),
        ssim=tuple(structure),
        first_different=first,
    )
    return likeness, picture


def _frames(path: Path, produces: Produces) -> Iterator[Pixels]:
    return iter([read_picture(path.read_bytes(), path.name)]) if produces == IMAGE else decoded(path)


def _similarity(before: Pixels, after: Pixels) -> float:
    """Return the structural similarity of frames of any size; frames smaller than its window are padded."""
    missing = [max(WINDOW - side, 0) for side in before.shape[:2]]
    if any(missing):
        room = ((0, missing[0]), (0, missing[1]), (0, 0))
        before, after = np.pad(before, room, mode="edge"), np.pad(after, room, mode="edge")
    return ssim(before, after)


def _shown(before: Pixels, after: Pixels) -> bytes:
    difference = np.abs(before.astype(np.int16) - after.astype(np.int16)) * AMPLIFICATION
    return png_of(np.concatenate([before, after, difference.clip(0, 255).astype(np.uint8)], axis=1))
