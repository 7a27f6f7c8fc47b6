"""Counts of causes by run, in whole numbers: what a report of a large project adds up.

    run       1 ─ 2 ─ 3 ─ 4 ─ 5        a root covers everything from its first own cause on, if nothing there is walked
    root a        ●───●───────          so: first 2, segments 4, direct 2, derived 2
    root b                ●───          and with it: stale 4, of which derived 4 (all but where every root is direct)

The same rows as ``causes_sql.OF_PROJECTS`` spreads as ranges, and the same ranges wherever a run is walked.
"""

from typing import LiteralString

from genlock.staleness import causes_sql

_BY_ROOT: LiteralString = """
, started AS MATERIALIZED (
    SELECT run_id, root_kind, root_asset, root_used, root_expected, min(project_id) AS project_id,
           min(scene_id) AS scene_id, min(run_position) AS first, count(*) FILTER (WHERE direct) AS direct
      FROM own
     WHERE world <> 1 AND run_id NOT IN (SELECT run_id FROM walked_runs)
     GROUP BY run_id, root_kind, root_asset, root_used, root_expected
), tally AS MATERIALIZED (
    SELECT s.project_id, s.scene_id, s.run_id, s.root_kind, s.root_asset, s.root_used, s.root_expected, s.first,
           (r.length - s.first + 1)::bigint AS segments, s.direct, NULL::int4multirange AS cover, r.workload_id
      FROM started s JOIN runs r ON r.run_id = s.run_id
     UNION ALL
    SELECT w.project_id, w.scene_id, w.run_id, w.root_kind, w.root_asset, w.root_used, w.root_expected,
           lower(w.cover), positions(w.cover), positions(w.direct), w.cover, r.workload_id
      FROM walked w JOIN runs r ON r.run_id = w.run_id
     WHERE w.cover <> '{}'
)"""

_BY_RUN: LiteralString = """
, by_run AS MATERIALIZED (
    SELECT run_id, min(project_id) AS project_id, min(scene_id) AS scene_id, count(*) AS roots,
           max(segments) AS stale, coalesce(sum(direct) FILTER (WHERE root_kind = 0), 0) AS superseded,
           coalesce(sum(direct) FILTER (WHERE root_kind = 2), 0) AS chain
      FROM tally
     WHERE cover IS NULL
     GROUP BY run_id
), standing AS (
    -- Several roots in a run: how many have begun at each position with an own cause, and how many are direct there.
    -- Where all are, nothing is derived. (NOT IN is hashed whatever the planner expects; a join here may be nested.)
    SELECT min(project_id) AS project_id, max(superseded) AS superseded, max(chain) AS chain, sum(direct) AS direct,
           sum(sum(begins)) OVER (PARTITION BY run_id ORDER BY run_position) AS begun
      FROM (SELECT project_id, run_id, run_position, (direct AND root_kind = 0)::int AS superseded,
                   (root_kind = 2)::int AS chain, direct::int AS direct, 0 AS begins
              FROM own
             WHERE world <> 1 AND run_id NOT IN (SELECT run_id FROM by_run WHERE roots = 1)
               AND run_id NOT IN (SELECT run_id FROM walked_runs)
             UNION ALL
            SELECT project_id, run_id, first, 0, 0, 0, 1
              FROM started
             WHERE run_id NOT IN (SELECT run_id FROM by_run WHERE roots = 1)) AS event
     GROUP BY run_id, run_position
), ranged AS (
    SELECT run_id, min(project_id) AS project_id, min(scene_id) AS scene_id, range_agg(cover) AS stale,
           range_agg(waived) AS waived,
           coalesce(range_agg(direct) FILTER (WHERE root_kind = 0), '{}') AS superseded,
           coalesce(range_agg(direct) FILTER (WHERE root_kind = 1), '{}') AS unmatched,
           coalesce(range_agg(direct) FILTER (WHERE root_kind = 2), '{}') AS chain,
           coalesce(range_agg(cover - direct), '{}') AS derived
      FROM walked GROUP BY run_id
), totals AS MATERIALIZED (
    SELECT project_id, sum(stale) AS segments, count(DISTINCT scene_id) FILTER (WHERE stale > 0) AS scenes,
           sum(superseded) AS superseded, sum(chain) AS chain, sum(derived) AS derived, sum(unmatched) AS unmatched,
           sum(waived) AS waived
      FROM (SELECT project_id, scene_id, stale, superseded, chain, stale - superseded - chain AS derived,
                   0::bigint AS unmatched, 0::bigint AS waived
              FROM by_run WHERE roots = 1
             UNION ALL
            SELECT project_id, scene_id, stale, 0, 0, stale, 0, 0 FROM by_run WHERE roots > 1
             UNION ALL
            SELECT project_id, NULL, 0, sum(superseded), sum(chain), -count(*) FILTER (WHERE direct = begun), 0, 0
              FROM standing GROUP BY project_id
             UNION ALL
            SELECT w.project_id, w.scene_id, positions(w.stale), positions(w.superseded), positions(w.chain),
                   positions(w.derived), positions(w.unmatched),
                   positions(CASE WHEN r.unknown_from IS NULL THEN w.waived - w.stale
                                  ELSE w.waived - w.stale - int4multirange(int4range(r.unknown_from, r.length + 1))
                             END)
              FROM ranged w JOIN runs r ON r.run_id = w.run_id) AS run
     GROUP BY project_id
)"""

TALLY: LiteralString = causes_sql.OWN_OF_PROJECTS + causes_sql.WAIVED + causes_sql.WALKED + _BY_ROOT + _BY_RUN
"""``tally``, per run and root, and ``totals``, per project. Takes ``%(projects)s``. Of two worlds, the one after."""
