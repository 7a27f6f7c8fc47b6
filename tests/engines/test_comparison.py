"""Two outputs compared frame by frame: the first different frame, the size of the difference, and the verdict."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.engines.comparison import AMPLIFICATION, Likeness, compare_frames
from genlock.engines.metrics import psnr
from genlock.engines.pictures import Pixels, read_picture
from genlock.regeneration.reproduction import verdicts
from genlock.regeneration.reproduction.model import Comparison, Thresholds, Verdict

LEAST = Thresholds(psnr_db=40, ssim=0.98)


def frame(seed: int, height: int = 16, width: int = 24) -> Pixels:
    return np.random.RandomState(seed).randint(0, 250, (height, width, 3)).astype(np.uint8)


def shifted(picture: Pixels, by: int) -> Pixels:
    return (picture + np.uint8(by)).astype(np.uint8)


def verdict(likeness: Likeness) -> Verdict:
    return verdicts.by_frames(likeness, LEAST).verdict


@given(st.integers(1, 5))
def test_psnr_follows_its_definition(by: int) -> None:
    assert psnr(frame(1), shifted(frame(1), by)) == pytest.approx(20 * math.log10(255 / by))  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize("other", [frame(1), frame(1, 8, 8)], ids=["equal", "of another size"])
def test_psnr_of_frames_of_different_sizes_is_refused(other: Pixels) -> None:
    with pytest.raises(ValueError):
        psnr(frame(1), other)


def test_equal_frames_have_no_difference() -> None:
    likeness, picture = compare_frames([frame(1), frame(2)], [frame(1), frame(2)])
    assert (likeness.first_different, picture, likeness.psnr_db, likeness.ssim) == (None, None, (None, None), (1, 1))
    assert (likeness.worst_psnr_db, likeness.worst_ssim) == (None, 1)
    assert verdict(likeness) is Verdict.SAME_FRAMES


def test_the_first_different_frame_is_counted_from_one_and_shown() -> None:
    original, other = [frame(1), frame(2), frame(3)], [frame(1), shifted(frame(2), 1), shifted(frame(3), 2)]
    likeness, picture = compare_frames(original, other)
    assert likeness.first_different == 2
    assert likeness.psnr_db[0] is None and likeness.worst_psnr_db == likeness.psnr_db[2]
    assert verdict(likeness) is Verdict.VISUALLY_EQUAL
    assert picture is not None
    shown = read_picture(picture, "difference")
    assert np.array_equal(shown[:, :24], original[1]) and np.array_equal(shown[:, 24:48], other[1])
    assert (shown[:, 48:] == AMPLIFICATION).all()


CASES: dict[str, tuple[Callable[[], list[Pixels]], int]] = {
    "one frame less": (lambda: [frame(1)], 2),
    "one frame more": (lambda: [frame(1), frame(2), frame(3)], 3),
    "no frame": (list, 1),
    "another size": (lambda: [frame(1), frame(2, 24, 16)], 2),
    "far from it": (lambda: [shifted(frame(1), 5), frame(9)], 1),
}


@pytest.mark.parametrize("case", CASES)
def test_a_difference_names_its_first_frame(case: str) -> None:
    make, first = CASES[case]
    likeness, _ = compare_frames([frame(1), frame(2)], make())
    assert (likeness.first_different, verdict(likeness)) == (first, Verdict.DIFFERENT)


def test_frames_smaller_than_the_window_are_compared() -> None:
    likeness, _ = compare_frames([frame(1, 2, 4)], [shifted(frame(1, 2, 4), 3)])
    assert likeness.worst_ssim is not None and 0 < likeness.worst_ssim < 1


def test_every_frame_must_meet_both_thresholds() -> None:
    likeness, _ = compare_frames([frame(1), frame(2)], [shifted(frame(1), 1), shifted(frame(2), 2)])
    worst_psnr, worst_ssim = likeness.worst_psnr_db, likeness.worst_ssim
    assert worst_psnr is not None and worst_ssim is not None

    def at(psnr_db: float, ssim: float) -> Verdict:
        return verdicts.by_frames(likeness, Thresholds(psnr_db=psnr_db, ssim=ssim)).verdict

    assert at(worst_psnr, worst_ssim) is Verdict.VISUALLY_EQUAL
    assert at(worst_psnr + 0.01, worst_ssim) is Verdict.DIFFERENT
    assert at(worst_psnr, min(worst_ssim + 1e-6, 1)) is Verdict.DIFFERENT


def test_equal_digests_decide_the_verdict() -> None:
    original, other = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    decided = verdicts.by_digest({"video": original, "frames": original}, {"video": original, "frames": other}, "video")
    assert decided is not None and decided.verdict is Verdict.IDENTICAL
    decided = verdicts.by_digest({"video": original, "frames": original}, {"video": other, "frames": original}, "video")
    assert decided is not None and decided.verdict is Verdict.SAME_FRAMES
    assert (
        verdicts.by_digest({"video": original, "frames": original}, {"video": other, "frames": other}, "video") is None
    )
    assert verdicts.by_digest({}, {}, "video") is None, "unknown digests are not equal"


@pytest.mark.parametrize(
    ("measured", "noise", "within"),
    [
        ((Verdict.IDENTICAL, None), (Verdict.IDENTICAL, None), True),
        ((Verdict.SAME_FRAMES, None), (Verdict.DIFFERENT, 20.0), True),
        ((Verdict.DIFFERENT, 30.0), (Verdict.IDENTICAL, None), False),
        ((Verdict.DIFFERENT, 30.0), (Verdict.DIFFERENT, 25.0), True),
        ((Verdict.DIFFERENT, 30.0), (Verdict.VISUALLY_EQUAL, 45.0), False),
        ((Verdict.DIFFERENT, None), (Verdict.DIFFERENT, 20.0), False),
    ],
)
def test_a_difference_up_to_the_noise_floor_is_within_noise(
    measured: tuple[Verdict, float | None], noise: tuple[Verdict, float | None], within: bool
) -> None:
    comparison, floor = (
        Comparison(verdict=verdict, why="", worst_psnr_db=worst, worst_ssim=None if worst is None else worst / 100)
        for verdict, worst in (measured, noise)
    )
    assert verdicts.within_noise(comparison, floor) is within
