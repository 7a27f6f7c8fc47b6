"""Looks at the files of one take: what each is, what they say of themselves, and what the video shows. Blocks.

walk_00003_.mp4 ┐
walk_00003_.png ┴─▶ texts ─▶ graph, or a web interface's text      the first file that has one
                └─▶ frames, last frame                             of the one that shows most
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genlock.capture.embedded import Embedded, read_embedded
from genlock.capture.import_model import CONTAINERS, ImportSource
from genlock.capture.tags import tags_of
from genlock.capture.webui_text import WebuiText, read_webui_text
from genlock.digest import Digest
from genlock.engines.media import Examined, examine
from genlock.errors import Invalid
from genlock.graphs.reading import read_uses
from genlock.graphs.uses import Reading
from genlock.library.readers import shown_name
from genlock.takes.parts import media_type_at

_MEDIA_TYPES: Mapping[str, tuple[str, ...]] = {
    "mp4": ("video/mp4", "video/quicktime"),
    "webm": ("video/webm", "video/x-matroska"),
    "webp": ("image/webp",),
    "png": ("image/png",),
}
_WRITERS: Mapping[str, re.Pattern[str]] = {
    "mp4": re.compile(r"Video", re.IGNORECASE),
    "webm": re.compile(r"WEBM|Video", re.IGNORECASE),
    "webp": re.compile(r"WEBP|Image|Video", re.IGNORECASE),
    "png": re.compile(r"PNG|Image|Video", re.IGNORECASE),
}
"""Classes that write such files, by their names; VHS_VideoCombine writes a PNG beside its video."""

_BEGINNING_BYTES = 64
_COUNTER = re.compile(r"_\d{5,}_?$")


@dataclass(frozen=True)
class File:
    """A file of the take, as it lies on this machine's disk for the moment."""

    path: Path
    digest: Digest
    size_bytes: int
    media_type: str


@dataclass(frozen=True)
class Looked:
    """What was found. ``files`` are by container, the video's first; ``reading`` is of ``embedded.graph``."""

    files: Mapping[str, File]
    embedded: Embedded
    webui: WebuiText | None
    reading: Reading | None
    video: Examined

    @property
    def source(self) -> ImportSource:
        """What says how the take was made."""
        if self.reading is not None:
            return ImportSource.GRAPH
        return ImportSource.WEBUI if self.webui is not None else ImportSource.NOTHING


def media_type_of(container: str, path: Path, name: str) -> str:
    """What a file is by its first bytes; ``Invalid``, naming ``name``, if that is not the container it came as."""
    with path.open("rb") as source:
        found = media_type_at(source.read(_BEGINNING_BYTES))
    if found not in _MEDIA_TYPES[container]:
        raise Invalid(
            f"{shown_name(name)} is no {container.upper()}: it is {found}.",
            hint="Give the file the extension of what it is.",
            code="wrong_container",
        )
    return found


def look_at(files: Mapping[str, File], name: str) -> Looked:
    """What the files of a take say and show. ``Invalid``, naming ``name``, if they are damaged or say too much."""
    ordered = {container: files[container] for container in CONTAINERS if container in files}
    embedded = _most_telling([read_embedded(tags_of(file.path, name), name) for file in ordered.values()])
    video = next(iter(ordered))
    graph = embedded.graph
    reading = None
    if graph is not None:
        shown = f"The graph in {shown_name(name)}"
        reading = read_uses(graph, output_of(read_uses(graph, name=shown), name, video), name=shown)
    return Looked(
        files=ordered,
        embedded=embedded,
        webui=read_webui_text(embedded.text) if embedded.text is not None else None,
        reading=reading,
        video=examine(ordered[video].path, name=shown_name(name)),
    )


def video_of(files: Mapping[str, File]) -> File:
    """The file that shows most of a take."""
    return next(files[container] for container in CONTAINERS if container in files)


def _most_telling(found: Sequence[Embedded]) -> Embedded:
    """A graph before a text, a text before a reason why there is neither; of equals the first."""
    return min(found, key=lambda one: (one.graph is None, one.text is None, one.without_graph is None))


def output_of(reading: Reading, name: str, container: str) -> str | None:
    """The node that wrote a file, by its prefix and its class; None where several could have."""
    stem = _COUNTER.sub("", _stem(name))
    writers = [one for one in reading.outputs if _WRITERS[container].search(one.class_type)]
    named = [one for one in writers if one.prefix is not None and _stem(f"{one.prefix.value}.") == stem]
    for found in (named, writers):
        if len(found) == 1:
            return found[0].node
    return None


def _stem(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    return last.rpartition(".")[0] or last
