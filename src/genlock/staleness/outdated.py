"""Which versions are out of date in a scope, and because of what. Pure; the segments that use them are joined later.

    portrait v1 ──made──▶ clothed v1 ──made──▶ poster v1
       │ active: v2
       └─ root (portrait, 1, 2): clothed v1 and poster v1 are out of date, as long as they are expected

Versions of an asset with equal effective digests are one node: they share their derivations.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import TopologicalSorter

Ref = tuple[int, int]
"""(asset id, version number)."""
Node = tuple[int, bytes]
"""(asset id, effective digest)."""
Root = tuple[int, int, int]
"""(asset id, used version, expected version)."""
Paths = Mapping[Root, tuple[Ref, ...]]
"""For each root, the versions from its used one down to the one that asks, which is left out."""

GLOBAL = 0


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
    made: Ref
    sources: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where expectations hold: the pins of a scene over those of its project; everything else is active."""

    id: int
    pins: Mapping[int, int] = field(default_factory=dict[int, int])


@dataclass(frozen=True, slots=True)
class Outdated:
    """A content that is not what its asset's users should use, and one root of that."""

    scope_id: int
    content_id: int
    asset_id: int
    kind: str
    root: Root
    used: bytes
    expected: bytes
    path: tuple[Ref, ...]


@dataclass(frozen=True)
class Lineage:
    """A part of the library that is closed upwards: every source of every derivation in it is in it."""

    contents: tuple[Content, ...]
    derivations: tuple[Derived, ...]
    active: Mapping[int, int]

    def activated(self, asset_id: int, number: int) -> "Lineage":
        """The same with another version of an asset active."""
        return replace(self, active={**self.active, asset_id: number})

    def without(self, derivation_id: int | None) -> "Lineage":
        """The same before a derivation was there."""
        return replace(self, derivations=tuple(one for one in self.derivations if one.id != derivation_id))

    @cached_property
    def effective(self) -> Mapping[Ref, bytes]:
        """The effective digest of each version."""
        return {(content.asset_id, content.number): content.effective for content in self.contents}

    def node(self, ref: Ref) -> Node:
        """The node that a version belongs to."""
        return ref[0], self.effective[ref]

    @cached_property
    def made_by(self) -> Mapping[Node, tuple[Derived, ...]]:
        """The derivations of each node, oldest first."""
        found: dict[Node, list[Derived]] = {}
        for derivation in sorted(self.derivations, key=lambda one: one.id):
            found.setdefault(self.node(derivation.made), []).append(derivation)
        return {node: tuple(derivations) for node, derivations in found.items()}

    @cached_property
    def sources_first(self) -> tuple[Node, ...]:
        """Every node after all that it was made from."""
        sorter: TopologicalSorter[Node] = TopologicalSorter()
        for node, derivations in self.made_by.items():
            sorter.add(node, *{self.node(source) for one in derivations for source in one.sources})
        return tuple(sorter.static_order())

    def ancestors(self, node: Node) -> frozenset[Node]:
        """The node itself and everything it was made from."""
        seen = {node}
        waiting = [node]
        while waiting:
            for derivation in self.made_by.get(waiting.pop(), ()):
                for source in map(self.node, derivation.sources):
                    if source not in seen:
                        seen.add(source)
                        waiting.append(source)
        return frozenset(seen)


def outdated(lineage: Lineage, scopes: Iterable[Scope], assets: Iterable[int]) -> tuple[Outdated, ...]:
    """Every content of ``assets`` that is out of date in each of ``scopes``, once for each of its roots."""
    wanted = set(assets)
    ancestors: dict[Node, frozenset[Node]] = {}
    found: list[Outdated] = []
    for scope in scopes:
        found += _in_scope(lineage, scope, wanted, ancestors)
    return tuple(found)


def _in_scope(
    lineage: Lineage, scope: Scope, wanted: set[int], ancestors: dict[Node, frozenset[Node]]
) -> Iterable[Outdated]:
    expected = {asset_id: scope.pins.get(asset_id, number) for asset_id, number in lineage.active.items()}
    roots = _roots(lineage, scope, expected, ancestors)
    for content in lineage.contents:
        if content.asset_id not in wanted:
            continue
        should_be = (content.asset_id, expected[content.asset_id])
        reference = (content.asset_id, content.number)
        if content.effective != lineage.effective[should_be]:
            root = (content.asset_id, content.number, should_be[1])
            yield _row(lineage, scope, content, "superseded", root, (reference,))
            continue
        for root, path in roots.get(lineage.node(reference), {}).items():
            yield _row(lineage, scope, content, "derived", root, (*path, reference))


def _roots(
    lineage: Lineage, scope: Scope, expected: Mapping[int, int], ancestors: dict[Node, frozenset[Node]]
) -> dict[Node, Paths]:
    """The roots of each node that is out of date, worked out sources first."""
    pinned = {
        lineage.node((asset, number)) for asset, number in scope.pins.items() if (asset, number) in lineage.effective
    }
    roots: dict[Node, Paths] = {}
    for node in lineage.sources_first:
        if node in pinned:
            continue  # up to date by definition: a person chose it
        each = [_roots_of(lineage, one, node, expected, roots, ancestors) for one in lineage.made_by.get(node, ())]
        if each and all(each):
            roots[node] = each[-1]  # of the newest derivation
    return roots


def _roots_of(
    lineage: Lineage,
    derivation: Derived,
    made: Node,
    expected: Mapping[int, int],
    roots: Mapping[Node, Paths],
    ancestors: dict[Node, frozenset[Node]],
) -> Paths:
    """The roots of one derivation: its superseded sources, and what its other sources pass on."""
    current = {
        asset
        for asset, number in derivation.sources
        if lineage.effective[asset, number] == lineage.effective[asset, expected[asset]]
    }
    found: dict[Root, tuple[Ref, ...]] = {}
    for source in sorted(derivation.sources):
        asset, number = source
        should_be = lineage.node((asset, expected[asset]))
        passed: Paths = roots.get(lineage.node(source), {})
        if lineage.node(source) != should_be:
            if should_be not in ancestors:
                ancestors[should_be] = lineage.ancestors(should_be)
            if made not in ancestors[should_be]:
                _keep_shortest(found, (asset, number, expected[asset]), (source,))
                continue
            # What is expected was itself made from this version (an edit, a loop): not superseded by it.
            passed = {root: path for root, path in passed.items() if root[0] not in current}
        for root, path in passed.items():
            _keep_shortest(found, root, (*path, source))
    return found


def _keep_shortest(found: dict[Root, tuple[Ref, ...]], root: Root, path: tuple[Ref, ...]) -> None:
    if root not in found or (len(path), path) < (len(found[root]), found[root]):
        found[root] = path


def _row(lineage: Lineage, scope: Scope, content: Content, kind: str, root: Root, path: tuple[Ref, ...]) -> Outdated:
    asset, used, should_be = root
    return Outdated(
        scope_id=scope.id,
        content_id=content.content_id,
        asset_id=content.asset_id,
        kind=kind,
        root=root,
        used=lineage.effective[asset, used],
        expected=lineage.effective[asset, should_be],
        path=path,
    )
