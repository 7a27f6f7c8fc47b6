"""Loads the candidates that a set of files may be: one query for assets and versions, one for frames of takes."""

from collections.abc import Collection

from genlock.capture.asset_matching import Candidate, Candidates, Match, asset_names, filenames
from genlock.capture.run_record import UsedFile
from genlock.db.connection import Conn, many, rows
from genlock.digest import Digest, from_raw, to_raw
from genlock.model import Kind

_DIGEST_DIGITS = 64


async def load_candidates(
    conn: Conn, used: Collection[UsedFile], skeleton: Digest | None, project_id: int | None
) -> Candidates:
    """Return the candidates of ``used`` in a project, shared assets included.

    ``skeleton`` is the effective digest of the graph as a workflow.
    """
    versions = await _versions(conn, used, skeleton, project_id)
    workflows = sorted(
        (each for each in versions if each.kind is Kind.WORKFLOW and each.effective_digest == skeleton),
        key=lambda each: (not each.own, each.asset_id, each.number or 0),
    )
    workflow = workflows[0] if workflows else None
    return Candidates(
        versions=tuple(version for version in versions if version.kind is not Kind.WORKFLOW),
        frames=await _frames(conn, used, project_id),
        workflow=workflow
        and Match(asset_id=workflow.asset_id, kind=workflow.kind, number=workflow.number, by="digest"),
    )


async def _versions(
    conn: Conn, used: Collection[UsedFile], skeleton: Digest | None, project_id: int | None
) -> tuple[Candidate, ...]:
    """Return versions with one of the digests, digest prefixes or filenames, and assets of one of the names."""
    ranges = [
        (prefix.ljust(_DIGEST_DIGITS, "0"), prefix.ljust(_DIGEST_DIGITS, "f"))
        for prefix in {file.digest_prefix for file in used if file.digest_prefix}
    ]
    digests = {to_raw(file.digest) for file in used if file.digest is not None}
    return await many(
        conn,
        Candidate,
        """
        WITH named AS (
            SELECT v.asset_id, v.number FROM asset_versions v WHERE v.filename = ANY(%(filenames)s)
            UNION
            SELECT c.asset_id, c.version FROM contents c
             WHERE c.version IS NOT NULL AND (c.digest = ANY(%(digests)s) OR c.effective_digest = %(skeleton)s)
            UNION
            SELECT c.asset_id, c.version
              FROM unnest(%(lows)s::bytea[], %(highs)s::bytea[]) AS requested (low, high)
              JOIN contents c ON c.digest BETWEEN requested.low AND requested.high AND c.version IS NOT NULL
            UNION ALL
            SELECT a.id, NULL FROM assets a WHERE a.name COLLATE "C" = ANY(%(names)s)
        )
        SELECT a.id AS asset_id, a.kind, a.name, a.project_id IS NOT NULL AS own, v.number,
               digest_text(v.digest) AS digest, digest_text(v.effective_digest) AS effective_digest, v.filename
          FROM named n
          JOIN assets a ON a.id = n.asset_id
          LEFT JOIN asset_versions v ON v.asset_id = n.asset_id AND v.number = n.number
         WHERE a.project_id IS NULL OR a.project_id = %(project_id)s
         ORDER BY a.id, v.number NULLS FIRST
        """,
        filenames=sorted({name for file in used for name in filenames(file)}),
        names=sorted({name for file in used for name in asset_names(file.name, is_stem=file.is_stem)}),
        digests=sorted(digests),
        skeleton=None if skeleton is None else to_raw(skeleton),
        lows=[bytes.fromhex(low) for low, _ in ranges],
        highs=[bytes.fromhex(high) for _, high in ranges],
        project_id=project_id,
    )


async def _frames(conn: Conn, used: Collection[UsedFile], project_id: int | None) -> frozenset[Digest]:
    """Return the digests that are last frames of the project's takes: a run that loads such a frame continues it."""
    pictures = sorted({to_raw(file.digest) for file in used if file.role == "source_image" and file.digest is not None})
    if not pictures or project_id is None:
        return frozenset()
    result = await rows(
        conn,
        """
        SELECT DISTINCT o.digest
          FROM receipt_outputs o
          JOIN receipts r ON r.id = o.receipt_id
         WHERE o.digest = ANY(%(digests)s) AND o.part = 'last_frame' AND r.project_id = %(project_id)s
        """,
        digests=pictures,
        project_id=project_id,
    )
    return frozenset(from_raw(bytes(row["digest"])) for row in result)
