"""Video: encoding with reproducible bytes, decoding frame by frame within limits, digests of decoded frames.

Input is untrusted. Only container formats that embed their frames are opened (a playlist could name other files), sizes
are checked before the first frame is decoded, and the decoder gets the same limit.
"""

# PyAV's stubs do not type the stream of a packet and the keyword arguments of add_stream.
# pyright: reportUnknownMemberType=false

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from genlock.digest import PREFIX, Digest, canonical, digest_of
from genlock.engines.animation import animation_frames, is_animated_png, is_animated_webp
from genlock.engines.pictures import MAX_PICTURE_PIXELS, Pixels, png_of
from genlock.errors import Invalid, Unavailable
from genlock.model import Model

MP4 = "video/mp4"
PNG = "image/png"
JPEG = "image/jpeg"

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,apng,gif,webp_pipe,png_pipe,jpeg_pipe"
_BYTES_PER_SAMPLE = {
    **dict.fromkeys(("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuva420p", "gray"), 1),
    **dict.fromkeys(("yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv444p12le", "gray10le"), 2),
}
"""Planar pixel formats, whose bytes are digested as decoded."""


_MP4 = {"movflags": "+faststart", "fflags": "+bitexact"}
_X264 = {
    "preset": "medium",
    "crf": "16",
    "threads": "1",  # bytes differ between thread counts
    "mbtree": "0",  # the macroblock tree reads uninitialised memory, at widths such as 192: decision 0010
}


@dataclass(frozen=True)
class Limits:
    """The limits beyond which a video is refused."""

    frame_pixels: int = MAX_PICTURE_PIXELS
    frames: int = 200_000


class VideoFacts(Model):
    """The facts of a video. ``frames`` is counted, not read from the container."""

    width: int
    height: int
    frames: int
    fps: float


class Examined(Model):
    """A video's facts, the digest of its frames, and its last frame as PNG."""

    facts: VideoFacts
    frames_digest: Digest
    last_frame: bytes


def encode_video(path: Path, frames: Iterable[Pixels], fps: float) -> int:
    """Write ``frames`` as H.264 in MP4 and return their number; equal frames always give equal bytes.

    Colours are converted here with integers, because FFmpeg's converter differs between processors. Width and height
    must be even.
    """
    written = 0
    try:
        with av.open(f"file:{path.absolute()}", "w", format="mp4", options=dict(_MP4)) as container:
            stream: VideoStream | None = None
            for pixels in frames:
                if stream is None:
                    stream = container.add_stream("libx264", rate=_rate(fps), options=dict(_X264))
                    stream.width, stream.height = pixels.shape[1], pixels.shape[0]
                    stream.pix_fmt = "yuv420p"
                    stream.codec_context.thread_count = 1
                    # 1 is BT.709 and limited range in FFmpeg's tables: what _to_yuv writes, and what browsers assume.
                    stream.color_primaries = stream.color_trc = stream.colorspace = stream.color_range = 1
                frame = VideoFrame.from_ndarray(_to_yuv(pixels), format="yuv420p")
                frame.pts = written
                container.mux(stream.encode(frame))
                written += 1
            if stream is None:
                raise Invalid("A video needs at least one frame.", hint="Ask for one frame or more.")
            container.mux(stream.encode(None))
    except FFmpegError as error:
        raise Unavailable(
            f"The video could not be written: {error}.",
            hint="Check whether the disk is full, then try again.",
            code="video_not_written",
        ) from error
    return written


def examine(path: Path, limits: Limits | None = None, *, name: str | None = None) -> Examined:
    """Return a video's facts and digest, in one pass. Raise ``Invalid`` if it cannot be decoded to its end.

    ``name`` is its name in errors, if the client does not know its path.
    """
    name = name or path.name
    if is_animated_webp(path):
        return _examined_animation(path, limits or Limits(), name)
    digest = hashlib.sha256()
    width = height = frames = 0
    last: VideoFrame | None = None
    with _opened(path, limits or Limits(), name) as (container, stream):
        fps = stream.average_rate or stream.guessed_rate or Fraction(0)
        for frame in _frames(container, stream, name, limits or Limits()):
            if last is None:
                width, height = frame.width, frame.height
            _digest_frame(digest.update, frame)
            frames, last = frames + 1, frame
    if last is None:
        raise _unreadable(name, "it holds no frame")
    return Examined(
        facts=VideoFacts(width=width, height=height, frames=frames, fps=float(fps)),
        frames_digest=PREFIX + digest.hexdigest(),
        last_frame=png_of(_to_rgb(last)),
    )


def _examined_animation(path: Path, limits: Limits, name: str) -> Examined:
    """Examine an animated WEBP; its frames are digested as RGB, because the decoder converts the colours itself."""
    digest = hashlib.sha256()
    frames = shown_ms = 0
    last: Pixels | None = None
    shown = animation_frames(path, name, frame_pixels=limits.frame_pixels, most=limits.frames)
    for pixels, milliseconds in shown:
        height, width, _ = pixels.shape
        digest.update(_frame_header(width, height, "rgb24") + np.ascontiguousarray(pixels).tobytes())
        frames, shown_ms, last = frames + 1, shown_ms + milliseconds, pixels
    if last is None:
        raise _unreadable(name, "it holds no frame")
    height, width, _ = last.shape
    fps = frames * 1000 / shown_ms if shown_ms else 0.0
    return Examined(
        facts=VideoFacts(width=width, height=height, frames=frames, fps=fps),
        frames_digest=PREFIX + digest.hexdigest(),
        last_frame=png_of(last),
    )


def probe(path: Path, limits: Limits | None = None) -> VideoFacts:
    """Return width, height, number of frames and frames per second. Raise ``Invalid`` for an incomplete video."""
    return examine(path, limits).facts


def frames_digest(path: Path, limits: Limits | None = None) -> Digest:
    """Return the digest of a video's frames, independent of its container, tags and timing.

    SHA-256 over all frames in display order; for each, the canonical JSON ``{"height":…,"pixel_format":…,"width":…}``,
    one line feed, and the decoded samples: plane by plane (Y, U, V), row by row, without padding. H.264 and VP9 define
    these bytes exactly, so all correct decoders agree. Frames in pixel formats other than planes of 8, 10 or 12 bits
    are first converted to RGB, as ``rgb24``. Timestamps are not digested.
    """
    return examine(path, limits).frames_digest


def last_frame_of(path: Path, limits: Limits | None = None) -> bytes:
    """Return the last frame of a video as PNG, for takes that were recorded without one."""
    return examine(path, limits).last_frame


def decoded(path: Path, limits: Limits | None = None) -> Iterator[Pixels]:
    """Yield the frames of a video in display order as RGB."""
    if is_animated_webp(path):
        within = limits or Limits()
        for pixels, _ in animation_frames(path, path.name, frame_pixels=within.frame_pixels, most=within.frames):
            yield pixels
        return
    with _opened(path, limits or Limits(), path.name) as (container, stream):
        for frame in _frames(container, stream, path.name, limits or Limits()):
            yield _to_rgb(frame)


def picture_digest(pixels: Pixels) -> Digest:
    """Return the digest of a picture's pixels: ``frames_digest`` of a video of this one frame in RGB."""
    height, width, _ = pixels.shape
    return digest_of(_frame_header(width, height, "rgb24") + np.ascontiguousarray(pixels).tobytes())


@contextmanager
def _opened(path: Path, limits: Limits, name: str) -> Generator[tuple[InputContainer, VideoStream]]:
    """Open a video file; yield its container and first video stream. FFmpeg's errors inside become ``Invalid``."""
    try:
        options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
        # By itself FFmpeg takes an animated PNG for a still one if its texts are longer than what it looks at.
        form = "apng" if _is_animated_png(path) else None
        with av.open(
            f"file:{path.absolute()}", "r", format=form, options=options, metadata_errors="replace"
        ) as container:
            if not container.streams.video:
                raise _unreadable(name, "it holds no video stream")
            stream = container.streams.video[0]
            # Contrary to its stubs, PyAV has no codec context if FFmpeg has no decoder.
            context = cast(VideoCodecContext | None, stream.codec_context)
            if context is None:
                raise _unreadable(name, "its codec is unknown here")
            _require_size(context.width, context.height, name, limits)
            _require_whole(stream, path, name)
            # The decoder counts padded rows: allow twice the limit; frames are measured again afterwards.
            context.options = {"max_pixels": str(2 * limits.frame_pixels)}
            yield container, stream
    except (FileNotFoundError, PermissionError) as error:
        raise Unavailable(
            f"{name} cannot be opened: {error.strerror}.",
            hint="Restore the file, or give the right to read it.",
            code="input_missing",
        ) from error
    except FFmpegError as error:
        raise _unreadable(name, str(error.strerror or error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(name, "its text is damaged") from error


def _frames(container: InputContainer, stream: VideoStream, name: str, limits: Limits) -> Iterator[VideoFrame]:
    """Yield every frame of the stream. Raise ``Invalid`` at a damaged packet or beyond a limit."""
    count = 0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise _unreadable(name, "it is cut short or damaged")
        for frame in stream.decode(packet):
            count += 1
            if count > limits.frames:
                raise Invalid(
                    f"{name} has more than {limits.frames} frames.",
                    hint="Cut it into shorter videos.",
                    too_large=True,
                    code="video_too_large",
                )
            _require_size(frame.width, frame.height, name, limits)
            yield frame


def _require_size(width: int, height: int, name: str, limits: Limits) -> None:
    if width * height > limits.frame_pixels:
        raise Invalid(
            f"{name} has frames of {width} × {height}; at most {limits.frame_pixels} pixels are read.",
            hint="Scale the video down.",
            too_large=True,
            code="video_too_large",
        )


def _is_animated_png(path: Path) -> bool:
    with path.open("rb") as source:
        return is_animated_png(source)


def _require_whole(stream: VideoStream, path: Path, name: str) -> None:
    """Raise ``Invalid`` if the index refers to samples beyond the end of the file.

    Otherwise a file that is cut off exactly between two samples would decode as a shorter video.
    """
    end = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
    if end > path.stat().st_size:
        raise _unreadable(name, "it is cut short or damaged")


def _unreadable(name: str, why: str) -> Invalid:
    return Invalid(
        f"{name} is not a video that can be read: {why}.",
        hint="Upload a whole MP4, WebM, MKV, MOV, AVI, GIF or animated PNG.",
        code="not_a_video",
    )


def _digest_frame(update: Callable[[bytes], None], frame: VideoFrame) -> None:
    size = _BYTES_PER_SAMPLE.get(frame.format.name)
    if size is None:
        pixels = _to_rgb(frame)
        update(_frame_header(frame.width, frame.height, "rgb24"))
        update(np.ascontiguousarray(pixels).tobytes())
        return
    update(_frame_header(frame.width, frame.height, frame.format.name))
    for plane in frame.planes:
        # The cast is for the type checker: a plane supports the buffer protocol.
        rows = np.frombuffer(cast(bytes, plane), dtype=np.uint8).reshape(-1, plane.line_size)
        update(np.ascontiguousarray(rows[: plane.height, : plane.width * size]).tobytes())


def _frame_header(width: int, height: int, pixel_format: str) -> bytes:
    return canonical({"height": height, "pixel_format": pixel_format, "width": width}) + b"\n"


def _to_rgb(frame: VideoFrame) -> Pixels:
    return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def _rate(fps: float) -> Fraction:
    """Return frames per second as FFmpeg writes them: 23.976 is 24000/1001."""
    return Fraction(fps).limit_denominator(1001)


def _to_yuv(pixels: Pixels) -> Pixels:
    """Convert RGB to planar YUV 4:2:0, BT.709 limited range, in integers of 2^-16; the planes stacked for FFmpeg."""
    height, width, _ = pixels.shape
    if height % 2 or width % 2:
        raise Invalid(
            f"A video of {width} × {height} cannot be written: H.264 in 4:2:0 needs even sizes.",
            hint="Use an even width and height.",
        )
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    luma = (11966 * red + 40254 * green + 4064 * blue + (16 << 16) + (1 << 15)) >> 16
    small = [_quarters(channel) for channel in (red, green, blue)]
    cb = (-6596 * small[0] - 22189 * small[1] + 28784 * small[2] + (128 << 18) + (1 << 17)) >> 18
    cr = (28784 * small[0] - 26145 * small[1] - 2639 * small[2] + (128 << 18) + (1 << 17)) >> 18
    planes = [plane.reshape(-1, width) for plane in (luma, cb.reshape(1, -1), cr.reshape(1, -1))]
    return np.concatenate(planes).clip(0, 255).astype(np.uint8)


def _quarters(channel: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the sums of 2 × 2 pixels."""
    return channel[0::2, 0::2] + channel[0::2, 1::2] + channel[1::2, 0::2] + channel[1::2, 1::2]
