"""The report: groups and totals of a project from one statement, now or as they would be."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

from genlock.db.connection import Conn, plan_once, rows
from genlock.model import Kind
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

REPORTED: LiteralString = (
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
), grouped AS (
    -- Both are a row for each group, and keys may be null: put together by grouping, not by a join.
    SELECT project_id, root_kind, root_asset, root_used, root_expected, max(expected) AS expected,
           max(segments) AS segments, max(scenes) AS scenes, max(direct) AS direct, bool_or(pinned) AS pinned,
           max(gpu_seconds) AS gpu_seconds, max(samples) AS samples
      FROM (SELECT project_id, root_kind, root_asset, root_used, root_expected, expected, segments, scenes, direct,
                   pinned, NULL::float8 AS gpu_seconds, NULL::numeric AS samples
              FROM counted
             UNION ALL
            SELECT w.project_id, w.root_kind, w.root_asset, w.root_used, w.root_expected, NULL, NULL, NULL, NULL,
                   NULL, sum(w.segments * c.median), sum(c.samples)
              FROM weighed w JOIN cost c ON c.workload_id = w.workload_id
             GROUP BY 1, 2, 3, 4, 5) AS part
     GROUP BY 1, 2, 3, 4, 5
), named AS (
    SELECT project_id, root_kind, root_asset, root_used, root_expected, expected, segments, scenes, direct, pinned,
           gpu_seconds, samples,
           CASE root_kind WHEN 0 THEN 'asset-' || root_asset || '-' || root_used || '-' || root_expected
                          WHEN 1 THEN 'unmatched-' || root_asset ELSE 'chain' END COLLATE "C" AS id
      FROM grouped
), listed AS (
    SELECT n.project_id, n.id, n.root_kind, n.root_asset, n.root_used, n.root_expected, n.expected, n.segments,
           n.scenes, n.direct, n.pinned, a.kind, a.name, v.filename, n.gpu_seconds, n.samples
      FROM (SELECT * FROM named
             WHERE %(after_segments)s::bigint IS NULL OR segments < %(after_segments)s
                OR (segments = %(after_segments)s AND id > %(after_id)s)
             ORDER BY segments DESC, id
             LIMIT %(limit)s::bigint) AS n
      LEFT JOIN assets a ON a.id = n.root_asset
      LEFT JOIN asset_versions v ON v.asset_id = n.root_asset AND v.number = n.root_used
)"""
)
"""After ``outdated`` of some world: ``totals`` of each project and ``listed``, its groups."""

ANSWER: LiteralString = """
       p.id AS project_id, now() AS as_of, to_json(t.*) AS totals,
       (SELECT count(*) FROM named n WHERE n.project_id = p.id) AS total,
       (SELECT json_agg(l.* ORDER BY l.segments DESC, l.id) FROM listed l WHERE l.project_id = p.id) AS groups
  FROM unnest(%(projects)s::bigint[]) AS p (id)
  LEFT JOIN totals t ON t.project_id = p.id
"""
"""What ``read_report`` reads; after SELECT, and more columns if wanted."""

ALL = {"samples": _SAMPLES, "after_segments": None, "after_id": None, "limit": None}
"""The parameters of a report with all its groups."""

_REPORT_NOW: LiteralString = causes_sql.NOW + REPORTED + "SELECT" + ANSWER


class Counted(NamedTuple):
    """A project's totals and groups at a time, with how many groups there are when not all are there."""

    as_of: Any
    totals: Totals
    groups: tuple[Group, ...]
    total: int


async def reports(conn: Conn, project_ids: Sequence[int]) -> dict[int, Counted]:
    """For each project its totals and all groups, most segments first."""
    found = await rows(conn, _REPORT_NOW, projects=list(project_ids), **ALL)
    return {row["project_id"]: read_report(row) for row in found}


async def page_of_groups(conn: Conn, project_id: int, after: tuple[int, str] | None, limit: int) -> Counted:
    """A project's totals and a page of its groups; ``after`` are the segments and the id of the last one before."""
    await plan_once(conn)
    segments, group = after or (None, None)
    page = {**ALL, "after_segments": segments, "after_id": group, "limit": limit}
    (row,) = await rows(conn, _REPORT_NOW, projects=[project_id], **page)
    return read_report(row)


def read_report(row: Mapping[str, Any]) -> Counted:
    """What a row of ``ANSWER`` says."""
    groups = tuple(_group(group) for group in row["groups"] or ())
    return Counted(row["as_of"], _totals(row["totals"]), groups, row["total"])


def _totals(found: Mapping[str, Any] | None) -> Totals:
    names = tuple(Totals.model_fields)
    return Totals(**{name: int((found or {}).get(name) or 0) for name in names})


def _group(row: Mapping[str, Any]) -> Group:
    kind = _KINDS[row["root_kind"]]
    asset = None
    if row["name"] is not None:
        asset = ReferencedAsset.model_construct(id=row["root_asset"], kind=Kind(row["kind"]), name=row["name"])
    segments, direct = int(row["segments"]), int(row["direct"])
    estimate = None
    if row["gpu_seconds"] is not None:
        estimate = Estimate.model_construct(gpu_seconds=round(row["gpu_seconds"], 3), samples=int(row["samples"]))
    # Constructed of rows that are as they must be: a what-if may have thousands of groups.
    return Group.model_construct(
        id=row["id"],
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
