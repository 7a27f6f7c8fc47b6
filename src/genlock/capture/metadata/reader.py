"""Reads the files of one take: the format of each, the texts in them, and the frames of the video. Blocks.

walk_00003_.mp4 ┐
walk_00003_.png ┴─▶ texts ─▶ graph, or a web interface's text      of the first file that has one
                └─▶ frames, last frame                             of the best container
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genlock.capture.import_model import CONTAINERS, ImportSource
from genlock.capture.metadata.embedded import Embedded, read_embedded
from genlock.capture.metadata.tags import tags_of
from genlock.capture.metadata.webui_text import WebuiText, read_webui_text
from genlock.digest import Digest
from genlock.engines.media import Examined, examine
from genlock.errors import Invalid
from genlock.graphs.reading import read_uses
from genlock.graphs.uses import Reading
from genlock.library.readers import shown_name
from genlock.takes.parts import media_type_at

_MEDIA_TYPES: Mapping[str, tuple[str, ...]] = {
    "mp4": ("video/mp4", "video/quicktime"),
    "mov": ("video/quicktime", "video/mp4"),
    "webm": ("video/webm", "video/x-matroska"),
    "mkv": ("video/x-matroska", "video/webm"),
    "webp": ("image/webp",),
    "gif": ("image/gif",),
    "apng": ("image/png",),
    "png": ("image/png",),
}
_WRITERS: Mapping[str, re.Pattern[str]] = {
    "mp4": re.compile(r"Video", re.IGNORECASE),
    "mov": re.compile(r"Video", re.IGNORECASE),
    "webm": re.compile(r"WEBM|Video", re.IGNORECASE),
    "mkv": re.compile(r"Video", re.IGNORECASE),
    "webp": re.compile(r"WEBP|Image|Video", re.IGNORECASE),
    "gif": re.compile(r"GIF|Image|Video", re.IGNORECASE),
    "apng": re.compile(r"PNG|Image|Video", re.IGNORECASE),
    "png": re.compile(r"PNG|Image|Video", re.IGNORECASE),
}
"""Classes that write such files, by their names; VHS_VideoCombine writes a PNG next to its video."""

_BEGINNING_BYTES = 64
_COUNTER = re.compile(r"_\d{5,}_?$")


@dataclass(frozen=True)
class File:
    """A file of the take, on this machine's disk for the duration of the request."""

    path: Path
    digest: Digest
    size_bytes: int
    media_type: str


@dataclass(frozen=True)
class TakeMetadata:
    """The contents of a take's files: ``files`` by container, the video first; ``reading`` is of ``embedded.graph``."""

    files: Mapping[str, File]
    embedded: Embedded
    webui: WebuiText | None
    reading: Reading | None
    video: Examined

    @property
    def source(self) -> ImportSource:
        """The kind of text that says how the take was generated."""
        if self.reading is not None:
            return ImportSource.GRAPH
        return ImportSource.WEBUI if self.webui is not None else ImportSource.NOTHING


def media_type_of(container: str, path: Path, name: str) -> str:
    """Return the media type of a file by its first bytes. Raises ``Invalid`` if its container is another one."""
    with path.open("rb") as source:
        media_type = media_type_at(source.read(_BEGINNING_BYTES))
    if media_type not in _MEDIA_TYPES[container]:
        raise Invalid(
            f"{shown_name(name)} is not {container.upper()}: it is {media_type}.",
            hint="Give the file the extension of its format.",
            code="wrong_container",
        )
    return media_type


def read_metadata(files: Mapping[str, File], name: str) -> TakeMetadata:
    """Return the metadata of a take's files. Raises ``Invalid``, naming ``name``, if they are damaged or too large."""
    ordered = {container: files[container] for container in CONTAINERS if container in files}
    embedded = _most_informative([read_embedded(tags_of(file.path, name), name) for file in ordered.values()])
    video = next(iter(ordered))
    reading = None
    if embedded.graph is not None:
        shown = f"The graph in {shown_name(name)}"
        reading = read_uses(embedded.graph, name=shown)
        writer = output_of(reading, name, video)
        if writer is not None and len(reading.outputs) > 1:
            reading = read_uses(embedded.graph, writer, name=shown)
    return TakeMetadata(
        files=ordered,
        embedded=embedded,
        webui=read_webui_text(embedded.text) if embedded.text is not None else None,
        reading=reading,
        video=examine(ordered[video].path, name=shown_name(name)),
    )


def video_of(files: Mapping[str, File]) -> File:
    """Return the file that is the video of a take."""
    return next(files[container] for container in CONTAINERS if container in files)


def _most_informative(embedded: Sequence[Embedded]) -> Embedded:
    """Return the first with a graph, else the first with a text, else the first with a reason for having neither."""
    return min(embedded, key=lambda each: (each.graph is None, each.text is None, each.without_graph is None))


def output_of(reading: Reading, name: str, container: str) -> str | None:
    """Return the node that wrote a file, by its prefix and its class; None if several match."""
    stem = _COUNTER.sub("", _stem(name))
    writers = [output for output in reading.outputs if _WRITERS[container].search(output.class_type)]
    named = [writer for writer in writers if writer.prefix is not None and _stem(f"{writer.prefix.value}.") == stem]
    for matches in (named, writers):
        if len(matches) == 1:
            return matches[0].node
    return None


def _stem(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    return last.rpartition(".")[0] or last
