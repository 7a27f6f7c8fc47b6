"""Finds where an earlier take may be what is wanted, and who belongs to such a group: by index, never by planning.

group ─▶ segments it begins in ─▶ another take of theirs with the same seed, whole, made from what is expected now?
                                   no, nearly always: nothing to restore, and nothing was loaded
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from genlock.db.connection import Conn, rows
from genlock.regeneration.planning.situation import Key
from genlock.staleness import causes_sql

_GROUPS: LiteralString = """
       SELECT * FROM unnest(%(kinds)s::int[], %(assets)s::bigint[], %(used)s::int[], %(expected)s::int[])
                WITH ORDINALITY AS g (root_kind, root_asset, root_used, root_expected, place)
"""

# What is put back has to be what is wanted: the same parameters, so the same seed, and each input that has a content in
# the expected one, or as it is now where that is accepted. Under whatever asset it was recorded, and whether its
# effective digest was known then: contents are compared, and by both digests.
_HOPES: LiteralString = (
    """
WITH wanted AS MATERIALIZED ("""
    + _GROUPS
    + """
), begun AS (
    SELECT w.place, i.segment_id, i.run_id
      FROM wanted w
      JOIN contents c ON c.asset_id = w.root_asset
           AND CASE w.root_kind WHEN 0 THEN c.version = w.root_used ELSE c.version IS NULL END
     CROSS JOIN LATERAL (SELECT segment_id, run_id FROM current_inputs
                          WHERE content_id = c.id AND project_id = %(project_id)s AND judged
                         OFFSET 0) AS i
     WHERE w.root_kind < 2
     UNION ALL
    SELECT w.place, t.segment_id, t.run_id
      FROM wanted w
      JOIN broken_links b ON b.project_id = %(project_id)s
      JOIN selected_takes t ON t.segment_id = b.segment_id
     WHERE w.root_kind = 2
), twice AS MATERIALIZED (
    SELECT b.place, b.segment_id, b.run_id
      FROM begun b
     CROSS JOIN LATERAL (SELECT seed FROM receipts WHERE segment_id = b.segment_id AND seed IS NOT NULL
                          GROUP BY seed HAVING count(*) > 1 LIMIT 1) AS again
)
SELECT w.place, array_agg(DISTINCT b.run_id) AS runs
  FROM twice b
  JOIN wanted w ON w.place = b.place
  JOIN selected_takes t ON t.segment_id = b.segment_id
  JOIN receipts now ON now.id = t.receipt_id
 WHERE EXISTS (
       SELECT FROM receipts past
        WHERE past.segment_id = b.segment_id AND past.seed = now.seed AND past.id <> now.id
          AND past.engine = now.engine AND cardinality(past.missing) = 0
          AND past.evidence IN ('recorded', 'matched_by_digest')
          AND NOT EXISTS (
              SELECT FROM resolved_inputs was
                JOIN contents c ON c.id = was.content_id
                LEFT JOIN resolved_inputs i ON i.receipt_id = now.id AND i.role = was.role AND i.ordinal = was.ordinal
                LEFT JOIN contents k ON k.id = i.content_id
                LEFT JOIN assets a ON a.id = k.asset_id
                LEFT JOIN pins of_scene ON of_scene.project_id = t.project_id AND of_scene.scene_id = t.scene_id
                                       AND of_scene.asset_id = a.id
                LEFT JOIN pins of_project ON of_project.project_id = t.project_id AND of_project.scene_id IS NULL
                                         AND of_project.asset_id = a.id
                LEFT JOIN contents e ON e.asset_id = a.id
                      AND e.version = coalesce(of_scene.number, of_project.number, a.active_version)
               WHERE was.receipt_id = past.id AND was.via IS NULL
                 AND (c.effective_digest IN (e.effective_digest, k.effective_digest, k.digest, i.digest)
                      OR c.digest IN (e.effective_digest, k.effective_digest, k.digest, i.digest)) IS NOT TRUE))
 GROUP BY w.place
"""
)


async def hopes(conn: Conn, project_id: int, roots: Sequence[Key]) -> dict[Key, list[int]]:
    """For each root where it may be so: the runs in which an earlier take may be what is wanted.

    All others have nothing to restore: what a plan restores first in a run is the first segment that the root touches
    itself, because behind a render the frame is open.
    """
    found = await rows(conn, _HOPES, project_id=project_id, **_columns(roots))
    return {roots[row["place"] - 1]: row["runs"] for row in found}


@dataclass(frozen=True, slots=True)
class Member:
    """A segment of a group, and the run and scene that it is in."""

    segment_id: int
    run_id: int
    scene_id: int


_RUNS_OF: LiteralString = (
    "WITH wanted AS ("
    + _GROUPS
    + """
), content AS (
    SELECT c.id FROM wanted w JOIN contents c ON c.asset_id = w.root_asset
           AND CASE w.root_kind WHEN 0 THEN c.version = w.root_used ELSE c.version IS NULL END
     WHERE w.root_kind < 2
     UNION
    SELECT o.content_id
      FROM wanted w
      JOIN outdated_contents o ON o.root_asset_id = w.root_asset AND o.root_used = w.root_used
                              AND o.root_expected = w.root_expected
     WHERE w.root_kind = 0
)
SELECT DISTINCT i.run_id
  FROM content c
 CROSS JOIN LATERAL (SELECT run_id FROM current_inputs
                      WHERE content_id = c.id AND project_id = %(project_id)s AND judged
                     OFFSET 0) AS i
 UNION
SELECT t.run_id
  FROM broken_links b JOIN selected_takes t ON t.segment_id = b.segment_id
 WHERE b.project_id = %(project_id)s AND EXISTS (SELECT FROM wanted WHERE root_kind = 2)
"""
)
_MEMBERS: LiteralString = (
    causes_sql.NOW
    + causes_sql.OF_RUNS
    + ", wanted AS ("
    + _GROUPS
    + """
)
SELECT w.place, t.segment_id, t.run_id, t.scene_id
  FROM wanted w
  JOIN spread s ON s.root_kind = w.root_kind AND s.root_asset = w.root_asset
       AND (w.root_kind <> 0 OR (s.root_used = w.root_used AND s.root_expected = w.root_expected))
  JOIN selected_takes t ON t.run_id = s.run_id AND t.run_position <@ s.cover
"""
)


async def members(conn: Conn, project_id: int, roots: Sequence[Key]) -> dict[Key, frozenset[Member]]:
    """For each root the segments that are stale by it: what it costs grows with them, not with the project."""
    runs = [row["run_id"] for row in await rows(conn, _RUNS_OF, project_id=project_id, **_columns(roots))]
    found = await rows(conn, _MEMBERS, projects=[project_id], runs=runs, **_columns(roots))
    belong: dict[Key, set[Member]] = {root: set() for root in roots}
    for row in found:
        belong[roots[row["place"] - 1]].add(Member(row["segment_id"], row["run_id"], row["scene_id"]))
    return {root: frozenset(segments) for root, segments in belong.items()}


_USED: LiteralString = (
    causes_sql.NOW
    + causes_sql.OF_RUNS
    + """
, caused AS (
    SELECT o.segment_id, o.content_id,
           bool_and(EXISTS (SELECT FROM waived_at w WHERE w.segment_id = o.segment_id AND w.root_asset = o.root_asset
                                                      AND w.used = o.used AND w.expected = o.expected)) AS waived
      FROM own o
     WHERE o.content_id IS NOT NULL
     GROUP BY o.segment_id, o.content_id
)
SELECT m.place, array_agg(DISTINCT ARRAY[h.scope_id, c.asset_id]) AS used
  FROM (SELECT * FROM unnest(%(places)s::int[], %(segments)s::bigint[]) AS m (place, segment_id)) m
  JOIN here h ON h.segment_id = m.segment_id
  JOIN selected_takes t ON t.segment_id = m.segment_id
  JOIN resolved_inputs i ON i.receipt_id = t.receipt_id AND i.via IS NULL
  JOIN contents c ON c.id = i.content_id
  LEFT JOIN caused k ON k.segment_id = m.segment_id AND k.content_id = i.content_id
 WHERE k.waived IS NOT TRUE
 GROUP BY m.place
"""
)


async def used_by(
    conn: Conn, project_id: int, groups: Mapping[Key, frozenset[Member]]
) -> dict[Key, frozenset[tuple[int, int]]]:
    """Every (scope, asset) that the segments of each group use; inputs of which all causes are waived are left out."""
    pairs = [(place, one) for place, belong in enumerate(groups.values()) for one in belong]
    found = await rows(
        conn,
        _USED,
        projects=[project_id],
        runs=sorted({one.run_id for _, one in pairs}),
        places=[place for place, _ in pairs],
        segments=[one.segment_id for _, one in pairs],
    )
    roots = list(groups)
    return {roots[row["place"]]: frozenset((scope, asset) for scope, asset in row["used"]) for row in found}


def _columns(roots: Sequence[Key]) -> dict[str, Any]:
    return {
        "kinds": [root[0] for root in roots],
        "assets": [root[1] for root in roots],
        "used": [root[2] for root in roots],
        "expected": [root[3] for root in roots],
    }
