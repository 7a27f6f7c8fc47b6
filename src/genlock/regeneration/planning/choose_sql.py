"""Finds the segments that a selection is about, from the same ranges as the report."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from genlock.db.connection import Conn, rows
from genlock.staleness import causes_sql

_REPORTED: LiteralString = (
    causes_sql.NOW
    + causes_sql.OF_PROJECTS
    + """
, wanted AS (
    SELECT * FROM unnest(%(kinds)s::int[], %(assets)s::bigint[], %(used)s::int[], %(expected)s::int[])
               WITH ORDINALITY AS w (root_kind, root_asset, root_used, root_expected, place)
), met AS (
    SELECT s.run_id, s.cover, s.waived, w.place
      FROM spread s
      LEFT JOIN wanted w
        ON w.root_kind = s.root_kind AND w.root_asset = s.root_asset
       AND (w.root_kind <> 0 OR (w.root_used = s.root_used AND w.root_expected = s.root_expected))
     WHERE %(all)s OR w.place IS NOT NULL
), hit AS (
    SELECT run_id, range_agg(cover) AS stale, range_agg(waived) AS waived FROM met GROUP BY run_id
)
SELECT t.segment_id, t.run_position <@ h.stale AS stale, NULL::bigint AS place
  FROM hit h
  JOIN selected_takes t ON t.run_id = h.run_id AND t.run_position <@ (h.stale + h.waived)
 UNION ALL
SELECT DISTINCT NULL::bigint, NULL::boolean, place FROM met WHERE place IS NOT NULL AND NOT isempty(cover + waived)
"""
)


class Reported(NamedTuple):
    """Segments that are stale, those where that is waived, and which roots hold any: by their places, from 0."""

    stale: set[int]
    waived: set[int]
    places: set[int]


async def reported(conn: Conn, project_id: int, roots: Sequence[tuple[int, int, int, int]] | None) -> Reported:
    """What the report says of these roots (``None``: of all)."""
    found = await rows(
        conn,
        _REPORTED,
        projects=[project_id],
        runs=None,
        all=roots is None,
        kinds=[root[0] for root in roots or ()],
        assets=[root[1] for root in roots or ()],
        used=[root[2] for root in roots or ()],
        expected=[root[3] for root in roots or ()],
    )
    stale = {row["segment_id"] for row in found if row["stale"]}
    waived = {row["segment_id"] for row in found if row["place"] is None} - stale
    return Reported(stale, waived, {row["place"] - 1 for row in found if row["place"] is not None})


async def pinned(conn: Conn, project_id: int, assets: Sequence[int] | None) -> set[int]:
    """The segments that match a pin of one of these assets (``None``: any) while another content is active."""
    found = await rows(
        conn,
        """
        WITH held AS (
            SELECT p.scene_id, p.asset_id, c.id AS content_id, c.effective_digest
              FROM pins p
              JOIN assets a ON a.id = p.asset_id
              JOIN contents chosen ON chosen.asset_id = a.id AND chosen.version = p.number
              JOIN contents active ON active.asset_id = a.id AND active.version = a.active_version
              JOIN contents c ON c.asset_id = a.id AND c.effective_digest = chosen.effective_digest
             WHERE p.project_id = %(project_id)s AND chosen.effective_digest <> active.effective_digest
               AND (%(assets)s::bigint[] IS NULL OR a.id = ANY(%(assets)s::bigint[]))
        )
        SELECT DISTINCT i.segment_id
          FROM held h
          JOIN current_inputs i ON i.content_id = h.content_id AND i.project_id = %(project_id)s
          JOIN segments g ON g.id = i.segment_id
         WHERE h.scene_id = g.scene_id
            OR (h.scene_id IS NULL AND NOT EXISTS (
                SELECT FROM pins nearer WHERE nearer.scene_id = g.scene_id AND nearer.asset_id = h.asset_id))
        """,
        project_id=project_id,
        assets=None if assets is None else list(assets),
    )
    return {row["segment_id"] for row in found}


async def segments_in(conn: Conn, project_id: int, scene_ids: Sequence[int]) -> tuple[set[int], set[int]]:
    """The segments of scenes of a project, archived ones left out, and which of the scenes there are."""
    found = await rows(
        conn,
        """
        SELECT s.id AS scene_id, g.id AS segment_id
          FROM scenes s LEFT JOIN segments g ON g.scene_id = s.id AND g.position IS NOT NULL
         WHERE s.project_id = %(project_id)s AND s.id = ANY(%(scenes)s)
        """,
        project_id=project_id,
        scenes=list(scene_ids),
    )
    segments = {row["segment_id"] for row in found if row["segment_id"] is not None}
    return segments, {row["scene_id"] for row in found}


async def scenes_with(conn: Conn, project_id: int, segment_ids: Sequence[int]) -> tuple[list[int], set[int]]:
    """The scenes that segments of a project are in, and which of the segments there are."""
    found = await rows(
        conn,
        "SELECT id, scene_id FROM segments WHERE project_id = %(project_id)s AND id = ANY(%(segments)s)",
        project_id=project_id,
        segments=list(segment_ids),
    )
    return sorted({row["scene_id"] for row in found}), {row["id"] for row in found}
