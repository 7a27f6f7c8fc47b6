"""Queries of assets, versions, derivations and the activation log."""

from psycopg.types.json import Jsonb

from genlock.db.connection import Conn, execute, many, scalar, single
from genlock.db.pages import decode_cursor, decode_key, page_of
from genlock.digest import Digest, to_raw
from genlock.errors import NotFound
from genlock.library.model import Activation, Asset, NewAsset, NewVersion, Version, VersionRef
from genlock.model import Actor, Kind, Page

_LIBRARY_LOCK = 0x6C696272617279  # "library"


async def lock(conn: Conn) -> None:
    """Serialise all changes of expected versions. Must be the first statement of such a transaction."""
    await execute(conn, "SELECT pg_advisory_xact_lock(%(lock)s)", lock=_LIBRARY_LOCK)


async def get_asset(conn: Conn, asset_id: int) -> Asset:
    """Return an asset by id. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Asset,
        NotFound(f"There is no asset {asset_id}.", hint="`genlock asset list` shows all assets."),
        """
        SELECT id, project_id, kind, name, active_version, versions_total, archived_at IS NOT NULL AS archived,
               created_at, created_by
          FROM assets
         WHERE id = %(asset_id)s
        """,
        asset_id=asset_id,
    )


async def assets_named(conn: Conn, refs: list[tuple[Kind, str]], project_id: int | None) -> tuple[Asset, ...]:
    """Return for each (kind, name) the project's own asset, else the shared one; unknown ones are omitted."""
    return await many(
        conn,
        Asset,
        """
        SELECT DISTINCT ON (a.kind, a.name)
               a.id, a.project_id, a.kind, a.name, a.active_version, a.versions_total,
               a.archived_at IS NOT NULL AS archived, a.created_at, a.created_by
          FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS wanted (kind, name)
          JOIN assets a ON a.kind = wanted.kind AND a.name = wanted.name
         WHERE a.project_id IS NULL OR a.project_id = %(project_id)s
         ORDER BY a.kind, a.name, a.project_id NULLS LAST
        """,
        kinds=[kind for kind, _ in refs],
        names=[name for _, name in refs],
        project_id=project_id,
    )


async def assets_by_id(conn: Conn, asset_ids: list[int]) -> tuple[Asset, ...]:
    """Return the assets with these ids, unordered; unknown ones are omitted."""
    return await many(
        conn,
        Asset,
        """
        SELECT id, project_id, kind, name, active_version, versions_total, archived_at IS NOT NULL AS archived,
               created_at, created_by
          FROM assets
         WHERE id = ANY(%(asset_ids)s)
        """,
        asset_ids=asset_ids,
    )


async def list_assets(
    conn: Conn,
    *,
    kind: Kind | None = None,
    project_id: int | None = None,
    q: str | None = None,
    digest: Digest | None = None,
    archived: bool = False,
    after: str | None = None,
    limit: int = 100,
) -> Page[Asset]:
    """Return assets by name. ``project_id`` restricts them to those it can use: its own and the shared ones."""
    key = decode_cursor(after, str, int)
    assets = await many(
        conn,
        Asset,
        """
        SELECT a.id, a.project_id, a.kind, a.name, a.active_version, a.versions_total,
               a.archived_at IS NOT NULL AS archived, a.created_at, a.created_by
          FROM assets a
         WHERE (%(kind)s::text IS NULL OR a.kind = %(kind)s)
           AND (%(project_id)s::bigint IS NULL OR a.project_id = %(project_id)s OR a.project_id IS NULL)
           AND (%(q)s::text IS NULL OR starts_with(a.name, %(q)s))
           AND (a.archived_at IS NOT NULL) = %(archived)s
           AND (%(digest)s::bytea IS NULL OR a.id IN (
                   SELECT asset_id FROM contents
                    WHERE (digest = %(digest)s OR effective_digest = %(digest)s) AND version IS NOT NULL))
           AND (%(name)s::text IS NULL OR (a.name COLLATE "C", a.id) > (%(name)s, %(id)s))
         ORDER BY a.name COLLATE "C", a.id
         LIMIT %(limit)s + 1
        """,
        kind=kind,
        project_id=project_id,
        q=q,
        digest=None if digest is None else to_raw(digest),
        archived=archived,
        name=key[0] if key else None,
        id=key[1] if key else None,
        limit=limit,
    )
    return page_of(
        assets,
        limit,
        lambda last: (
            last.name,
            last.id,
        ),
    )


async def get_version(conn: Conn, asset_id: int, number: int) -> Version:
    """Return a version of an asset, with its derivations. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Version,
        NotFound(f"Asset {asset_id} has no version {number}.", hint="`genlock asset history` shows its versions."),
        """
        SELECT asset_id, number, digest, effective_digest, size_bytes, media_type, filename, note, equivalent_to,
               in_place, gone_since, active, created_by, created_at, details,
               bindings_in_effect(asset_id, number, bindings) AS bindings, derivations
          FROM version_details
         WHERE asset_id = %(asset_id)s AND number = %(number)s
        """,
        asset_id=asset_id,
        number=number,
    )


async def versions_of(conn: Conn, asset_id: int, *, after: str | None = None, limit: int = 100) -> Page[Version]:
    """Return an asset's versions, newest first, with the exact total."""
    versions = await many(
        conn,
        Version,
        """
        SELECT asset_id, number, digest, effective_digest, size_bytes, media_type, filename, note, equivalent_to,
               in_place, gone_since, active, created_by, created_at, details,
               bindings_in_effect(asset_id, number, bindings) AS bindings, derivations
          FROM version_details
         WHERE asset_id = %(asset_id)s AND (%(before)s::int IS NULL OR number < %(before)s)
         ORDER BY number DESC
         LIMIT %(limit)s + 1
        """,
        asset_id=asset_id,
        before=decode_key(after),
        limit=limit,
    )
    total = await scalar(conn, "SELECT versions_total FROM assets WHERE id = %(asset_id)s", asset_id=asset_id)
    return page_of(versions, limit, lambda last: (last.number,), total=total)


async def activations_of(conn: Conn, asset_id: int, *, after: str | None = None, limit: int = 100) -> Page[Activation]:
    """Return the activation log of an asset, newest first."""
    activations = await many(
        conn,
        Activation,
        """
        SELECT id, asset_id, from_version, to_version, actor, at, note
          FROM activations
         WHERE asset_id = %(asset_id)s AND (%(before)s::bigint IS NULL OR id < %(before)s)
         ORDER BY id DESC
         LIMIT %(limit)s + 1
        """,
        asset_id=asset_id,
        before=decode_key(after),
        limit=limit,
    )
    return page_of(activations, limit, lambda last: (last.id,))


async def lock_asset(conn: Conn, asset_id: int) -> Asset:
    """Return an asset, locked until the transaction ends. Raise ``NotFound`` if it does not exist."""
    await execute(conn, "SELECT 1 FROM assets WHERE id = %(asset_id)s FOR NO KEY UPDATE", asset_id=asset_id)
    return await get_asset(conn, asset_id)


async def insert_asset(conn: Conn, new: NewAsset, actor: Actor) -> int:
    """Insert an asset without versions; return its id."""
    return await scalar(
        conn,
        """
        INSERT INTO assets (project_id, kind, name, created_by)
        VALUES (%(project_id)s, %(kind)s, %(name)s, %(actor)s)
        RETURNING id
        """,
        project_id=new.project_id,
        kind=new.kind,
        name=new.name,
        actor=actor.name,
    )


async def version_with_digest(conn: Conn, asset_id: int, digest: Digest) -> int | None:
    """Return the number of the version that has these bytes; ``None`` if none has."""
    return await scalar(
        conn,
        "SELECT version FROM contents WHERE asset_id = %(asset_id)s AND digest = %(digest)s",
        asset_id=asset_id,
        digest=to_raw(digest),
    )


async def first_equal(conn: Conn, asset_id: int, effective_digest: Digest) -> int | None:
    """Return the lowest version of an asset with this effective digest; ``None`` if there is none."""
    return await scalar(
        conn,
        "SELECT min(version) FROM contents WHERE asset_id = %(asset_id)s AND effective_digest = %(effective)s",
        asset_id=asset_id,
        effective=to_raw(effective_digest),
    )


async def insert_version(conn: Conn, asset_id: int, new: NewVersion, equivalent_to: int | None, actor: Actor) -> int:
    """Insert the next version of an asset, completing a content row that receipts may have named; return its number."""
    return await scalar(
        conn,
        """
        WITH counted AS (
            UPDATE assets SET versions_total = versions_total + 1 WHERE id = %(asset_id)s RETURNING versions_total
        ), content AS (
            INSERT INTO contents (asset_id, digest, effective_digest, version)
            SELECT %(asset_id)s, %(digest)s, %(effective)s, versions_total FROM counted
            ON CONFLICT ON CONSTRAINT contents_unique
            DO UPDATE SET effective_digest = excluded.effective_digest, version = excluded.version
            RETURNING id, version
        )
        INSERT INTO asset_versions (asset_id, number, content_id, digest, effective_digest, size_bytes, media_type,
                                    filename, note, equivalent_to, in_place, details, bindings, created_by)
        SELECT %(asset_id)s, content.version, content.id, %(digest)s, %(effective)s, %(size_bytes)s, %(media_type)s,
               %(filename)s, %(note)s, %(equivalent_to)s, %(in_place)s, %(details)s, %(bindings)s, %(actor)s
          FROM content
        RETURNING number
        """,
        asset_id=asset_id,
        digest=to_raw(new.digest),
        effective=to_raw(new.effective_digest),
        size_bytes=new.size_bytes,
        media_type=new.media_type,
        filename=new.filename,
        note=new.note,
        equivalent_to=equivalent_to,
        in_place=new.in_place,
        details=Jsonb(new.details),
        bindings=None if new.bindings is None else Jsonb(new.bindings),
        actor=actor.name,
    )


async def insert_derivation(conn: Conn, version: VersionRef, sources: tuple[VersionRef, ...], actor: Actor) -> int:
    """Insert a derivation with its sources; return its id."""
    return await scalar(
        conn,
        """
        WITH derivation AS (
            INSERT INTO derivations (asset_id, number, created_by)
            VALUES (%(asset_id)s, %(number)s, %(actor)s) RETURNING id
        ), named AS (
            INSERT INTO derivation_sources (derivation_id, asset_id, number)
            SELECT derivation.id, source.asset_id, source.number
              FROM derivation, unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS source (asset_id, number)
        )
        SELECT id FROM derivation
        """,
        asset_id=version.asset_id,
        number=version.number,
        actor=actor.name,
        assets=[source.asset_id for source in sources],
        numbers=[source.number for source in sources],
    )


async def descends_from(conn: Conn, sources: tuple[VersionRef, ...], asset_id: int, effective: Digest) -> bool:
    """Return whether any of ``sources`` is, or derives from, a version of the asset with this effective digest.

    Equal versions of an asset share their derivations, so ancestry is by effective digest.
    """
    return await scalar(
        conn,
        """
        WITH RECURSIVE up (asset_id, effective_digest) AS (
            SELECT c.asset_id, c.effective_digest
              FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS source (asset_id, number)
              JOIN contents c ON c.asset_id = source.asset_id AND c.version = source.number
            UNION
            SELECT made_from.asset_id, made_from.effective_digest
              FROM up
              JOIN contents equal ON equal.asset_id = up.asset_id AND equal.effective_digest = up.effective_digest
              JOIN derivations d ON d.asset_id = equal.asset_id AND d.number = equal.version
              JOIN derivation_sources s ON s.derivation_id = d.id
              JOIN contents made_from ON made_from.asset_id = s.asset_id AND made_from.version = s.number
        )
        SELECT EXISTS (SELECT FROM up WHERE asset_id = %(asset_id)s AND effective_digest = %(effective)s)
        """,
        assets=[source.asset_id for source in sources],
        numbers=[source.number for source in sources],
        asset_id=asset_id,
        effective=to_raw(effective),
    )


async def move_active(conn: Conn, asset_id: int, previous: int | None, number: int, actor: Actor, note: str) -> int:
    """Activate a version and log it; return the id of the log entry."""
    return await scalar(
        conn,
        """
        WITH moved AS (
            UPDATE assets SET active_version = %(number)s WHERE id = %(asset_id)s
        )
        INSERT INTO activations (asset_id, from_version, to_version, actor, note)
        VALUES (%(asset_id)s, %(previous)s, %(number)s, %(actor)s, %(note)s)
        RETURNING id
        """,
        asset_id=asset_id,
        previous=previous,
        number=number,
        actor=actor.name,
        note=note,
    )


async def set_archived(conn: Conn, asset_id: int, archived: bool) -> None:
    """Archive or restore an asset."""
    await execute(
        conn,
        """
        UPDATE assets SET archived_at = CASE WHEN %(archived)s THEN coalesce(archived_at, now()) END
         WHERE id = %(id)s
        """,
        archived=archived,
        id=asset_id,
    )


async def rename_asset(conn: Conn, asset_id: int, name: str) -> None:
    """Rename an asset."""
    await execute(conn, "UPDATE assets SET name = %(name)s WHERE id = %(id)s", name=name, id=asset_id)


async def missing_versions(conn: Conn, refs: tuple[VersionRef, ...]) -> tuple[VersionRef, ...]:
    """Return those of ``refs`` that do not exist."""
    return await many(
        conn,
        VersionRef,
        """
        SELECT wanted.asset_id, wanted.number
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS wanted (asset_id, number)
         WHERE NOT EXISTS (SELECT FROM asset_versions v
                            WHERE v.asset_id = wanted.asset_id AND v.number = wanted.number)
         ORDER BY wanted.asset_id, wanted.number
        """,
        assets=[ref.asset_id for ref in refs],
        numbers=[ref.number for ref in refs],
    )
