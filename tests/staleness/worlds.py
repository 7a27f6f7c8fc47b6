"""A ``Stage`` runs histories of projects, versions and takes, and returns what is stale afterwards.

The worked examples are written once against it. ``OracleStage`` runs them in memory and asks the oracle; a stage over
SQL or over HTTP implements the same verbs. Contents are labels: equal labels are equal files, and a ``wrapping``
changes the bytes of a file but not its effect (the metadata of a LoRA).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tests.staleness.oracle.rules import Identity

from genlock.model import Kind

Thing = Literal["project", "scene", "segment", "asset"]
Source = tuple[int, int]  # (asset, number)


@dataclass(frozen=True)
class Use:
    """An input of a claim: a version of an asset, or ``content``, a file that may belong to no asset or version."""

    role: str
    asset: int | None
    version: int | None = None
    content: str | None = None
    strength: float | None = None


@dataclass(frozen=True)
class Uploaded:
    """The answer to an upload."""

    outcome: Literal["created", "equivalent", "exists"]
    asset: int
    version: int


@dataclass(frozen=True)
class SeenCause:
    """A cause as plain values; a path is (type, id, number) by step."""

    kind: str
    role: str
    root: Identity
    path: tuple[tuple[str, int, int | None], ...]
    waived: bool


@dataclass(frozen=True)
class SeenGroup:
    """A group of a report as plain values."""

    root: Identity
    sentence: str
    segments: int
    scenes: int
    direct: int
    derived: int


@dataclass(frozen=True)
class SeenReport:
    """A report as plain values."""

    segments: int
    scenes: int
    superseded: int
    chain: int
    derived: int
    unmatched: int
    waived: int
    groups: tuple[SeenGroup, ...]


@dataclass(frozen=True)
class SeenImpact:
    """A what-if as plain values; reports by project."""

    becomes_stale: int
    becomes_fresh: int
    reports: Mapping[int, SeenReport]


@dataclass(frozen=True)
class SeenUsage:
    """A take that used a version, in how many inputs, and whether it is archived with its segment."""

    take: int
    uses: int
    archived: bool


class Stage(Protocol):
    """The verbs of the worked examples. Every id is the stage's own."""

    async def project(self, slug: str) -> int: ...
    async def scene(self, project: int, name: str) -> int: ...

    async def segment(self, scene: int, *, chained: bool = True, position: int | None = None) -> int:
        """Create a segment, last or inserted at a 1-based position."""
        ...

    async def set_chained(self, segment: int, chained: bool) -> None: ...
    async def archive(self, thing: Thing, id: int) -> None: ...

    async def restore(self, thing: Thing, id: int) -> None:
        """Restore an archived thing; a segment returns to its position."""
        ...

    async def upload(
        self,
        kind: Kind,
        name: str,
        content: str,
        *,
        filename: str,
        wrapping: str = "",
        derived_from: Sequence[Source] = (),
        activate: bool = True,
    ) -> Uploaded:
        """Upload a file to the shared asset of that kind and name, which is created if there is none."""
        ...

    async def generate(
        self, kind: Kind, name: str, content: str, *, filename: str, made_from: Sequence[Source]
    ) -> Uploaded:
        """Upload a file that an engine made from those versions: its derivation has a receipt."""
        ...

    async def activate(self, asset: int, version: int) -> None: ...
    async def pin(self, asset: int, version: int, *, project: int | None = None, scene: int | None = None) -> None: ...
    async def unpin(self, asset: int, *, project: int | None = None, scene: int | None = None) -> None: ...

    async def waive(self, segment: int, asset: int | None) -> tuple[int, ...]:
        """Waive every root of the segment that is of this asset, or of the chain (``None``); return the waivers."""
        ...

    async def withdraw(self, waiver: int) -> None: ...

    async def record(
        self,
        segment: int,
        uses: Sequence[Use],
        *,
        last_frame: str,
        continues: int | None = None,
        frames_of: Sequence[int] = (),
        seed: str | None = "1",
        evidence: str = "recorded",
        select: bool = True,
    ) -> int:
        """Record a take with these inputs and the last frame of take ``continues``; without a seed, a value is missing.

        The last frames of the takes ``frames_of`` are further inputs after that frame.
        """
        ...

    async def select(self, segment: int, take: int) -> None: ...

    async def selected(self, segment: int) -> int | None: ...
    async def takes(self, segment: int) -> tuple[int, ...]: ...
    async def state(self, segment: int) -> str: ...
    async def causes(self, segment: int) -> frozenset[SeenCause]: ...
    async def report(self, project: int) -> SeenReport: ...
    async def impact(self, asset: int, version: int) -> SeenImpact: ...
    async def usage(self, asset: int, version: int, *, selected: bool = True) -> frozenset[SeenUsage]: ...
