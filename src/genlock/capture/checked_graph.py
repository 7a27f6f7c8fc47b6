"""An open graph that is checked: what a client sends, and how each file of it stands to its asset."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from genlock.capture.run_record import LoadedFile, RunPlace
from genlock.model import Kind, Model
from genlock.takes.claim import JsonObject

MAX_FILES = 1000


class FileState(StrEnum):
    """How a file of a graph stands to its asset."""

    CURRENT = "current"
    """It is the version that should be used, or has the same content."""
    SUPERSEDED = "superseded"
    """Another version should be used."""
    UNKNOWN = "unknown"
    """It has an asset, but it is not known to be one of its versions."""
    UNREGISTERED = "unregistered"
    """No asset has it."""


class GraphToCheck(Model):
    """A graph in API format, with the digests of the files that it names, as far as they are known."""

    graph: JsonObject
    files: Annotated[tuple[LoadedFile, ...], Field(max_length=MAX_FILES)] = ()
    place: RunPlace | None = Field(default=None, description="The segment that its node names.")


class CheckedFile(Model):
    """A file that a node names. ``by_name``: only its name was matched, because its digest was not sent."""

    node: str
    input: str
    name: str
    state: FileState
    asset_id: int | None = None
    kind: Kind | None = None
    asset: str | None = None
    version: int | None = None
    expected_version: int | None = None
    by_name: bool = False


class CheckedGraph(Model):
    """The files of a graph in the order in which they act, and the segment for which they were checked."""

    segment_id: int | None
    files: tuple[CheckedFile, ...]
