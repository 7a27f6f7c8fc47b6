"""Videos and images: the same bytes every time, and hostile files are refused early."""

# PyAV's stubs leave the stream type of a packet and the keyword arguments of add_stream open.
# pyright: reportUnknownMemberType=false

import io
import os
import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from genlock.engines.media import (
    Limits,
    decoded,
    encode_video,
    examine,
    frames_digest,
    last_frame_of,
    picture_digest,
    probe,
)
from genlock.engines.metrics import ssim
from genlock.engines.pictures import POSTER_SIDE, Pixels, fit, png_of, poster_of, read_picture
from genlock.engines.sketch.drawings import DRAWINGS
from genlock.errors import GenlockError, Invalid, Unavailable


def moving(count: int = 6, width: int = 96, height: int = 64) -> list[Pixels]:
    picture = fit(DRAWINGS["street_v1.png"](), width, height)
    return [np.roll(picture, 3 * step, axis=1) for step in range(count)]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "street.mp4"
    assert encode_video(path, moving(), 8) == 6
    return path


def test_a_video_decodes_to_the_written_frames(video: Path) -> None:
    facts = probe(video)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (96, 64, 6, 8.0)
    frames = list(decoded(video))
    assert len(frames) == 6
    assert all(ssim(frame, other) > 0.9 for frame, other in zip(frames, moving(), strict=True))
    assert abs(float(np.mean(frames[0].astype(float) - moving()[0]))) < 1.5, "colours come back as they went in"


def test_the_last_frame_is_the_last(video: Path) -> None:
    last = read_picture(last_frame_of(video), "last frame")
    assert np.array_equal(last, list(decoded(video))[-1])


def test_one_pass_gives_the_same_results_as_single_queries(video: Path) -> None:
    examined = examine(video)
    assert examined.facts == probe(video)
    assert examined.frames_digest == frames_digest(video)
    assert examined.last_frame == last_frame_of(video)


PROGRAM = """
import sys
from pathlib import Path
from tests.engines.test_media import moving
from genlock.engines.media import encode_video
from genlock.digest import digest_of
for width in (80, 192):
    encode_video(Path(sys.argv[1]), moving(8, width, width), 8)
    print(digest_of(Path(sys.argv[1]).read_bytes()))
"""


def test_uninitialised_memory_does_not_affect_the_output(tmp_path: Path) -> None:
    """With its macroblock tree, x264 reads uninitialised memory; glibc fills it with the value of the variable."""
    written: set[str] = set()
    for filling in ("55", "165"):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "video.mp4")],
            env={**os.environ, "MALLOC_PERTURB_": filling},
            capture_output=True,
            text=True,
            check=True,
        )
        written.add(ran.stdout)
    assert len(written) == 1
    assert written.pop().count("sha256:") == 2


@pytest.mark.parametrize("fps", [1, 8, 23.976, 30, 120.0])
def test_frames_per_second_are_preserved(tmp_path: Path, fps: float) -> None:
    encode_video(tmp_path / "video.mp4", moving(3), fps)
    assert probe(tmp_path / "video.mp4").fps == pytest.approx(fps, rel=1e-5)


def test_an_odd_size_or_no_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="even"):
        encode_video(tmp_path / "odd.mp4", [np.zeros((33, 32, 3), dtype=np.uint8)], 8)
    with pytest.raises(Invalid, match="at least one frame"):
        encode_video(tmp_path / "none.mp4", [], 8)


def test_a_missing_folder_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        encode_video(tmp_path / "nowhere" / "video.mp4", moving(1), 8)
    with pytest.raises(Unavailable):
        probe(tmp_path / "gone.mp4")


def test_the_digest_is_of_the_frames_alone(video: Path, tmp_path: Path) -> None:
    remuxed = tmp_path / "remuxed.mkv"
    with av.open(str(video)) as source, av.open(str(remuxed), "w", format="matroska") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        target.metadata["comment"] = "another container, other tags"
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
    assert remuxed.read_bytes() != video.read_bytes()
    assert frames_digest(remuxed) == frames_digest(video)
    other = tmp_path / "other.mp4"
    encode_video(other, moving()[:-1], 8)
    assert frames_digest(other) != frames_digest(video)


def test_the_digest_follows_its_documentation(video: Path, tmp_path: Path) -> None:
    """Computed a second time, in another way."""
    content = b""
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            content += b'{"height":64,"pixel_format":"yuv420p","width":96}\n' + frame.to_ndarray().tobytes()
    (tmp_path / "content").write_bytes(content)
    sum_of = subprocess.run(["sha256sum", tmp_path / "content"], capture_output=True, text=True, check=True)
    assert frames_digest(video) == f"sha256:{sum_of.stdout.split()[0]}"


def test_other_pixel_formats_have_a_digest(tmp_path: Path) -> None:
    digests: dict[str, str] = {}
    for codec, pixel_format, name in (
        ("ffv1", "yuv444p", "a.mkv"),
        ("ffv1", "yuv420p10le", "b.mkv"),
        ("ffv1", "bgr0", "c.mkv"),
        ("libvpx-vp9", "yuv420p", "d.webm"),
        ("apng", "rgb24", "e.apng"),
    ):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(8))
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = 96, 64, pixel_format
            for number, pixels in enumerate(moving(2)):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        assert probe(path).frames == 2
        assert read_picture(last_frame_of(path), name).shape == (64, 96, 3)
        digests[name] = frames_digest(path)
    assert digests["c.mkv"] == digests["e.apng"], "both lossless, and both told as RGB"
    assert len(set(digests.values())) == 4


def test_a_picture_has_the_digest_of_its_one_frame() -> None:
    picture = moving(1)[0]
    assert picture_digest(picture) == picture_digest(read_picture(png_of(picture), "png"))
    assert picture_digest(picture) != picture_digest(picture[:, ::-1])


def test_a_video_truncated_anywhere_is_refused(video: Path, tmp_path: Path) -> None:
    content = video.read_bytes()
    with av.open(str(video)) as container:
        starts = [packet.pos for packet in container.demux(video=0) if packet.size and packet.pos is not None]
    places = {0, 1, 7, len(content) - 1, *starts, *range(0, len(content), max(len(content) // 40, 1))}
    for place in sorted(places):
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(content[:place])
        with pytest.raises(Invalid, match=r"cut\.mp4") as refused:
            examine(cut)
        assert refused.value.hint


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_damaged_video_is_read_or_refused_without_other_errors(video: Path, changes: list[tuple[float, int]]) -> None:
    content = bytearray(video.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    damaged = video.with_name("damaged.mp4")
    damaged.write_bytes(content)
    try:
        assert examine(damaged, Limits(frame_pixels=2**20, frames=1000)).facts.frames >= 1
    except GenlockError as refused:
        assert refused.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9.0,\n{video}\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile {video}\n"),
        ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
        ("list.mp4", "ffconcat version 1.0\nfile {video}\n"),
        ("words.mp4", "not a video"),
        ("sub.srt", "1\n00:00:00,000 --> 00:00:01,000\nwords\n"),
    ],
)
def test_a_file_that_names_other_files_is_refused(video: Path, tmp_path: Path, name: str, content: str) -> None:
    hostile = tmp_path / name
    hostile.write_text(content.format(video=video))
    with pytest.raises(Invalid, match=name):
        examine(hostile)


def test_a_sound_without_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(Invalid, match="no video stream"):
        probe(path)


def test_a_video_past_its_limits_is_refused(video: Path) -> None:
    for limits, message in ((Limits(frame_pixels=96 * 64 - 1), "96 × 64"), (Limits(frames=5), "more than 5 frames")):
        with pytest.raises(Invalid, match=message) as refused:
            probe(video, limits)
        assert refused.value.http_status == 413
    assert probe(video, Limits(frame_pixels=96 * 64, frames=6)).frames == 6


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8193, 12_000, 60_000])
def test_a_picture_that_would_decompress_to_too_much_is_refused(side: int) -> None:
    with pytest.raises(Invalid, match=r"bomb\.png") as refused:
        read_picture(png_that_claims(side, side), "bomb.png")
    assert refused.value.http_status == 413


def test_a_truncated_picture_is_refused() -> None:
    whole = png_of(moving(1)[0])
    for place in (0, 1, 20, len(whole) // 2, len(whole) - 100):
        with pytest.raises(Invalid, match="cut"):
            read_picture(whole[:place], "cut")
    with pytest.raises(Invalid, match="short"):
        read_picture(png_that_claims(500, 500), "short")


def test_transparency_becomes_white_and_orientation_is_applied(tmp_path: Path) -> None:
    clear = np.zeros((8, 8, 4), dtype=np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    from_array = read_picture(_saved(clear), "clear")
    assert from_array[0, 0].tolist() == [10, 20, 30]
    assert from_array[1, 1].tolist() == [255, 255, 255]
    turned = read_picture(_saved(moving(1)[0], orientation=6), "turned")
    assert turned.shape == (96, 64, 3)


def _saved(pixels: Pixels, orientation: int | None = None) -> bytes:
    written = io.BytesIO()
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(written, "PNG", exif=exif)
    return written.getvalue()


def test_a_poster_is_small() -> None:
    poster = read_picture(poster_of(fit(DRAWINGS["street_v1.png"](), 1000, 400)), "poster")
    assert poster.shape == (128, POSTER_SIDE, 3)


def test_similarity_is_one_for_the_same_and_less_for_others() -> None:
    pictures = [draw() for draw in DRAWINGS.values()]
    assert all(ssim(picture, picture) == pytest.approx(1.0) for picture in pictures)
    noisy = pictures[0].astype(np.int32) + np.random.default_rng(1).integers(-6, 6, pictures[0].shape)
    worse = noisy.clip(0, 255).astype(np.uint8)
    assert ssim(pictures[0], pictures[-1]) < ssim(pictures[0], worse) < 1.0
    with pytest.raises(ValueError, match="compare"):
        ssim(pictures[0], pictures[0][:-1])
