"""Loads what resolving claims needs to know: a handful of set queries, however many claims there are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genlock.db.connection import Conn, execute, many, rows
from genlock.digest import Digest, to_raw
from genlock.model import Kind
from genlock.takes.claim import Claim, InputRole
from genlock.takes.document import Input
from genlock.takes.resolve import AssetFact, ContentFact, Facts, FrameFact


async def load_facts(conn: Conn, claims: Sequence[Claim], project_id: int | None) -> Facts:
    """Everything that resolving ``claims`` in a project may ask for. Names the digests it meets in ``contents``."""
    inputs = [item for claim in claims for item in claim.inputs]
    refs = {item.asset for item in inputs if isinstance(item.asset, str)}
    refs |= {f"{item.role.value}:{item.name}" for item in inputs if item.asset is None and item.name is not None}
    assets, by_ref = await _assets(
        conn, {item.asset for item in inputs if isinstance(item.asset, int)}, refs, project_id
    )

    def known(asset: int | str | None) -> int | None:
        return by_ref.get(asset) if isinstance(asset, str) else asset

    bare = {
        (item.role.value, item.digest)
        for item in inputs
        if item.asset is None and item.digest is not None and item.role is not InputRole.SEED_FRAME
    }
    owners = await _owners(conn, bare, project_id)
    if set(owners.values()) - set(assets):
        assets |= (await _assets(conn, set(owners.values()) - set(assets), set(), project_id))[0]
    digests = {
        (known(item.asset), item.digest) for item in inputs if item.asset is not None and item.digest is not None
    }
    digests |= {(asset_id, digest) for (_, digest), asset_id in owners.items()}
    numbers = {
        (known(item.asset), item.version) for item in inputs if item.asset is not None and item.version is not None
    }
    contents = await _contents(
        conn,
        {(asset, digest) for asset, digest in digests if asset in assets},
        {(asset, number) for asset, number in numbers if asset in assets},
    )
    versions = {(fact.asset_id, fact.version): fact for fact in contents if fact.version is not None}
    by_digest = {(fact.asset_id, fact.digest): fact for fact in contents}
    frames, frames_by_digest = await _frames(
        conn,
        {item.take for item in inputs if item.take is not None},
        {item.digest for item in inputs if item.role is InputRole.SEED_FRAME and item.take is None and item.digest},
        project_id,
    )
    variants = {key for key in versions if assets[key[0]].kind is Kind.VARIANT}
    return Facts.model_construct(
        assets=assets,
        refs=by_ref,
        versions=versions,
        contents=by_digest,
        owners=owners,
        frames=frames,
        frames_by_digest=frames_by_digest,
        source_images=await _source_images(conn, variants),
    )


async def _assets(
    conn: Conn, ids: set[int], refs: set[str], project_id: int | None
) -> tuple[dict[int, AssetFact], dict[str, int]]:
    split = [ref.partition(":") for ref in sorted(refs)]
    found = await rows(
        conn,
        """
        SELECT id, kind, name, NULL AS ref FROM assets WHERE id = ANY(%(ids)s)
        UNION ALL
        (SELECT DISTINCT ON (a.kind, a.name) a.id, a.kind, a.name, a.kind || ':' || a.name
           FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS wanted (kind, name)
           JOIN assets a ON a.kind = wanted.kind AND a.name = wanted.name
          WHERE a.project_id IS NULL OR a.project_id = %(project_id)s
          ORDER BY a.kind, a.name, a.project_id NULLS LAST)
        """,
        ids=list(ids),
        kinds=[kind for kind, _, _ in split],
        names=[name for _, _, name in split],
        project_id=project_id,
    )
    assets = {row["id"]: AssetFact(id=row["id"], kind=Kind(row["kind"]), name=row["name"]) for row in found}
    return assets, {row["ref"]: row["id"] for row in found if row["ref"] is not None}


async def _owners(
    conn: Conn, bare: Iterable[tuple[str, Digest]], project_id: int | None
) -> dict[tuple[str, Digest], int]:
    """For digests named without an asset: the asset of that kind that has them, the project's own first."""
    bare = list(bare)
    if not bare:
        return {}
    found = await rows(
        conn,
        """
        SELECT DISTINCT ON (a.kind, c.digest) a.kind, digest_text(c.digest) AS digest, a.id
          FROM unnest(%(kinds)s::text[], %(digests)s::bytea[]) AS wanted (kind, digest)
          JOIN contents c ON c.digest = wanted.digest AND c.version IS NOT NULL
          JOIN assets a ON a.id = c.asset_id AND a.kind = wanted.kind
         WHERE a.project_id IS NULL OR a.project_id = %(project_id)s
         ORDER BY a.kind, c.digest, a.project_id NULLS LAST, a.id
        """,
        kinds=[kind for kind, _ in bare],
        digests=[to_raw(digest) for _, digest in bare],
        project_id=project_id,
    )
    return {(row["kind"], row["digest"]): row["id"] for row in found}


async def _contents(
    conn: Conn, digests: Iterable[tuple[int | None, Digest]], numbers: Iterable[tuple[int | None, int]]
) -> tuple[ContentFact, ...]:
    """The content rows of (asset, digest) and (asset, version) pairs; rows for digests never named before are made."""
    digests, numbers = list(digests), list(numbers)
    if not digests and not numbers:
        return ()
    found = await _find_contents(conn, digests, numbers)
    new = set(digests) - {(fact.asset_id, fact.digest) for fact in found}
    if not new:
        return found
    await execute(
        conn,
        """
        INSERT INTO contents (asset_id, digest)
        SELECT asset_id, digest FROM unnest(%(assets)s::bigint[], %(digests)s::bytea[]) AS named (asset_id, digest)
         ORDER BY asset_id, digest
        ON CONFLICT ON CONSTRAINT contents_unique DO NOTHING
        """,
        assets=[asset for asset, _ in new],
        digests=[to_raw(digest) for _, digest in new],
    )
    return await _find_contents(conn, digests, numbers)


async def _find_contents(
    conn: Conn, digests: Sequence[tuple[int | None, Digest]], numbers: Sequence[tuple[int | None, int]]
) -> tuple[ContentFact, ...]:
    return await many(
        conn,
        ContentFact,
        """
        SELECT c.id, c.asset_id, digest_text(c.digest) AS digest, digest_text(c.effective_digest) AS effective_digest,
               c.version
          FROM unnest(%(assets)s::bigint[], %(digests)s::bytea[]) AS named (asset_id, digest)
          JOIN contents c ON c.asset_id = named.asset_id AND c.digest = named.digest
         UNION
        SELECT c.id, c.asset_id, digest_text(c.digest), digest_text(c.effective_digest), c.version
          FROM unnest(%(version_assets)s::bigint[], %(versions)s::int[]) AS named (asset_id, version)
          JOIN contents c ON c.asset_id = named.asset_id AND c.version = named.version
        """,
        assets=[asset for asset, _ in digests],
        digests=[to_raw(digest) for _, digest in digests],
        version_assets=[asset for asset, _ in numbers],
        versions=[number for _, number in numbers],
    )


async def _frames(
    conn: Conn, take_ids: set[int], digests: set[Digest], project_id: int | None
) -> tuple[dict[int, FrameFact], dict[Digest, int]]:
    """The takes that seed frames came from; for a bare digest the newest take of the project that has it."""
    by_digest: dict[Digest, int] = {}
    if digests:
        found = await rows(
            conn,
            """
            SELECT DISTINCT ON (o.digest) digest_text(o.digest) AS digest, r.take_id
              FROM receipt_outputs o JOIN receipts r ON r.id = o.receipt_id
             WHERE o.digest = ANY(%(digests)s) AND r.take_id IS NOT NULL AND r.project_id = %(project_id)s
             ORDER BY o.digest, r.id DESC
            """,
            digests=[to_raw(digest) for digest in digests],
            project_id=project_id,
        )
        by_digest = {row["digest"]: row["take_id"] for row in found}
    wanted = take_ids | set(by_digest.values())
    if not wanted:
        return {}, {}
    takes = await rows(
        conn,
        """
        SELECT r.take_id, r.segment_id,
               (SELECT jsonb_object_agg(o.part, digest_text(o.digest)) FROM receipt_outputs o
                 WHERE o.receipt_id = r.id) AS parts,
               (SELECT jsonb_agg(jsonb_build_object(
                           'role', i.role, 'ordinal', i.ordinal, 'kind', a.kind, 'asset', a.id, 'name', a.name,
                           'version', c.version, 'digest', digest_text(c.digest),
                           'effective_digest', digest_text(c.effective_digest)) ORDER BY i.role DESC, i.ordinal)
                  FROM receipt_inputs i JOIN contents c ON c.id = i.content_id JOIN assets a ON a.id = c.asset_id
                 WHERE i.receipt_id = r.id AND i.role IN ('variant', 'source_image')) AS origins
          FROM receipts r
         WHERE r.take_id = ANY(%(takes)s)
        """,
        takes=list(wanted),
    )
    return {row["take_id"]: _frame(row) for row in takes}, by_digest


def _frame(row: Mapping[str, Any]) -> FrameFact:
    origins = tuple(_line(origin) for origin in row["origins"] or ())
    parts: dict[str, Digest] = row["parts"] or {}
    return FrameFact(take_id=row["take_id"], segment_id=row["segment_id"], parts=parts, origins=origins)


def _line(origin: Mapping[str, Any]) -> Input:
    return Input.model_validate({key: value for key, value in origin.items() if value is not None})


async def _source_images(conn: Conn, variants: Iterable[tuple[int, int]]) -> dict[tuple[int, int], tuple[Input, ...]]:
    """The source images that variants go back to by their newest derivations, through edits of variants too."""
    variants = list(variants)
    if not variants:
        return {}
    found = await rows(
        conn,
        """
        WITH RECURSIVE up (variant_id, variant_number, asset_id, number, kind) AS (
            SELECT asset_id, number, asset_id, number, 'variant'
              FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS start (asset_id, number)
            UNION
            SELECT up.variant_id, up.variant_number, s.asset_id, s.number, a.kind
              FROM up
              JOIN contents me ON me.asset_id = up.asset_id AND me.version = up.number
              CROSS JOIN LATERAL (
                   SELECT d.id
                     FROM contents equal
                     JOIN derivations d ON d.asset_id = equal.asset_id AND d.number = equal.version
                    WHERE equal.asset_id = me.asset_id AND equal.effective_digest = me.effective_digest
                    ORDER BY d.id DESC
                    LIMIT 1) newest
              JOIN derivation_sources s ON s.derivation_id = newest.id
              JOIN assets a ON a.id = s.asset_id
             WHERE up.kind <> 'source_image'
        )
        SELECT up.variant_id, up.variant_number, a.id AS asset, a.name, a.kind, c.version,
               digest_text(c.digest) AS digest, digest_text(c.effective_digest) AS effective_digest
          FROM up JOIN assets a ON a.id = up.asset_id
          JOIN contents c ON c.asset_id = up.asset_id AND c.version = up.number
         WHERE up.kind = 'source_image'
         ORDER BY a.id, c.version
        """,
        assets=[asset for asset, _ in variants],
        numbers=[number for _, number in variants],
    )
    images: dict[tuple[int, int], tuple[Input, ...]] = {}
    for row in found:
        key = (row.pop("variant_id"), row.pop("variant_number"))
        images[key] = (*images.get(key, ()), Input(role=InputRole.SOURCE_IMAGE, ordinal=0, **row))
    return images
