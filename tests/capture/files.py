"""Write files as programs leave them: images and videos with a graph, or a text, in each known encoding."""

# PyAV's stubs leave packets and the keyword arguments of add_stream open.
# pyright: reportUnknownMemberType=false

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image
from PIL.PngImagePlugin import PngInfo

WIDTH, HEIGHT, FRAMES = 64, 48, 9

Tags = dict[str, str]


def frames(shade: int, count: int = FRAMES) -> list[Any]:
    """Return a few frames that differ from those of every other shade."""
    noise = np.random.RandomState(shade).randint(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return [np.roll(noise, number, axis=1) for number in range(count)]


def png(path: Path, tags: Tags, *, shade: int = 1, packed: bool = False, international: bool = False) -> Path:
    """Write a PNG with its tags as text chunks: plain, packed, or international."""
    info = PngInfo()
    for key, text in tags.items():
        if international:
            info.add_itxt(key, text, zip=packed)
        else:
            info.add_text(key, text, zip=packed)
    Image.fromarray(frames(shade, 1)[0]).save(path, "PNG", pnginfo=info)
    return path


def webp(path: Path, exif_texts: dict[int, str], *, shade: int = 1, animated: bool = True) -> Path:
    """Write a WEBP, animated by default, with texts in EXIF tags as ComfyUI writes them."""
    exif = Image.Exif()
    for tag, text in exif_texts.items():
        exif[tag] = text
    first, *others = (Image.fromarray(frame) for frame in frames(shade, FRAMES if animated else 1))
    first.save(path, "WEBP", save_all=animated, append_images=others, duration=125, lossless=True, exif=exif)
    return path


def apng(path: Path, tags: Tags, *, shade: int = 1, before: bool = False) -> Path:
    """Write an animated PNG with its tags as ComfyUI writes them, behind the pictures; or as texts ``before`` them."""
    info = PngInfo()
    for key, text in tags.items():
        if before:
            info.add_text(key, text)
        else:
            info.add(b"comf", key.encode() + b"\0" + text.encode(), after_idat=True)
    first, *others = (Image.fromarray(frame) for frame in frames(shade))
    first.save(path, "PNG", pnginfo=info, save_all=True, append_images=others, duration=125)
    return path


def gif(path: Path, *, shade: int = 1) -> Path:
    """Write a GIF, which has no tags."""
    first, *others = (Image.fromarray(frame) for frame in frames(shade))
    first.save(path, "GIF", save_all=True, append_images=others, duration=120, loop=0)
    return path


def video(path: Path, tags: Tags, *, shade: int = 1) -> Path:
    """Write an MP4, MOV, WEBM or MKV, by its extension, with its tags on the container."""
    is_mp4 = path.suffix in {".mp4", ".mov"}
    options = {"movflags": "use_metadata_tags"} if is_mp4 else {}
    with av.open(str(path), "w", options=options) as container:
        for key, text in tags.items():
            container.metadata[key] = text
        stream = container.add_stream("libx264" if is_mp4 else "libvpx-vp9", rate=8)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for pixels in frames(shade):
            container.mux(stream.encode(VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def comfyui_tags(graph: dict[str, Any], *, workflow: bool = True) -> Tags:
    """Return what ComfyUI embeds: the graph, and the editor's workflow if there was one."""
    tags = {"prompt": json.dumps(graph)}
    return {**tags, "workflow": json.dumps({"nodes": [], "links": [], "version": 0.4})} if workflow else tags


def save(path: Path, graph: dict[str, Any], *, shade: int = 1) -> Path:
    """Write a file as ComfyUI saves it, by its extension."""
    tags = comfyui_tags(graph)
    if path.suffix == ".png":
        return png(path, tags, shade=shade)
    if path.suffix == ".apng":
        return apng(path, tags, shade=shade)
    if path.suffix == ".webp":
        return webp(path, {0x0110: f"prompt:{tags['prompt']}", 0x010F: f"workflow:{tags['workflow']}"}, shade=shade)
    upper = path.suffix in {".webm", ".mkv"}
    return video(path, {key.upper() if upper else key: text for key, text in tags.items()}, shade=shade)
