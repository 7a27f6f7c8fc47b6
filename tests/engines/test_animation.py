"""Animated WEBP: read like every other video, though by another decoder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genlock.engines.media import Limits, decoded, examine
from genlock.engines.pictures import Pixels
from genlock.errors import Invalid


def _frames(count: int = 3) -> list[Pixels]:
    return [np.random.RandomState(seed).randint(0, 255, (32, 48, 3), dtype=np.uint8) for seed in range(count)]


def _animation(path: Path, frames: list[Pixels]) -> Path:
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(path, "WEBP", save_all=True, append_images=others, duration=125, lossless=True)
    return path


def test_a_lossless_animation_shows_what_went_in(tmp_path: Path) -> None:
    """Every frame, to the pixel; and what it says of itself."""
    frames = _frames()
    path = _animation(tmp_path / "walk.webp", frames)
    assert all(np.array_equal(shown, frame) for shown, frame in zip(decoded(path), frames, strict=True))
    facts = examine(path).facts
    assert (facts.width, facts.height, facts.frames, facts.fps) == (48, 32, 3, 8.0)


def test_the_digest_is_of_the_frames_alone(tmp_path: Path) -> None:
    """Another file of the same frames has it too; one frame less has not."""
    one, other = _animation(tmp_path / "a.webp", _frames()), tmp_path / "b.webp"
    first, *others = (Image.fromarray(frame) for frame in _frames())
    exif = Image.Exif()
    exif[0x0110] = "prompt:{}"
    first.save(other, "WEBP", save_all=True, append_images=others, duration=40, lossless=True, exif=exif)
    assert one.read_bytes() != other.read_bytes()
    assert examine(one).frames_digest == examine(other).frames_digest
    assert examine(_animation(tmp_path / "c.webp", _frames(2))).frames_digest != examine(one).frames_digest


def test_a_cut_animation_is_refused(tmp_path: Path) -> None:
    """Half a file is not shorter, it is damaged."""
    path = _animation(tmp_path / "walk.webp", _frames())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Invalid, match="not a video that can be read"):
        examine(path)


def test_an_animation_over_the_limits_is_refused(tmp_path: Path) -> None:
    """Before a frame of it is unpacked."""
    path = _animation(tmp_path / "walk.webp", _frames())
    with pytest.raises(Invalid, match="at most 2"):
        examine(path, Limits(frames=2))
    with pytest.raises(Invalid, match="100 pixels"):
        examine(path, Limits(frame_pixels=100))
