"""Importing work made before Genlock: what a client sends for one take, and the outcome."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from genlock.digest import Digest
from genlock.model import InputRole, Model, Name
from genlock.takes.claim import Evidence
from genlock.takes.receipt import Input
from genlock.timeline.model import Slug

CONTAINERS = ("mp4", "mov", "webm", "mkv", "webp", "gif", "apng", "png")
"""The formats that are read, best first: the first that a take has is its video, the others are stored with it.

A PNG is last: next to another file it is the first frame, which savers write for the graph; alone it may be animated.
"""

NOT_COUNTED = frozenset({"engine.version"})
"""What a receipt may lack and still explain its take: no file contains it."""


MAX_LOOKUPS = 200
"""How many takes one lookup may name."""


class ImportSource(StrEnum):
    """The kind of text in a file that says how it was generated."""

    GRAPH = "graph"
    WEBUI = "webui"
    NOTHING = "nothing"


class ImportOutcome(StrEnum):
    """The outcome for a take."""

    RECORDED = "recorded"
    WOULD_RECORD = "would_record"
    EXISTS = "exists"


class ImportTarget(Model):
    """The segment that a take goes to, and the name of its file."""

    project: Slug
    scene: Name
    segment: Name
    name: Annotated[str, Field(min_length=1, max_length=1000)]


class NewImport(ImportTarget):
    """One take, sent with its files. ``dry_run`` writes nothing.

    ``digest``, without files, only asks whether the bytes of the video are a take already.
    """

    engine_version: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    digest: Digest | None = None
    dry_run: bool = False


class Lookup(ImportTarget):
    """A take that may have been imported, with the digest of its video."""

    digest: Digest


class ImportLookup(Model):
    """Takes to find, by their segments and the digests of their videos."""

    takes: Annotated[tuple[Lookup, ...], Field(min_length=1, max_length=MAX_LOOKUPS)]


class ImportedInput(Model):
    """A matched input: ``version`` is null where the asset, or its version, is unknown."""

    role: InputRole
    name: str | None
    asset_id: int | None
    version: int | None
    digest: Digest | None


class Imported(Model):
    """The outcome for one take. The ids are null where nothing was written.

    ``created``: which of project, scene and segment were created. ``explained``: nothing required is missing and every
    input is a known version. ``notes`` list what could not be used.
    """

    outcome: ImportOutcome
    project: str
    scene: str
    segment: str
    name: str
    created: tuple[str, ...] = ()
    segment_id: int | None = None
    take_id: int | None = None
    take: int | None = None
    receipt_id: int | None = None
    source: ImportSource | None = None
    evidence: Evidence
    missing: tuple[str, ...]
    inputs: tuple[ImportedInput, ...]
    explained: bool
    notes: tuple[str, ...] = ()


class FoundImports(Model):
    """For each take of a lookup, in order: its import, or null if it has not been imported."""

    items: tuple[Imported | None, ...]


def is_explained(missing: Iterable[str], inputs: Iterable[Input]) -> bool:
    """Return whether a receipt names everything that its take was generated from."""
    return not set(missing) - NOT_COUNTED and all(
        each.version is not None or each.take is not None for each in inputs if each.via is None
    )
