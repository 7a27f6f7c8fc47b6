"""Loads what resolving claims needs to know: a handful of set queries, however many claims there are."""

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

Named = tuple[int | None, str | None, str | None, Digest | None, int | None]
"""What a claim names: an asset by id or by kind and name; of it a digest, a version, or nothing."""


class Project(NamedTuple):
    """The project whose own assets go before shared ones: by its id, or as the one that a segment belongs to."""

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
    """Return everything that resolving ``claims`` in a project needs; insert digests that are new into ``contents``.

    ``continued`` are the frames that are named by digest alone: (segment, digest). ``read_only`` inserts and locks
    nothing; the new digests are then absent from the facts.
    """
    plain = [item for claim in claims for item in claim.inputs if item.role is not InputRole.SEED_FRAME]
    bare = {(item.role.value, item.digest) for item in plain if item.asset is None and item.digest is not None}
    owners: dict[tuple[str, Digest], int] = {}
    if bare:
        if not read_only:
            await lock_unresolved(conn)
        owners = await _owners(conn, bare, project)
    named = {_named(item, owners) for item in plain}
    matches = await _find(conn, list(named), project)
    unheard = {(row["asset_id"], row["wanted_digest"]) for row in matches if row["id"] is None and row["wanted_digest"]}
    if unheard and not read_only:
        await _name_contents(conn, unheard)
        matches = await _find(conn, list(named), project)
    contents = {row["id"]: _content(row) for row in matches if row["id"] is not None}.values()
    assets = {row["asset_id"]: AssetFact.model_construct(**_asset(row)) for row in matches}
    versions = {(fact.asset_id, fact.version): fact for fact in contents if fact.version is not None}
    frames_by_digest = await _frames_by_digest(conn, continued, project) if continued else {}
    taken = {item.take for claim in claims for item in claim.inputs if item.take is not None}
    frames = await _frames(conn, taken | set(frames_by_digest.values()))
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


def _named(item: ClaimInput, owners: Mapping[tuple[str, Digest], int]) -> Named:
    # A version says which digest; whether the claim's digest is that one is checked when it is resolved.
    digest = item.digest if item.version is None else None
    if isinstance(item.asset, int):
        return (item.asset, None, None, digest, item.version)
    if item.asset is not None:
        kind, _, name = item.asset.partition(":")
        return (None, kind, name, digest, item.version)
    if item.digest is not None:
        return (owners.get((item.role.value, item.digest)), None, None, item.digest, None)
    return (None, item.role.value, item.name, None, None)


async def _find(conn: Conn, named: Sequence[Named], project: Project) -> list[dict[str, Any]]:
    """The assets that are named, each with the content that is; those that do not exist are absent.

    With a variant's version come the source images that it was made from, by its newest derivation. Direct sources
    only: the sources of an edit are in the edit's own derivation, once (semantics, ``via``).
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
          FROM json_to_recordset(%(named)s) AS w (id bigint, kind text, name text, digest bytea, version int)
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
        named=table(
            [
                {"id": asset, "kind": kind, "name": name, "digest": digest and to_hex(digest), "version": version}
                for asset, kind, name, digest, version in named
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


async def _name_contents(conn: Conn, unheard: Iterable[tuple[int, Digest]]) -> None:
    """Make the content rows of digests that were never named for their asset before."""
    unheard = sorted(unheard)
    await execute(
        conn,
        """
        INSERT INTO contents (asset_id, digest)
        SELECT asset_id, digest FROM unnest(%(assets)s::bigint[], %(digests)s::bytea[]) AS named (asset_id, digest)
         ORDER BY asset_id, digest
        ON CONFLICT ON CONSTRAINT contents_unique DO NOTHING
        """,
        assets=[asset for asset, _ in unheard],
        digests=[to_raw(digest) for _, digest in unheard],
    )


async def _owners(conn: Conn, bare: Iterable[tuple[str, Digest]], project: Project) -> dict[tuple[str, Digest], int]:
    """For digests named without an asset: the asset of that kind that has them, the project's own first."""
    bare = list(bare)
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
        kinds=[kind for kind, _ in bare],
        digests=[to_raw(digest) for _, digest in bare],
        project=project.id,
        segment=project.of_segment,
    )
    return {(row["kind"], row["digest"]): row["id"] for row in matches}


async def _frames_by_digest(
    conn: Conn, continued: Collection[tuple[int | None, Digest]], project: Project
) -> dict[tuple[int | None, Digest], int]:
    """Return the takes of the project that have these frames, by the segment that continues each.

    Equal pictures are made in several places: the newest take of the segment before goes first, then the newest of the
    same scene. Of a frame that thousands of takes share, such as a black one, the newest thousand are looked at.
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
    """Takes whose frames are continued, with what their pictures go back to."""
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
