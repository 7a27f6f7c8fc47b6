"""Loads the part of the library that a change of expectations can affect, and stores what is out of date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from genlock.db.connection import Conn, execute, rows
from genlock.staleness.outdated_versions import GLOBAL, Content, Derived, Lineage, Outdated, Scope, Unmatched


@dataclass(frozen=True, slots=True)
class Affected:
    """The assets downstream of those that change, with all that they were made from, and their unmatched contents."""

    assets: frozenset[int]
    lineage: Lineage
    scopes: tuple[Scope, ...]
    unmatched: tuple[Unmatched, ...]


async def load_affected(
    conn: Conn,
    assets: Sequence[int] | None,
    scopes: Sequence[int] | None = None,
    active: Mapping[int, int] | None = None,
) -> Affected:
    """Return what a change of ``assets`` (``None``: all) can affect in ``scopes`` (``None``: all).

    ``active`` overrides which versions are active, for a what-if.
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
        SELECT id, asset_id, version, effective_digest, digest FROM contents WHERE asset_id = ANY(%(assets)s)
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
            Content(row["id"], row["asset_id"], row["version"], row["effective_digest"])
            for row in contents
            if row["version"] is not None
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
    return Affected(
        assets=affected,
        lineage=lineage,
        scopes=await _scopes(conn, scopes),
        unmatched=tuple(
            Unmatched(row["id"], row["asset_id"], row["digest"])
            for row in contents
            if row["version"] is None and row["asset_id"] in affected
        ),
    )


async def _scopes(conn: Conn, ids: Sequence[int] | None) -> tuple[Scope, ...]:
    pinned = await rows(
        conn,
        """
        SELECT scope_id, jsonb_object_agg(asset_id, number) AS pins
          FROM scope_pins
         WHERE %(ids)s::bigint[] IS NULL OR scope_id = ANY(%(ids)s)
         GROUP BY scope_id
        """,
        ids=None if ids is None else list(ids),
    )
    scopes = [Scope(row["scope_id"], {int(asset): number for asset, number in row["pins"].items()}) for row in pinned]
    if ids is None or GLOBAL in ids:
        scopes.append(Scope(GLOBAL))
    return tuple(scopes)


async def replace_outdated(conn: Conn, affected: Affected, outdated: Sequence[Outdated]) -> None:
    """Replace the stored rows of the affected assets, in the affected scopes, by those that hold now."""
    await execute(
        conn,
        "DELETE FROM outdated_contents WHERE asset_id = ANY(%(assets)s) AND scope_id = ANY(%(scopes)s)",
        assets=list(affected.assets),
        scopes=[scope.id for scope in affected.scopes],
    )
    if not outdated:
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
        scopes=[row.scope_id for row in outdated],
        contents=[row.content_id for row in outdated],
        assets=[row.asset_id for row in outdated],
        kinds=["superseded" if row.direct else "derived" for row in outdated],
        root_assets=[row.root[0] for row in outdated],
        root_used=[row.root[1] for row in outdated],
        root_expected=[row.root[2] for row in outdated],
        used=[row.used for row in outdated],
        expected=[row.expected for row in outdated],
        paths=[Jsonb(row.path) for row in outdated],
    )


async def forget_scope(conn: Conn, scope_id: int) -> None:
    """Remove the rows of a scope that was closed."""
    await execute(conn, "DELETE FROM outdated_contents WHERE scope_id = %(scope_id)s", scope_id=scope_id)


async def scopes_of(conn: Conn, project_id: int, scene_id: int | None) -> list[int]:
    """Return the scopes in which a pin of a project, or of one of its scenes, counts."""
    scopes = await rows(
        conn,
        """
        SELECT id FROM scopes
         WHERE project_id = %(project_id)s AND (%(scene_id)s::bigint IS NULL OR scene_id = %(scene_id)s)
        """,
        project_id=project_id,
        scene_id=scene_id,
    )
    return [row["id"] for row in scopes]
