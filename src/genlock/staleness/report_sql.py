"""The report: groups and totals of a project from one statement, now or as they would be."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from genlock.db.connection import Conn, rows
from genlock.staleness import causes_sql, tally_sql
from genlock.staleness.model import Estimate, Group, GroupKind, Totals
from genlock.staleness.sentence import sentence
from genlock.takes.model import ReferencedAsset

_KINDS = {
    causes_sql.ASSET: GroupKind.ASSET,
    causes_sql.UNMATCHED: GroupKind.UNMATCHED,
    causes_sql.CHAIN: GroupKind.CHAIN,
}
_SAMPLES = 1000
"""Medians are of the newest so many measurements of a workload."""

_REPORT: LiteralString = (
    tally_sql.TALLY
    + """
, counted AS MATERIALIZED (
    SELECT project_id, root_kind, root_asset, CASE WHEN root_kind = 0 THEN root_used END AS root_used,
           CASE WHEN root_kind = 0 THEN root_expected END AS root_expected,
           CASE WHEN min(root_expected) = max(root_expected) THEN nullif(min(root_expected), 0) END AS expected,
           sum(segments) AS segments, count(DISTINCT scene_id) AS scenes, sum(direct) AS direct,
           bool_and(root_kind = 0
                    AND ((project_id, root_asset) IN (SELECT project_id, asset_id FROM pins WHERE scene_id IS NULL)
                         OR (scene_id, root_asset) IN (SELECT scene_id, asset_id FROM pins WHERE scene_id IS NOT NULL))
                   ) AS pinned
      FROM tally
     GROUP BY project_id, root_kind, root_asset, 4, 5
), weighed AS MATERIALIZED (
    SELECT project_id, root_kind, root_asset, root_used, root_expected, workload_id, sum(segments) AS segments
      FROM (SELECT project_id, root_kind, root_asset, CASE WHEN root_kind = 0 THEN root_used END AS root_used,
                   CASE WHEN root_kind = 0 THEN root_expected END AS root_expected, workload_id, segments
              FROM tally
             WHERE workload_id IS NOT NULL
             UNION ALL
            SELECT s.project_id, s.root_kind, s.root_asset, CASE WHEN s.root_kind = 0 THEN s.root_used END,
                   CASE WHEN s.root_kind = 0 THEN s.root_expected END, t.workload_id, 1
              FROM tally s
              JOIN selected_takes t ON t.run_id = s.run_id AND t.run_position >= s.first
                                   AND (s.cover IS NULL OR t.run_position <@ s.cover)
             WHERE s.workload_id IS NULL AND t.workload_id IS NOT NULL) AS part
     GROUP BY 1, 2, 3, 4, 5, 6
), cost AS MATERIALIZED (
    SELECT w.workload_id, m.median, m.samples
      FROM (SELECT DISTINCT workload_id FROM weighed) w
      CROSS JOIN LATERAL (
           SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d.duration_s) AS median, count(*) AS samples
             FROM (SELECT r.duration_s FROM receipts r
                    WHERE r.workload_id = w.workload_id AND r.duration_s IS NOT NULL
                    ORDER BY r.id DESC LIMIT %(samples)s) d) m
     WHERE m.samples > 0
), estimated AS MATERIALIZED (
    SELECT w.project_id, w.root_kind, w.root_asset, w.root_used, w.root_expected,
           sum(w.segments * c.median) AS gpu_seconds, sum(c.samples) AS samples
      FROM weighed w JOIN cost c ON c.workload_id = w.workload_id
     GROUP BY 1, 2, 3, 4, 5
), listed AS (
    SELECT c.project_id, c.root_kind, c.root_asset, c.root_used, c.root_expected, c.expected, c.segments, c.scenes,
           c.direct, c.pinned, a.kind, a.name, v.filename, e.gpu_seconds, e.samples
      FROM counted c
      LEFT JOIN assets a ON a.id = c.root_asset
      LEFT JOIN asset_versions v ON v.asset_id = c.root_asset AND v.number = c.root_used
      LEFT JOIN estimated e ON (e.project_id, e.root_kind, e.root_asset) = (c.project_id, c.root_kind, c.root_asset)
            AND e.root_used IS NOT DISTINCT FROM c.root_used
            AND e.root_expected IS NOT DISTINCT FROM c.root_expected
)
SELECT p.id AS project_id, now() AS as_of, to_jsonb(t.*) AS totals,
       coalesce((SELECT jsonb_agg(to_jsonb(l.*) ORDER BY l.segments DESC, l.root_kind, l.root_asset, l.root_used,
                                                         l.root_expected)
                   FROM listed l WHERE l.project_id = p.id), '[]') AS groups
  FROM unnest(%(projects)s::bigint[]) AS p (id)
  LEFT JOIN totals t ON t.project_id = p.id
"""
)

_REPORT_NOW: LiteralString = causes_sql.NOW + _REPORT
_REPORT_WHAT_IF: LiteralString = causes_sql.WHAT_IF + _REPORT


async def reports(
    conn: Conn, project_ids: Sequence[int], what_if: Mapping[str, Any] | None = None
) -> dict[int, tuple[Any, Totals, tuple[Group, ...]]]:
    """For each project (the time asked, totals, all groups with most segments first).

    ``what_if`` holds the arrays of contents that would be out of date, and which assets they replace.
    """
    query = _REPORT_NOW if what_if is None else _REPORT_WHAT_IF
    found = await rows(conn, query, projects=list(project_ids), samples=_SAMPLES, **(what_if or {}))
    return {
        row["project_id"]: (row["as_of"], _totals(row["totals"]), tuple(_group(group) for group in row["groups"]))
        for row in found
    }


def _totals(found: Mapping[str, Any] | None) -> Totals:
    names = tuple(Totals.model_fields)
    return Totals(**{name: int((found or {}).get(name) or 0) for name in names})


def _group(row: Mapping[str, Any]) -> Group:
    kind = _KINDS[row["root_kind"]]
    asset = None
    if row["name"] is not None:
        asset = ReferencedAsset(id=row["root_asset"], kind=row["kind"], name=row["name"])
    segments, direct = int(row["segments"]), int(row["direct"])
    estimate = None
    if row["gpu_seconds"] is not None:
        estimate = Estimate(gpu_seconds=round(row["gpu_seconds"], 3), samples=int(row["samples"]))
    return Group(
        id=group_id(kind, row["root_asset"], row["root_used"], row["root_expected"]),
        kind=kind,
        asset=asset,
        used=row["root_used"],
        expected=row["expected"],
        sentence=sentence(
            segments=segments,
            scenes=row["scenes"],
            kind=row["kind"],
            name=row["name"],
            used=row["root_used"],
            filename=row["filename"],
            expected=row["root_expected"],
            pinned=row["pinned"],
        ),
        segments=segments,
        scenes=row["scenes"],
        direct=direct,
        derived=segments - direct,
        estimate=estimate,
    )


def group_id(kind: GroupKind, asset_id: int | None, used: int | None, expected: int | None) -> str:
    """The id of a group: what its segments have in common, in words a URL can hold."""
    if kind is GroupKind.CHAIN:
        return "chain"
    if kind is GroupKind.UNMATCHED:
        return f"unmatched-{asset_id}"
    return f"asset-{asset_id}-{used}-{expected}"
