"""The situation that planning reads: frozen values, loaded before any decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from genlock.digest import Digest
from genlock.model import Kind
from genlock.staleness.model import RootKey
from genlock.staleness.outdated_versions import GLOBAL, Lineage, Scope
from genlock.takes.model import ReferencedAsset
from genlock.takes.receipt import Input


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """The part of a receipt that rendering again starts from. ``inputs`` are those without ``via``."""

    receipt_digest: Digest
    engine: str
    parameters: Mapping[str, Any]
    graph: Digest | None
    inputs: tuple[Input, ...]
    workload_id: int | None


@dataclass(frozen=True, slots=True)
class SelectedTake:
    """The selected take of a segment. ``continues``: it continues another segment of its run."""

    take_id: int
    receipt: ReceiptFacts
    continues: bool
    via: tuple[Input, ...]  # judged separately: the versions that an unchained frame derives from
    outputs: Mapping[str, Digest]


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """A segment in its scene; ``take`` is null while it is empty."""

    segment_id: int
    scene_id: int
    scope_id: int
    position: int | None
    name: str
    take: SelectedTake | None

    @property
    def archived(self) -> bool:
        """Whether it is archived."""
        return self.position is None


@dataclass(frozen=True, slots=True)
class OwnCause:
    """A cause that begins in a segment. ``asset`` and ``digest`` name the input that gives it; none for a link."""

    root: RootKey
    direct: bool
    waived: bool
    asset: int | None
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The staleness of a segment: roots that are not waived, waived roots, and its own causes."""

    stale: frozenset[RootKey] = frozenset()
    waived: frozenset[RootKey] = frozenset()
    own: tuple[OwnCause, ...] = ()

    def keeps(self, line: Input) -> bool:
        """Return whether an input stays unchanged because all its causes are waived."""
        all_waived = False
        for cause in self.own:
            if cause.asset == line.asset and cause.digest == line.digest:
                if not cause.waived:
                    return False
                all_waived = True
        return all_waived


FRESH = Judgement()


@dataclass(frozen=True, slots=True)
class Target:
    """A version that is expected somewhere."""

    asset: ReferencedAsset
    number: int
    digest: Digest
    effective: Digest


@dataclass(frozen=True, slots=True)
class EarlierTake:
    """An earlier take of a segment with a complete receipt and its bytes, which could be selected again."""

    take_id: int
    inputs_digest: Digest
    graph: Digest | None
    outputs: Mapping[str, Digest]


@dataclass(frozen=True, slots=True)
class AssetFact:
    """An asset that receipts name."""

    asset: ReferencedAsset
    project_id: int | None
    active: int | None
    archived: bool


@dataclass(frozen=True, slots=True)
class Library:
    """The outdated versions, the receipts of those that an engine made, and the scopes with their pins."""

    lineage: Lineage
    scopes: tuple[Scope, ...]
    recipes: Mapping[int, ReceiptFacts]  # by derivation


@dataclass(frozen=True, slots=True)
class Situation:
    """The present state of some scenes of a project."""

    project_id: int
    segments: tuple[PlannedSegment, ...]  # by scene and position; archived ones last
    judgements: Mapping[int, Judgement]
    assets: Mapping[int, AssetFact]
    scopes: Mapping[int, Scope]  # by scene; scenes in the global scope can be absent
    versions: Mapping[tuple[int, int], Target]
    outdated: frozenset[tuple[int, int, int]]  # (scope, asset, version): expected, but out of date
    earlier_takes: Mapping[int, tuple[EarlierTake, ...]]  # newest first
    lost: frozenset[Digest]  # digests of versions, inputs and graphs whose bytes are gone
    cost_s: Mapping[int, float]  # by workload
    library: Library | None
    names: Mapping[int, ReferencedAsset] = field(default_factory=dict[int, ReferencedAsset])

    def judgement(self, segment_id: int) -> Judgement:
        """Return the staleness of a segment."""
        return self.judgements.get(segment_id, FRESH)

    def expected(self, scene_id: int | None, asset_id: int) -> Target | None:
        """Return the version of an asset that a scene should use; without a scene, the active one."""
        asset = self.assets.get(asset_id)
        active = {asset_id: asset.active} if asset and asset.active is not None else {}
        number = self.scope(scene_id).expected(active, asset_id)
        return None if number is None else self.versions.get((asset_id, number))

    def scope(self, scene_id: int | None) -> Scope:
        """Return the scope of a scene; without a scene, the global one."""
        return _GLOBAL if scene_id is None else self.scopes.get(scene_id, _GLOBAL)

    def named(self, asset_id: int) -> ReferencedAsset:
        """Return an asset as messages name it."""
        fact = self.assets.get(asset_id)
        return fact.asset if fact else self.names.get(asset_id, _nameless(asset_id))


_GLOBAL = Scope(GLOBAL)


def _nameless(asset_id: int) -> ReferencedAsset:
    return ReferencedAsset(id=asset_id, kind=Kind.OTHER, name=f"asset {asset_id}")
