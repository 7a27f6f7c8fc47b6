"""Loads the part of the library that a move can affect, and keeps which contents are out of date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from genlock.db.connection import Conn, execute, rows
from genlock.staleness.outdated import GLOBAL, Content, Derived, Lineage, Outdated, Scope


@dataclass(frozen=True, slots=True)
class Affected:
    """What a move of some assets can affect: the assets downstream of them, with all that those were made from."""

    assets: frozenset[int]
    lineage: Lineage
    scopes: tuple[Scope, ...]


async def load_affected(
    conn: Conn,
    assets: Sequence[int] | None,
    scopes: Sequence[int] | None = None,
    active: Mapping[int, int] | None = None,
) -> Affected:
    """What moving ``assets`` (``None`` = any) can affect in ``scopes`` (``None`` = all).

    ``active`` overrides which versions are active, to ask what would be.
    """
    reach = await rows(
        conn,
        """
        WITH RECURSIVE down (asset_id) AS (
            SELECT id FROM assets WHERE %(assets)s::bigint[] IS NULL OR id = ANY(%(assets)s)
            UNION
            SELECT d.asset_id
              FROM down JOIN derivation_sources s ON s.asset_id = down.asset_id
              JOIN derivations d ON d.id = s.derivation_id
        ), up (asset_id) AS (
            SELECT asset_id FROM down
            UNION
            SELECT s.asset_id
              FROM up JOIN derivations d ON d.asset_id = up.asset_id
              JOIN derivation_sources s ON s.derivation_id = d.id
        )
        SELECT a.id, a.active_version, a.id IN (SELECT asset_id FROM down) AS affected
          FROM up JOIN assets a ON a.id = up.asset_id
         WHERE a.active_version IS NOT NULL
        """,
        assets=None if assets is None else list(assets),
    )
    ids = [row["id"] for row in reach]
    contents = await rows(
        conn,
        """
        SELECT id, asset_id, version, effective_digest
          FROM contents WHERE asset_id = ANY(%(assets)s) AND version IS NOT NULL
        """,
        assets=ids,
    )
    derivations = await rows(
        conn,
        """
        SELECT d.id, d.asset_id, d.number, array_agg(s.asset_id) AS asset_ids, array_agg(s.number) AS numbers
          FROM derivations d JOIN derivation_sources s ON s.derivation_id = d.id
         WHERE d.asset_id = ANY(%(assets)s)
         GROUP BY d.id
        """,
        assets=ids,
    )
    lineage = Lineage(
        contents=tuple(
            Content(row["id"], row["asset_id"], row["version"], row["effective_digest"]) for row in contents
        ),
        derivations=tuple(
            Derived(
                row["id"],
                (row["asset_id"], row["number"]),
                tuple(zip(row["asset_ids"], row["numbers"], strict=True)),
            )
            for row in derivations
        ),
        active={row["id"]: row["active_version"] for row in reach} | dict(active or {}),
    )
    affected = frozenset(row["id"] for row in reach if row["affected"])
    return Affected(assets=affected, lineage=lineage, scopes=await _scopes(conn, scopes))


async def _scopes(conn: Conn, wanted: Sequence[int] | None) -> tuple[Scope, ...]:
    found = await rows(
        conn,
        """
        SELECT s.id, jsonb_object_agg(p.asset_id, p.number ORDER BY p.scene_id NULLS FIRST) AS pins
          FROM scopes s
          JOIN pins p ON p.project_id = s.project_id AND (p.scene_id IS NULL OR p.scene_id = s.scene_id)
         WHERE %(wanted)s::bigint[] IS NULL OR s.id = ANY(%(wanted)s)
         GROUP BY s.id
        """,
        wanted=None if wanted is None else list(wanted),
    )
    scopes = [Scope(row["id"], {int(asset): number for asset, number in row["pins"].items()}) for row in found]
    if wanted is None or GLOBAL in wanted:
        scopes.append(Scope(GLOBAL))
    return tuple(scopes)


async def keep_outdated(conn: Conn, affected: Affected, found: Sequence[Outdated]) -> None:
    """Replace what was out of date among the affected assets, in the affected scopes, by what is now."""
    await execute(
        conn,
        "DELETE FROM outdated_contents WHERE asset_id = ANY(%(assets)s) AND scope_id = ANY(%(scopes)s)",
        assets=list(affected.assets),
        scopes=[scope.id for scope in affected.scopes],
    )
    if not found:
        return
    await execute(
        conn,
        """
        INSERT INTO outdated_contents (scope_id, content_id, asset_id, kind, root_asset_id, root_used, root_expected,
                                       root_used_digest, root_expected_digest, path)
        SELECT scope_id, content_id, asset_id, kind, root_asset_id, root_used, root_expected, used, expected, path
          FROM unnest(%(scopes)s::bigint[], %(contents)s::bigint[], %(assets)s::bigint[], %(kinds)s::text[],
                      %(root_assets)s::bigint[], %(root_used)s::int[], %(root_expected)s::int[], %(used)s::bytea[],
                      %(expected)s::bytea[], %(paths)s::jsonb[])
            AS o (scope_id, content_id, asset_id, kind, root_asset_id, root_used, root_expected, used, expected, path)
        """,
        **as_arrays(found),
        paths=[Jsonb(one.path) for one in found],
    )


def as_arrays(found: Sequence[Outdated]) -> dict[str, list[object]]:
    """Outdated contents as the arrays that the queries unnest."""
    return {
        "scopes": [one.scope_id for one in found],
        "contents": [one.content_id for one in found],
        "assets": [one.asset_id for one in found],
        "kinds": [one.kind for one in found],
        "root_assets": [one.root[0] for one in found],
        "root_used": [one.root[1] for one in found],
        "root_expected": [one.root[2] for one in found],
        "used": [one.used for one in found],
        "expected": [one.expected for one in found],
    }


async def forget_scope(conn: Conn, scope_id: int) -> None:
    """Remove what was out of date in a scope that is no more."""
    await execute(conn, "DELETE FROM outdated_contents WHERE scope_id = %(scope_id)s", scope_id=scope_id)


async def scopes_of(conn: Conn, project_id: int, scene_id: int | None) -> list[int]:
    """The scopes in which a pin of this project or scene counts."""
    found = await rows(
        conn,
        """
        SELECT id FROM scopes
         WHERE project_id = %(project_id)s AND (%(scene_id)s::bigint IS NULL OR scene_id = %(scene_id)s)
        """,
        project_id=project_id,
        scene_id=scene_id,
    )
    return [row["id"] for row in found]
