"""Finds where an earlier take may be what a plan wants, by index and without planning.

group ─▶ segments it begins in ─▶ another take with the same seed, whole, with the expected inputs?
                                   no, nearly always: nothing to restore, and nothing was loaded
"""

from collections.abc import Sequence
from typing import NamedTuple

from genlock.db.connection import Conn, rows
from genlock.staleness.model import RootKey


async def restore_candidates(conn: Conn, project_id: int, roots: Sequence[RootKey]) -> dict[RootKey, list[int]]:
    """Return for each root with any: the ids of the runs in which an earlier take may be what a plan wants.

    Nothing is restored in other runs: the first segment that a plan restores in a run is the first that the root
    concerns directly, because a rendered frame is not known in advance.

    A take is restored if it is what would be rendered: the same parameters, so the same seed, and every input with a
    content in the expected version, or in its current one where that is waived. Contents are compared by both digests,
    whatever asset they were recorded under.
    """
    candidates = await rows(
        conn,
        """
        WITH root AS MATERIALIZED (
            SELECT * FROM unnest(%(kinds)s::int[], %(assets)s::bigint[], %(used)s::int[])
                     WITH ORDINALITY AS g (kind, asset, used, place)
        ), begin AS (
            SELECT w.place, i.segment_id, i.run_id
              FROM root w
              JOIN contents c ON c.asset_id = w.asset
                   AND CASE w.kind WHEN 0 THEN c.version = w.used ELSE c.version IS NULL END
             CROSS JOIN LATERAL (SELECT segment_id, run_id FROM current_inputs
                                  WHERE content_id = c.id AND project_id = %(project_id)s AND judged
                                 OFFSET 0) AS i
             WHERE w.kind < 2
             UNION ALL
            SELECT w.place, t.segment_id, t.run_id
              FROM root w
              JOIN broken_links b ON b.project_id = %(project_id)s
              JOIN selected_takes t ON t.segment_id = b.segment_id
             WHERE w.kind = 2
        ), repeated AS MATERIALIZED (
            SELECT b.place, b.segment_id, b.run_id
              FROM begin b
             CROSS JOIN LATERAL (SELECT seed FROM receipts WHERE segment_id = b.segment_id AND seed IS NOT NULL
                                  GROUP BY seed HAVING count(*) > 1 LIMIT 1) AS again
        )
        SELECT b.place, array_agg(DISTINCT b.run_id) AS runs
          FROM repeated b
          JOIN selected_takes t ON t.segment_id = b.segment_id
          JOIN receipts now ON now.id = t.receipt_id
          JOIN scene_scopes s ON s.scene_id = t.scene_id
         WHERE EXISTS (
               SELECT FROM receipts past
                WHERE past.segment_id = b.segment_id AND past.seed = now.seed AND past.id <> now.id
                  AND past.engine = now.engine AND well_evidenced(past.missing, past.evidence)
                  AND NOT EXISTS (
                      SELECT FROM resolved_inputs was
                        JOIN contents c ON c.id = was.content_id
                        LEFT JOIN resolved_inputs i
                          ON i.receipt_id = now.id AND i.role = was.role AND i.ordinal = was.ordinal
                        LEFT JOIN contents k ON k.id = i.content_id
                       WHERE was.receipt_id = past.id AND was.via IS NULL
                         AND (c.effective_digest IN (k.effective_digest, k.digest, i.digest)
                              OR c.digest IN (k.effective_digest, k.digest, i.digest)
                              OR EXISTS ( -- last: most inputs are the same, and the function takes longest
                                 SELECT FROM contents e
                                  WHERE e.asset_id = k.asset_id
                                    AND e.version = expected_version(s.scope_id, k.asset_id)
                                    AND e.effective_digest IN (c.effective_digest, c.digest)))
                             IS NOT TRUE))
         GROUP BY b.place
        """,
        project_id=project_id,
        kinds=[root.kind for root in roots],
        assets=[root.asset for root in roots],
        used=[root.used for root in roots],
    )
    return {roots[row["place"] - 1]: row["runs"] for row in candidates}


class UsedContent(NamedTuple):
    """A content that a segment's selected take used itself, with its asset and the segment's scope."""

    segment_id: int
    scope_id: int
    asset_id: int
    content_id: int


async def used_contents(conn: Conn, segment_ids: Sequence[int]) -> list[UsedContent]:
    """Return the contents that the selected takes of some segments used themselves."""
    contents = await rows(
        conn,
        """
        SELECT t.segment_id, s.scope_id, c.asset_id, c.id AS content_id
          FROM selected_takes t
          JOIN scene_scopes s ON s.scene_id = t.scene_id
          JOIN resolved_inputs i ON i.receipt_id = t.receipt_id AND i.via IS NULL
          JOIN contents c ON c.id = i.content_id
         WHERE t.segment_id = ANY(%(segments)s::bigint[])
        """,
        segments=list(segment_ids),
    )
    return [UsedContent(**row) for row in contents]
