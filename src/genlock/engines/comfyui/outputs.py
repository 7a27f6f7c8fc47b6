"""Fetches a prompt's outputs and examines them: the parts of a take, or of a picture. Decoding blocks."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from genlock.digest import Digest
from genlock.engines.comfyui.client import ComfyClient
from genlock.engines.media import JPEG, MP4, PNG, decoded, examine, picture_digest
from genlock.engines.model import IMAGE, LAST_FRAME, THUMBNAIL, VIDEO, OutputFile, Produces
from genlock.engines.pictures import png_of, poster_of, read_picture
from genlock.errors import Invalid, Unavailable
from genlock.kinds import PICTURE_EXTENSIONS

_VIDEOS: Mapping[str, str] = {
    ".mp4": MP4,
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".gif": "image/gif",
    ".webp": "image/webp",
}


class FetchedOutputs(NamedTuple):
    """The files of a run by part, and the digest of the frames in them."""

    outputs: dict[str, OutputFile]
    frames_digest: Digest


class _File(NamedTuple):
    filename: str
    subfolder: str
    kind: str

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.filename).suffix.lower()


async def fetch(
    client: ComfyClient, output: str, outputs: Mapping[str, Any], produces: Produces, workdir: Path
) -> FetchedOutputs:
    """Fetch what node ``output`` saved to ``workdir``; raise ``Invalid`` if it is not one video, or one picture."""
    saved = list(_files_of(cast("dict[str, Any]", outputs.get(output) or {})))
    fitting = [file for file in saved if file.suffix in (_VIDEOS if produces == "video" else PICTURE_EXTENSIONS)]
    if len(fitting) != 1:
        what = "video" if produces == "video" else "picture"
        names = ", ".join(file.filename for file in saved[:5]) or "nothing"
        raise Invalid(
            f"Node {output} saved {names}; a take needs exactly one {what}.",
            hint=f"Let the workflow save one {what}, or name the node that saves it in the bindings.",
            code="wrong_output",
        )
    (file,) = fitting
    path = workdir / f"{produces}{file.suffix}"
    try:
        await asyncio.to_thread(workdir.mkdir, parents=True, exist_ok=True)
        await client.fetch(*file, path)
        return await asyncio.to_thread(_video if produces == "video" else _picture, path)
    except OSError as error:
        raise Unavailable(
            f"The outputs of the run could not be written: {error.strerror or error}.",
            hint="Check whether the disk is full and the folder can be written to.",
            code="outputs_not_written",
        ) from error


def _files_of(lists: Mapping[str, Any]) -> Iterator[_File]:
    """Yield every file that a node lists, under any key."""
    for entries in lists.values():
        for entry in cast("list[Any]", entries) if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("filename"), str):  # pyright: ignore[reportUnknownMemberType]
                named = cast("dict[str, str]", entry)
                yield _File(named["filename"], named.get("subfolder", ""), named.get("type", "output"))


def _video(path: Path) -> FetchedOutputs:
    examined = examine(path)
    middle = examined.facts.frames // 2
    poster = next(pixels for number, pixels in enumerate(decoded(path)) if number == middle)
    return FetchedOutputs(
        {
            VIDEO: OutputFile(path=path, media_type=_VIDEOS[path.suffix]),
            LAST_FRAME: _written(path.with_name("last_frame.png"), examined.last_frame, PNG),
            THUMBNAIL: _written(path.with_name("thumbnail.jpg"), poster_of(poster), JPEG),
        },
        examined.frames_digest,
    )


def _picture(path: Path) -> FetchedOutputs:
    pixels = read_picture(path.read_bytes(), path.name)
    lossless = path.with_suffix(".png")
    if path != lossless:
        lossless.write_bytes(png_of(pixels))
    return FetchedOutputs(
        {
            IMAGE: OutputFile(path=lossless, media_type=PNG),
            THUMBNAIL: _written(path.with_name("thumbnail.jpg"), poster_of(pixels), JPEG),
        },
        picture_digest(pixels),
    )


def _written(path: Path, content: bytes, media_type: str) -> OutputFile:
    path.write_bytes(content)
    return OutputFile(path=path, media_type=media_type)
