"""Importing work made before Genlock: what a caller says of one take, and what became of it."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from genlock.digest import Digest
from genlock.model import Model, Name
from genlock.takes.claim import Evidence, InputRole
from genlock.takes.receipt import Input
from genlock.timeline.model import Slug

CONTAINERS = ("mp4", "webm", "webp", "png")
"""The forms that are read, the one that shows most first: it is the take's video, the others stand beside it."""

NOT_COUNTED = frozenset({"engine.version"})
"""What a receipt may lack and still explain its take: no file carries it."""


class ImportSource(StrEnum):
    """What a file said of how it was made."""

    GRAPH = "graph"
    WEBUI = "webui"
    NOTHING = "nothing"


class ImportOutcome(StrEnum):
    """What became of a file."""

    RECORDED = "recorded"
    WOULD_RECORD = "would_record"
    EXISTS = "exists"


class NewImport(Model):
    """Where one take belongs and what it is called: its files come along. ``dry_run`` writes nothing.

    ``digest``, without files, only asks whether the bytes of the video are a take already.
    """

    project: Slug
    scene: Name
    segment: Name
    name: Annotated[str, Field(min_length=1, max_length=1000)]
    engine_version: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    digest: Digest | None = None
    dry_run: bool = False


class ImportedInput(Model):
    """An input as it was matched: ``version`` is null where the asset, or the version of it, is not known."""

    role: InputRole
    name: str | None
    asset_id: int | None
    version: int | None
    digest: Digest | None


class Imported(Model):
    """What became of one take. The ids are null where nothing was written.

    ``explained``: nothing required is missing and every input is a known version. ``notes`` say what was there and
    could not be used.
    """

    outcome: ImportOutcome
    project: str
    scene: str
    segment: str
    name: str
    made: tuple[str, ...] = ()
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


def is_explained(missing: Iterable[str], inputs: Iterable[Input]) -> bool:
    """Whether a receipt says everything that its take was made from."""
    return not set(missing) - NOT_COUNTED and all(
        one.version is not None or one.take is not None for one in inputs if one.via is None
    )
