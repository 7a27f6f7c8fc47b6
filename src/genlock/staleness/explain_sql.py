"""Loads what explaining causes needs: own causes and spreads of some segments' runs, names, waivers, who moved
what and when. All only ask: what does not wait for one another is on its way together."""

from collections.abc import Sequence
from typing import LiteralString

from genlock.db.connection import Asked, Conn, ask
from genlock.staleness import causes_sql

_OWN: LiteralString = (
    causes_sql.NOW_OF_SEGMENTS
    + causes_sql.OF_SEGMENTS
    + """
SELECT o.run_id, o.run_position, o.segment_id, o.scene_id, o.root_kind, o.root_asset, o.root_used, o.root_expected,
       o.direct, o.used, o.expected, o.content_id, i.role, i.ordinal, c.asset_id, c.version, c.digest, x.path
  FROM own o
  JOIN selected_takes t ON t.segment_id = o.segment_id
  LEFT JOIN here p ON p.segment_id = o.segment_id
  LEFT JOIN contents c ON c.id = o.content_id
  LEFT JOIN resolved_inputs i ON i.receipt_id = t.receipt_id
       AND ((o.root_kind = 2 AND (i.role, i.ordinal) = ('seed_frame', (
                 SELECT min(ordinal) FROM receipt_inputs f WHERE f.receipt_id = t.receipt_id AND f.role = i.role)))
            OR (i.content_id = o.content_id AND (i.via IS NULL OR (i.via = 'seed_frame' AND t.via_judged))))
  LEFT JOIN outdated_contents x ON o.root_kind = 0 AND x.scope_id = p.scope_id AND x.content_id = o.content_id
       AND (x.root_asset_id, x.root_used, x.root_expected) = (o.root_asset, o.root_used, o.root_expected)
 ORDER BY o.run_id, o.run_position, o.root_kind, o.root_asset, o.root_used, o.root_expected, i.role, i.ordinal
"""
)
_SPREAD: LiteralString = (
    causes_sql.NOW_OF_SEGMENTS
    + causes_sql.OF_SEGMENTS
    + """
SELECT t.segment_id, t.run_id, t.run_position, s.root_kind, s.root_asset, s.root_used, s.root_expected
  FROM spread s
  JOIN selected_takes t ON t.run_id = s.run_id AND t.run_position <@ (s.cover + s.waived)
 WHERE t.segment_id = ANY(%(segments)s::bigint[])
 ORDER BY t.segment_id, s.root_kind, s.root_asset, s.root_used, s.root_expected
"""
)


async def own_causes(conn: Conn, segment_ids: Sequence[int]) -> Asked:
    """Every own cause in the runs of segments, one row for each input that gives it, with what it takes to explain it.

    Runs are read up to the last of the segments.
    """
    return await ask(conn, _OWN, segments=list(segment_ids))


async def spread_causes(conn: Conn, segment_ids: Sequence[int]) -> Asked:
    """Every (segment, root) that holds, waived ones included."""
    return await ask(conn, _SPREAD, segments=list(segment_ids))


async def members(conn: Conn, segment_ids: Sequence[int]) -> Asked:
    """The segments of the runs of some segments, with where each stands."""
    return await ask(
        conn,
        """
        SELECT t.run_id, t.run_position, t.segment_id, g.position, g.name, t.receipt_id, t.unknown
          FROM selected_takes t JOIN segments g ON g.id = t.segment_id
         WHERE t.run_id = ANY(ARRAY(SELECT run_id FROM selected_takes WHERE segment_id = ANY(%(segments)s)))
         ORDER BY t.run_id, t.run_position
        """,
        segments=list(segment_ids),
    )


async def version_names(conn: Conn, refs: Sequence[tuple[int, int]]) -> Asked:
    """For (asset, version) pairs: the asset's name, both digests."""
    return await ask(
        conn,
        """
        SELECT v.asset_id, v.number, a.name, digest_text(v.digest) AS digest,
               digest_text(v.effective_digest) AS effective_digest
          FROM unnest(%(assets)s::bigint[], %(numbers)s::int[]) AS wanted (asset_id, number)
          JOIN asset_versions v ON v.asset_id = wanted.asset_id AND v.number = wanted.number
          JOIN assets a ON a.id = v.asset_id
        """,
        assets=[asset for asset, _ in refs],
        numbers=[number for _, number in refs],
    )


async def waivers_of(conn: Conn, segment_ids: Sequence[int]) -> Asked:
    """The waivers of segments that count now."""
    return await ask(
        conn,
        """
        SELECT id, segment_id, coalesce(asset_id, 0) AS root_asset, used_digest AS used, expected_digest AS expected
          FROM waivers
         WHERE segment_id = ANY(%(segments)s) AND withdrawn_at IS NULL AND (expires_at IS NULL OR expires_at > now())
         ORDER BY id
        """,
        segments=list(segment_ids),
    )


async def expectations_since(conn: Conn, scene_ids: Sequence[int], asset_ids: Sequence[int]) -> Asked:
    """For (scene, asset): the expected version, since when it is expected, and who moved it there."""
    return await ask(
        conn,
        """
        SELECT s.id AS scene_id, a.id AS asset_id,
               coalesce(of_scene.number, of_project.number, a.active_version) AS number,
               coalesce(of_scene.created_at, of_project.created_at, moved.at) AS since,
               coalesce(of_scene.created_by, of_project.created_by, moved.actor) AS moved_by
          FROM unnest(%(scenes)s::bigint[]) AS wanted (id)
          JOIN scenes s ON s.id = wanted.id
         CROSS JOIN (SELECT id, active_version FROM assets WHERE id = ANY(%(assets)s)) a
          LEFT JOIN pins of_scene ON of_scene.scene_id = s.id AND of_scene.asset_id = a.id
          LEFT JOIN pins of_project ON of_project.project_id = s.project_id AND of_project.scene_id IS NULL
                                   AND of_project.asset_id = a.id
          LEFT JOIN LATERAL (SELECT at, actor FROM activations m WHERE m.asset_id = a.id
                              ORDER BY m.id DESC LIMIT 1) moved ON true
        """,
        scenes=list(scene_ids),
        assets=list(asset_ids),
    )


async def link_moves(conn: Conn, segment_ids: Sequence[int]) -> Asked:
    """For segments with a broken link: when, and by whom, the take before them was put in the cut."""
    return await ask(
        conn,
        """
        SELECT g.id AS segment_id, moved.at AS since, moved.actor AS moved_by
          FROM segments g
          JOIN segments before ON before.scene_id = g.scene_id AND before.position = g.position - 1
          JOIN LATERAL (SELECT at, actor FROM selections c WHERE c.segment_id = before.id
                         ORDER BY c.id DESC LIMIT 1) moved ON true
         WHERE g.id = ANY(%(segments)s)
        """,
        segments=list(segment_ids),
    )


async def recorded(conn: Conn, segment_ids: Sequence[int]) -> Asked:
    """For segments: when, and by whom, their selected take was recorded, and what its receipt lacks."""
    return await ask(
        conn,
        """
        SELECT t.segment_id, r.recorded_at AS since, r.recorded_by AS moved_by, r.missing, r.evidence
          FROM selected_takes t JOIN receipts r ON r.id = t.receipt_id
         WHERE t.segment_id = ANY(%(segments)s)
        """,
        segments=list(segment_ids),
    )
