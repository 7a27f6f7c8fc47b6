"""Compares what two runs show, frame by frame: how alike each pair is, and where the first difference lies.

    one.mp4   ▢ ▢ ▢ ▢        psnr  ∞   ∞   41  38 dB
    two.mp4   ▢ ▢ ▣ ▣   ──▶  ssim  1   1  .99 .98       first different: frame 3, with a picture of it

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

AMPLIFIED = 8
"""How many times a difference is enlarged in the picture of it, so that an eye sees what a number says."""


class Likeness(Model):
    """How alike two videos are, or two pictures, which are videos of one frame here.

    ``psnr_db`` (null where the frames are equal) and ``ssim`` have one number for each frame that both have and that
    are of one size. ``first_different`` counts from 1; null when all frames are equal.
    """

    frames: int
    other_frames: int
    same_size: bool
    psnr_db: tuple[float | None, ...]
    ssim: tuple[float, ...]
    first_different: int | None

    @property
    def comparable(self) -> bool:
        """Whether every frame has one to be compared with."""
        return self.same_size and self.frames == self.other_frames

    @property
    def worst_psnr_db(self) -> float | None:
        """The lowest signal-to-noise ratio of a frame; ``None`` when all frames are equal."""
        return min((one for one in self.psnr_db if one is not None), default=None)

    @property
    def worst_ssim(self) -> float | None:
        """The lowest structural similarity of a frame."""
        return min(self.ssim, default=None)


def compare(one: Path, other: Path, produces: Produces) -> tuple[Likeness, bytes | None]:
    """How alike two outputs are, and a picture of the first frame that differs (PNG). Blocks.

    The picture shows that frame of ``one``, the same of ``other``, and their difference, enlarged, side by side.
    ``Invalid`` for what cannot be decoded.
    """
    return compare_frames(_frames(one, produces), _frames(other, produces))


def compare_frames(one: Iterable[Pixels], other: Iterable[Pixels]) -> tuple[Likeness, bytes | None]:
    """The same for frames: height × width × 3, eight bits."""
    noise: list[float | None] = []
    structure: list[float] = []
    counts = [0, 0]
    same_size, first, picture = True, None, None
    for number, (before, after) in enumerate(zip_longest(one, other), start=1):
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


def _similarity(one: Pixels, other: Pixels) -> float:
    """Structural similarity of frames of any size: those smaller than its window are continued by their edges."""
    missing = [max(WINDOW - side, 0) for side in one.shape[:2]]
    if any(missing):
        room = ((0, missing[0]), (0, missing[1]), (0, 0))
        one, other = np.pad(one, room, mode="edge"), np.pad(other, room, mode="edge")
    return ssim(one, other)


def _shown(one: Pixels, other: Pixels) -> bytes:
    difference = np.abs(one.astype(np.int16) - other.astype(np.int16)) * AMPLIFIED
    return png_of(np.concatenate([one, other, difference.clip(0, 255).astype(np.uint8)], axis=1))
