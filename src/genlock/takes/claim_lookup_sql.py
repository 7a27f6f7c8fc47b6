"""Loads the facts for resolving claims, in a constant number of queries for any number of claims."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from genlock.db.connection import Conn, execute, rows
from genlock.db.tables import table
from genlock.digest import Digest, to_hex, to_raw
from genlock.model import InputRole, Kind
from genlock.takes.claim import Claim, ClaimInput
from genlock.takes.claim_resolution import AssetFact, ContentFact, Facts, FrameFact
from genlock.takes.input_links_sql import lock_unresolved
from genlock.takes.receipt import Input

Reference = tuple[int | None, str | None, str | None, Digest | None, int | None]
"""A reference to an asset, by id or by kind and name, and to its content, by digest, by version or by neither."""


class Project(NamedTuple):
    """The project whose own assets precede shared ones: by its id, or by one of its segments."""

    id: int | None = None
    of_segment: int | None = None


async def load_facts(
    conn: Conn,
    claims: Sequence[Claim],
    project: Project,
    continued: Collection[tuple[int | None, Digest]],
    *,
    read_only: bool = False,
) -> Facts:
    """Return the facts for resolving ``claims`` in a project; insert new digests into ``contents``.

    ``continued`` are the frames that are named by digest only: (segment, digest). ``read_only`` inserts and locks
    nothing; new digests are then absent from the facts.
    """
    items = [item for claim in claims for item in claim.inputs if item.role is not InputRole.SEED_FRAME]
    bare_digests = {(item.role.value, item.digest) for item in items if item.asset is None and item.digest is not None}
    owners: dict[tuple[str, Digest], int] = {}
    if bare_digests:
        if not read_only:
            await lock_unresolved(conn)
        owners = await _owners(conn, bare_digests, project)
    references = {_reference(item, owners) for item in items}
    matches = await _find(conn, list(references), project)
    new_digests = {
        (row["asset_id"], row["wanted_digest"]) for row in matches if row["id"] is None and row["wanted_digest"]
    }
    if new_digests and not read_only:
        await _insert_contents(conn, new_digests)
        matches = await _find(conn, list(references), project)
    contents = {row["id"]: _content(row) for row in matches if row["id"] is not None}.values()
    assets = {row["asset_id"]: AssetFact.model_construct(**_asset(row)) for row in matches}
    versions = {(fact.asset_id, fact.version): fact for fact in contents if fact.version is not None}
    frames_by_digest = await _frames_by_digest(conn, continued, project) if continued else {}
    take_ids = {item.take for claim in claims for item in claim.inputs if item.take is not None}
    frames = await _frames(conn, take_ids | set(frames_by_digest.values()))
    return Facts.model_construct(
        assets=assets,
        refs={row["ref"]: row["asset_id"] for row in matches if row["ref"] is not None},
        versions=versions,
        contents={(fact.asset_id, fact.digest): fact for fact in contents},
        owners=owners,
        frames=frames,
        frames_by_digest=frames_by_digest,
        lines={},
        workloads={
            (row["id"], width, height): workload
            for row in matches
            for workload, width, height in row["workloads"] or ()
        },
        source_images={
            (row["asset_id"], row["version"]): tuple(_line(image) for image in row["images"])
            for row in matches
            if row["images"]
        },
    )


def _reference(item: ClaimInput, owners: Mapping[tuple[str, Digest], int]) -> Reference:
    # A version determines the digest; the resolution checks that a digest in the claim is the same.
    digest = item.digest if item.version is None else None
    if isinstance(item.asset, int):
        return (item.asset, None, None, digest, item.version)
    if item.asset is not None:
        kind, _, name = item.asset.partition(":")
        return (None, kind, name, digest, item.version)
    if item.digest is not None:
        return (owners.get((item.role.value, item.digest)), None, None, item.digest, None)
    return (None, item.role.value, item.name, None, None)


async def _find(conn: Conn, references: Sequence[Reference], project: Project) -> list[dict[str, Any]]:
    """Return the referenced assets, each with the referenced content; assets that do not exist are omitted.

    A variant's version comes with the source images of its newest derivation. Direct sources only: the sources of an
    edit are in the edit's own derivation (semantics, ``via``).
    """
    return await rows(
        conn,
        """
        SELECT a.id AS asset_id, a.kind, a.name, w.kind || ':' || w.name AS ref,
               digest_text(w.digest) AS wanted_digest, c.id, digest_text(c.digest) AS digest,
               digest_text(c.effective_digest) AS effective_digest, c.version,
               CASE WHEN a.kind = 'workflow' THEN (
                    SELECT json_agg(json_build_array(k.id, k.width, k.height))
                      FROM workloads k WHERE k.workflow_content_id = c.id) END AS workloads,
               CASE WHEN a.kind = 'variant' AND c.version IS NOT NULL THEN (
                    SELECT json_agg(json_build_object(
                               'role', 'source_image', 'ordinal', 0, 'kind', i.kind, 'asset', i.id, 'name', i.name,
                               'version', of_image.version, 'digest', digest_text(of_image.digest),
                               'effective_digest', digest_text(of_image.effective_digest))
                               ORDER BY i.id, of_image.version)
                      FROM (SELECT d.id
                              FROM contents equal
                              JOIN derivations d ON d.asset_id = equal.asset_id AND d.number = equal.version
                             WHERE equal.asset_id = a.id AND equal.effective_digest = c.effective_digest
                             ORDER BY d.id DESC
                             LIMIT 1) newest
                      JOIN derivation_sources s ON s.derivation_id = newest.id
                      JOIN assets i ON i.id = s.asset_id AND i.kind = 'source_image'
                      JOIN contents of_image ON of_image.asset_id = s.asset_id AND of_image.version = s.number
                    ) END AS images
          FROM json_to_recordset(%(references)s) AS w (id bigint, kind text, name text, digest bytea, version int)
         CROSS JOIN LATERAL (
               SELECT id, kind, name FROM assets WHERE id = w.id
                UNION ALL
               (SELECT id, kind, name FROM assets
                 WHERE kind = w.kind AND name = w.name
                   AND (project_id IS NULL
                        OR project_id = coalesce(%(project)s::bigint,
                                                 (SELECT project_id FROM segments WHERE id = %(segment)s)))
                 ORDER BY project_id NULLS LAST LIMIT 1)) a
          LEFT JOIN LATERAL (
               SELECT id, digest, effective_digest, version FROM contents WHERE asset_id = a.id AND digest = w.digest
                UNION ALL
               SELECT id, digest, effective_digest, version FROM contents WHERE asset_id = a.id AND version = w.version
               ) c ON true
        """,
        references=table(
            [
                {"id": asset, "kind": kind, "name": name, "digest": digest and to_hex(digest), "version": version}
                for asset, kind, name, digest, version in references
            ]
        ),
        project=project.id,
        segment=project.of_segment,
    )


def _asset(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": row["asset_id"], "kind": Kind(row["kind"]), "name": row["name"]}


def _content(row: Mapping[str, Any]) -> ContentFact:
    return ContentFact.model_construct(
        id=row["id"],
        asset_id=row["asset_id"],
        digest=row["digest"],
        effective_digest=row["effective_digest"],
        version=row["version"],
    )


async def _insert_contents(conn: Conn, new_digests: Iterable[tuple[int, Digest]]) -> None:
    """Insert the content rows of digests that are new for their asset."""
    new_digests = sorted(new_digests)
    await execute(
        conn,
        """
        INSERT INTO contents (asset_id, digest)
        SELECT asset_id, digest FROM unnest(%(assets)s::bigint[], %(digests)s::bytea[]) AS new (asset_id, digest)
         ORDER BY asset_id, digest
        ON CONFLICT ON CONSTRAINT contents_unique DO NOTHING
        """,
        assets=[asset for asset, _ in new_digests],
        digests=[to_raw(digest) for _, digest in new_digests],
    )


async def _owners(
    conn: Conn, bare_digests: Iterable[tuple[str, Digest]], project: Project
) -> dict[tuple[str, Digest], int]:
    """Return, for digests named without an asset, the asset of that kind that has them, the project's own first."""
    bare_digests = list(bare_digests)
    matches = await rows(
        conn,
        """
        SELECT DISTINCT ON (a.kind, c.digest) a.kind, digest_text(c.digest) AS digest, a.id
          FROM unnest(%(kinds)s::text[], %(digests)s::bytea[]) AS wanted (kind, digest)
          JOIN contents c ON c.digest = wanted.digest AND c.version IS NOT NULL
          JOIN assets a ON a.id = c.asset_id AND a.kind = wanted.kind
         WHERE a.project_id IS NULL
            OR a.project_id = coalesce(%(project)s::bigint, (SELECT project_id FROM segments WHERE id = %(segment)s))
         ORDER BY a.kind, c.digest, a.project_id NULLS LAST, a.id
        """,
        kinds=[kind for kind, _ in bare_digests],
        digests=[to_raw(digest) for _, digest in bare_digests],
        project=project.id,
        segment=project.of_segment,
    )
    return {(row["kind"], row["digest"]): row["id"] for row in matches}


async def _frames_by_digest(
    conn: Conn, continued: Collection[tuple[int | None, Digest]], project: Project
) -> dict[tuple[int | None, Digest], int]:
    """Return the project's takes that have these frames, by the segment that continues each.

    The same picture can be in several takes: the newest take of the previous segment precedes the newest of the same
    scene. Of a frame that thousands of takes share, such as a black one, only the newest thousand are considered.
    """
    matches = await rows(
        conn,
        """
        SELECT w.segment_id, digest_text(w.digest) AS digest,
               coalesce((SELECT t.id
                           FROM takes t
                           JOIN receipts r ON r.take_id = t.id
                           JOIN receipt_outputs o ON o.receipt_id = r.id
                          WHERE t.segment_id = before.id AND o.digest = w.digest
                          ORDER BY t.number DESC
                          LIMIT 1),
                        (SELECT r.take_id
                           FROM (SELECT o.receipt_id FROM receipt_outputs o WHERE o.digest = w.digest
                                  ORDER BY o.receipt_id DESC LIMIT 1000) newest
                           JOIN receipts r ON r.id = newest.receipt_id
                           JOIN segments g ON g.id = r.segment_id
                          WHERE r.project_id = coalesce(me.project_id, %(project)s)
                          ORDER BY g.scene_id = me.scene_id DESC, r.id DESC
                          LIMIT 1)) AS take_id
          FROM unnest(%(segments)s::bigint[], %(digests)s::bytea[]) AS w (segment_id, digest)
          LEFT JOIN segments me ON me.id = w.segment_id
          LEFT JOIN segments before ON before.scene_id = me.scene_id AND before.position = me.position - 1
        """,
        segments=[segment for segment, _ in continued],
        digests=[to_raw(digest) for _, digest in continued],
        project=project.id,
    )
    return {(row["segment_id"], row["digest"]): row["take_id"] for row in matches if row["take_id"] is not None}


async def _frames(conn: Conn, take_ids: Collection[int]) -> dict[int, FrameFact]:
    """Return the takes whose frames are continued, with the origins of their pictures."""
    if not take_ids:
        return {}
    takes = await rows(
        conn,
        """
        SELECT r.take_id, r.segment_id,
               (SELECT jsonb_object_agg(o.part, digest_text(o.digest)) FROM receipt_outputs o
                 WHERE o.receipt_id = r.id) AS parts,
               (SELECT jsonb_agg(jsonb_build_object(
                           'role', i.role, 'ordinal', i.ordinal, 'kind', coalesce(a.kind, i.role), 'asset', a.id,
                           'name', a.name, 'version', c.version, 'digest', digest_text(coalesce(c.digest, i.digest)),
                           'effective_digest', digest_text(c.effective_digest)) ORDER BY i.role DESC, i.ordinal)
                  FROM resolved_inputs i
                  LEFT JOIN contents c ON c.id = i.content_id
                  LEFT JOIN assets a ON a.id = c.asset_id
                 WHERE i.receipt_id = r.id AND i.role IN ('variant', 'source_image')
                   AND coalesce(c.digest, i.digest) IS NOT NULL) AS origins
          FROM receipts r
         WHERE r.take_id = ANY(%(takes)s)
        """,
        takes=list(take_ids),
    )
    return {row["take_id"]: _frame(row) for row in takes}


def _frame(row: Mapping[str, Any]) -> FrameFact:
    return FrameFact.model_construct(
        take_id=row["take_id"],
        segment_id=row["segment_id"],
        parts=row["parts"] or {},
        origins=tuple(_line(origin) for origin in row["origins"] or ()),
    )


def _line(origin: Mapping[str, Any]) -> Input:
    return Input.model_validate({key: value for key, value in origin.items() if value is not None})
