"""Worlds of random derivations, and the regeneration of the versions that are out of date in them.

Everything is of one kind and nothing is pinned: only versions, derivations and active versions matter here.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import strategies as st
from tests.staleness.oracle.report import activated
from tests.staleness.oracle.rows import AssetRow, DerivationRow, VersionRow, World
from tests.staleness.oracle.rules import derivations_of, expected, made_from, version_roots, would_be_own_ancestor

Key = tuple[int, int]  # (asset, number)


def key(version: VersionRow) -> Key:
    return (version.asset_id, version.number)


def start(assets: int) -> World:
    """Return a world of several assets, each with a first version without sources."""
    ids = range(1, assets + 1)
    return World(
        assets=tuple(AssetRow(id, None, "other", f"asset {id}") for id in ids),
        versions=tuple(VersionRow(id, 1, f"{id}.1", f"{id}.1", "") for id in ids),
    )


def with_version(world: World, asset: int, sources: Sequence[Key], *, active: bool) -> tuple[World, Key]:
    """Add a version of an asset, made from the given sources."""
    number = 1 + max(row.number for row in world.versions if row.asset_id == asset)
    new = VersionRow(asset, number, f"{asset}.{number}", f"{asset}.{number}", "")
    world = replace(world, versions=(*world.versions, new))
    if sources:
        world = with_derivation(world, (asset, number), sources)
    return (activated(world, asset, number) if active else world), (asset, number)


def with_derivation(world: World, x: Key, sources: Sequence[Key]) -> World:
    """Add a derivation of an existing version."""
    row = DerivationRow(len(world.derivations) + 1, *x, tuple(dict.fromkeys(sources)))
    return replace(world, derivations=(*world.derivations, row))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return uploads with any sources, edits and loops included; derivations declared later; reverts."""
    world = start(draw(st.integers(1, 4)))
    for _ in range(draw(st.integers(1, 14))):
        versions = st.sampled_from([key(row) for row in world.versions])
        match draw(st.sampled_from(["upload", "upload", "upload", "declare", "activate"])):
            case "upload":
                asset = draw(st.sampled_from(world.assets)).id
                sources = draw(st.lists(versions, max_size=3, unique=True))
                world, _ = with_version(world, asset, sources, active=draw(st.booleans()))
            case "declare":
                x, sources = draw(versions), draw(st.lists(versions, min_size=1, max_size=2, unique=True))
                if not would_be_own_ancestor(world, *x, sources):
                    world = with_derivation(world, x, sources)
            case _:
                world = activated(world, *draw(versions))
    return world


def out_of_date(world: World) -> list[Key]:
    """Return the active versions that are out of date."""
    return [(row.id, row.active) for row in world.assets if version_roots(world, None, row.id, row.active)]


def expected_sources(world: World, x: Key) -> list[Key]:
    """Return the sources of ``x`` if it were made today: the expected version of each asset of its newest derivation.

    An older form of ``x``, or of a version made from it, stays: an edit is regenerated from the version that it edited,
    and nothing is made from itself.
    """
    version = world.version(*x)
    newest = derivations_of(world, version.content)[-1]
    today = {source: expected(world, None, source[0]) for source in newest.sources}
    return [source if made_from(world, now, version) else key(now) for source, now in today.items()]


def remake(
    world: World, x: Key, same_content: Callable[[], bool], busy: frozenset[Key] = frozenset()
) -> tuple[World, Key]:
    """Return the world after ``x`` was regenerated, its sources first; and the version that replaces it."""
    if x in busy or not version_roots(world, None, *x):
        return world, x
    sources: list[Key] = []
    for source in expected_sources(world, x):
        world, current = remake(world, source, same_content, busy | {x})
        sources.append(current)
    if not version_roots(world, None, *x):
        return world, x  # cut off: its sources came out identical
    if same_content() and not would_be_own_ancestor(world, *x, sources):
        return activated(with_derivation(world, x, sources), *x), x
    return with_version(world, x[0], sources, active=True)
