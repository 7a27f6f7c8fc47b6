"""Decides which versions are out of date in a scope, and because of what. Pure: knows no segments.

    portrait v1 ──made──▶ clothed v1 ──made──▶ poster v1
       │ active: v2
       └─ root (portrait, 1, 2): clothed v1 and poster v1 are out of date, as long as they are expected

Versions of an asset with equal effective digests are one node: they share their derivations. The expected version of an
asset in a scope is decided by ``Scope.expected`` here and by ``expected_version`` in the database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import TopologicalSorter
from hashlib import sha256

from genlock.staleness.model import RootKind

Ref = tuple[int, int]
"""(asset id, version number)."""
Node = tuple[int, bytes]
"""(asset id, effective digest)."""
Root = tuple[int, int, int]
"""(asset id, used version, expected version)."""
Paths = Mapping[Root, tuple[Ref, ...]]
"""For each root, the versions from its used one down to the version in question, which is left out."""

GLOBAL = 0
"""The scope of everything without pins."""
NOTHING = sha256(b"").digest()
"""Stands for the digest of an expected version that does not exist."""


@dataclass(frozen=True, slots=True)
class Content:
    """A version as the rules see it."""

    content_id: int
    asset_id: int
    number: int
    effective: bytes


@dataclass(frozen=True, slots=True)
class Derived:
    """One derivation of a version, with its set of sources."""

    id: int
    version: Ref
    sources: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Bytes that no version of their asset has."""

    content_id: int
    asset_id: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Scope:
    """Where expectations hold: a scene's pins replace those of its project, and both the active version."""

    id: int
    pins: Mapping[int, int] = field(default_factory=dict[int, int])

    def expected(self, active: Mapping[int, int], asset_id: int) -> int | None:
        """Return the version of an asset to use here; none if the asset has no active version."""
        return self.pins.get(asset_id, active.get(asset_id))


@dataclass(frozen=True, slots=True)
class Outdated:
    """A content that should not be used in a scope, and one of its roots. ``direct``: the root is of that asset."""

    scope_id: int
    content_id: int
    asset_id: int
    kind: RootKind
    direct: bool
    root: Root
    used: bytes
    expected: bytes
    path: tuple[Ref, ...]


@dataclass(frozen=True)
class Lineage:
    """A part of the library with every source of every derivation in it."""

    contents: tuple[Content, ...]
    derivations: tuple[Derived, ...]
    active: Mapping[int, int]

    def activated(self, asset_id: int, number: int) -> "Lineage":
        """Return the lineage with another version of an asset active."""
        return replace(self, active={**self.active, asset_id: number})

    def without(self, derivation_id: int | None) -> "Lineage":
        """Return the lineage without a derivation."""
        return replace(self, derivations=tuple(row for row in self.derivations if row.id != derivation_id))

    @cached_property
    def effective(self) -> Mapping[Ref, bytes]:
        """The effective digest of each version."""
        return {(content.asset_id, content.number): content.effective for content in self.contents}

    def node(self, ref: Ref) -> Node:
        """Return the node of a version."""
        return ref[0], self.effective[ref]

    @cached_property
    def made_by(self) -> Mapping[Node, tuple[Derived, ...]]:
        """The derivations of each node, oldest first."""
        by_node: dict[Node, list[Derived]] = {}
        for derivation in sorted(self.derivations, key=lambda derivation: derivation.id):
            by_node.setdefault(self.node(derivation.version), []).append(derivation)
        return {node: tuple(derivations) for node, derivations in by_node.items()}

    @cached_property
    def sources_first(self) -> tuple[Node, ...]:
        """Every node, after all nodes that it was made from."""
        sorter: TopologicalSorter[Node] = TopologicalSorter()
        for node, derivations in self.made_by.items():
            sorter.add(node, *{self.node(source) for derivation in derivations for source in derivation.sources})
        return tuple(sorter.static_order())

    def ancestors(self, node: Node) -> frozenset[Node]:
        """Return the node itself and everything it was made from."""
        ancestors = {node}
        waiting = [node]
        while waiting:
            for derivation in self.made_by.get(waiting.pop(), ()):
                for source in map(self.node, derivation.sources):
                    if source not in ancestors:
                        ancestors.add(source)
                        waiting.append(source)
        return frozenset(ancestors)


def outdated(lineage: Lineage, scopes: Iterable[Scope], assets: Iterable[int]) -> tuple[Outdated, ...]:
    """Return every content of ``assets`` that is out of date in each of ``scopes``, once for each of its roots."""
    affected = set(assets)
    ancestors: dict[Node, frozenset[Node]] = {}
    rows: list[Outdated] = []
    for scope in scopes:
        rows += _in_scope(lineage, scope, affected, ancestors)
    return tuple(rows)


def unmatched(lineage: Lineage, scopes: Iterable[Scope], contents: Iterable[Unmatched]) -> tuple[Outdated, ...]:
    """Return a row for each of ``contents`` in each of ``scopes``: bytes of no version are out of date everywhere."""
    contents = tuple(contents)
    return tuple(
        Outdated(
            scope_id=scope.id,
            content_id=content.content_id,
            asset_id=content.asset_id,
            kind=RootKind.UNMATCHED,
            direct=True,
            root=(content.asset_id, 0, expected or 0),
            used=content.digest,
            expected=NOTHING if expected is None else lineage.effective[content.asset_id, expected],
            path=(),
        )
        for scope in scopes
        for content in contents
        for expected in (scope.expected(lineage.active, content.asset_id),)
    )


def _in_scope(
    lineage: Lineage, scope: Scope, assets: set[int], ancestors: dict[Node, frozenset[Node]]
) -> Iterable[Outdated]:
    expected = {
        asset_id: number
        for asset_id in lineage.active
        if (number := scope.expected(lineage.active, asset_id)) is not None
    }
    roots = _roots(lineage, scope, expected, ancestors)
    for content in lineage.contents:
        if content.asset_id not in assets:
            continue
        should_be = (content.asset_id, expected[content.asset_id])
        reference = (content.asset_id, content.number)
        if content.effective != lineage.effective[should_be]:
            root = (content.asset_id, content.number, should_be[1])
            yield _row(lineage, scope, content, root, (reference,), direct=True)
            continue
        for root, path in roots.get(lineage.node(reference), {}).items():
            yield _row(lineage, scope, content, root, (*path, reference), direct=False)


def _roots(
    lineage: Lineage, scope: Scope, expected: Mapping[int, int], ancestors: dict[Node, frozenset[Node]]
) -> dict[Node, Paths]:
    """Return the roots of each node that is out of date, computed sources first."""
    pinned = {
        lineage.node((asset, number)) for asset, number in scope.pins.items() if (asset, number) in lineage.effective
    }
    roots: dict[Node, Paths] = {}
    for node in lineage.sources_first:
        if node in pinned:
            continue  # up to date by definition: a user selected it
        each = [
            _roots_of(lineage, derivation, node, expected, roots, ancestors)
            for derivation in lineage.made_by.get(node, ())
        ]
        if each and all(each):
            roots[node] = each[-1]  # of the newest derivation
    return roots


def _roots_of(
    lineage: Lineage,
    derivation: Derived,
    node: Node,
    expected: Mapping[int, int],
    roots: Mapping[Node, Paths],
    ancestors: dict[Node, frozenset[Node]],
) -> Paths:
    """Return the roots of a derivation: its superseded sources, and those passed on by its other sources."""
    current = {
        asset
        for asset, number in derivation.sources
        if lineage.effective[asset, number] == lineage.effective[asset, expected[asset]]
    }
    shortest: dict[Root, tuple[Ref, ...]] = {}
    for source in sorted(derivation.sources):
        asset, number = source
        should_be = lineage.node((asset, expected[asset]))
        passed: Paths = roots.get(lineage.node(source), {})
        if lineage.node(source) != should_be:
            if should_be not in ancestors:
                ancestors[should_be] = lineage.ancestors(should_be)
            if node not in ancestors[should_be]:
                _keep_shortest(shortest, (asset, number, expected[asset]), (source,))
                continue
            # What is expected was itself made from this version (an edit, a loop): not superseded by it.
            passed = {root: path for root, path in passed.items() if root[0] not in current}
        for root, path in passed.items():
            _keep_shortest(shortest, root, (*path, source))
    return shortest


def _keep_shortest(shortest: dict[Root, tuple[Ref, ...]], root: Root, path: tuple[Ref, ...]) -> None:
    if root not in shortest or (len(path), path) < (len(shortest[root]), shortest[root]):
        shortest[root] = path


def _row(
    lineage: Lineage, scope: Scope, content: Content, root: Root, path: tuple[Ref, ...], *, direct: bool
) -> Outdated:
    asset, used, should_be = root
    return Outdated(
        scope_id=scope.id,
        content_id=content.content_id,
        asset_id=content.asset_id,
        kind=RootKind.ASSET,
        direct=direct,
        root=root,
        used=lineage.effective[asset, used],
        expected=lineage.effective[asset, should_be],
        path=path,
    )
