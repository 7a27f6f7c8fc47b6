"""Animated WEBP: read like every other video, with a different decoder; and animated PNG."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.capture.files import FRAMES, apng, png
from tests.capture.files import frames as moving

from genlock.engines.animation import is_animated_png
from genlock.engines.media import Limits, decoded, examine
from genlock.engines.pictures import Pixels
from genlock.errors import Invalid


def _frames(count: int = 3) -> list[Pixels]:
    return [np.random.RandomState(seed).randint(0, 255, (32, 48, 3), dtype=np.uint8) for seed in range(count)]


def _animation(path: Path, frames: list[Pixels]) -> Path:
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(path, "WEBP", save_all=True, append_images=others, duration=125, lossless=True)
    return path


def test_a_lossless_animation_decodes_to_its_frames(tmp_path: Path) -> None:
    """Every frame is exact to the pixel, and so are its size, its rate and its length."""
    frames = _frames()
    path = _animation(tmp_path / "walk.webp", frames)
    assert all(np.array_equal(shown, frame) for shown, frame in zip(decoded(path), frames, strict=True))
    facts = examine(path).facts
    assert (facts.width, facts.height, facts.frames, facts.fps) == (48, 32, 3, 8.0)


@pytest.mark.parametrize("text_bytes", [0, 100_000, 3_000_000])
def test_an_animated_png_decodes_to_its_frames_however_long_its_prompt_is(tmp_path: Path, text_bytes: int) -> None:
    path = apng(tmp_path / "walk.png", {"prompt": "x" * text_bytes}, before=True)
    assert [frame.tolist() for frame in decoded(path)] == [frame.tolist() for frame in moving(1)]
    facts = examine(path).facts
    assert (facts.frames, facts.fps) == (FRAMES, 8)
    for part in (200, (path.stat().st_size - text_bytes) // 2):
        path.with_name("cut.png").write_bytes(path.read_bytes()[: part + text_bytes])
        with pytest.raises(Invalid):
            examine(path.with_name("cut.png"))


def test_a_still_png_is_one_frame(tmp_path: Path) -> None:
    path = png(tmp_path / "walk.png", {"prompt": "x" * 100_000})
    assert examine(path).facts.frames == 1
    for content in (b"", path.read_bytes()[:8], path.read_bytes()[:20], b"\x89PNG\r\n\x1a\n" + b"\xff" * 100):
        assert not is_animated_png(io.BytesIO(content))


def test_the_digest_is_of_the_frames_alone(tmp_path: Path) -> None:
    """Another file of the same frames has the same digest; a file with one frame less does not."""
    first, other = _animation(tmp_path / "a.webp", _frames()), tmp_path / "b.webp"
    image, *others = (Image.fromarray(frame) for frame in _frames())
    exif = Image.Exif()
    exif[0x0110] = "prompt:{}"
    image.save(other, "WEBP", save_all=True, append_images=others, duration=40, lossless=True, exif=exif)
    assert first.read_bytes() != other.read_bytes()
    assert examine(first).frames_digest == examine(other).frames_digest
    assert examine(_animation(tmp_path / "c.webp", _frames(2))).frames_digest != examine(first).frames_digest


def test_a_truncated_animation_is_refused(tmp_path: Path) -> None:
    """Half a file is not a shorter animation, but a damaged one."""
    path = _animation(tmp_path / "walk.webp", _frames())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Invalid, match="not a video that can be read"):
        examine(path)


def test_an_animation_over_the_limits_is_refused(tmp_path: Path) -> None:
    """Before any frame is decompressed."""
    path = _animation(tmp_path / "walk.webp", _frames())
    with pytest.raises(Invalid, match="at most 2"):
        examine(path, Limits(frames=2))
    with pytest.raises(Invalid, match="100 pixels"):
        examine(path, Limits(frame_pixels=100))
