"""The one place where causes come from: fragments that every question about staleness begins with.

    outdated contents ─┐                       plain runs: from the first own cause to the run's end
    unmatched contents ├─▶ own ─▶ spread ──▶   runs with waivers: up to the first waiver, or the next own cause
    broken links      ─┘                       = per (run, root): which positions are covered, directly, waived

A segment has a cause exactly when its position in its run is covered. So closure along chains is arithmetic on
ranges, and a count, a list and a marker cannot disagree: they read the same ranges.

Every query built of these fragments takes ``%(projects)s``, of single runs also ``%(runs)s``; those that ask what would
be take the arrays of ``WHAT_IF``. Root kinds: 0 an asset's version, 1 unmatched, 2 a chain link; the expected
version is part of what makes two roots the same only for kind 0.
"""

from typing import LiteralString

ASSET, UNMATCHED, CHAIN = 0, 1, 2

# From what the projects ever used to what of that is out of date: a small project does not pass what others use, and
# a large one does not pass what it has that is up to date. Digests stay behind; ``bound`` brings them where they count.
_USED: LiteralString = """
, scoped AS MATERIALIZED (
    SELECT id, project_id, scene_id FROM scopes WHERE project_id = ANY(%(projects)s::bigint[])
), used AS MATERIALIZED (
    SELECT project_id, content_id FROM usage_counts WHERE project_id = ANY(%(projects)s::bigint[]) AND content_id > 0
     UNION
    SELECT project_id, content_id FROM usage_deltas WHERE project_id = ANY(%(projects)s::bigint[]) AND content_id > 0
), moved AS MATERIALIZED (
    SELECT u.project_id, o.content_id, o.scope_id, o.direct, o.root_asset_id, o.root_used, o.root_expected, o.world
      FROM used u"""

# OFFSET 0: looked up by index, content by content, whatever the planner expects to find.
_LOOKED_UP: LiteralString = """
     CROSS JOIN LATERAL (SELECT * FROM kept WHERE content_id = u.content_id OFFSET 0) AS o
     WHERE o.scope_id = 0 OR o.scope_id IN (SELECT id FROM scoped)"""

_AND_INSTEAD: LiteralString = """
     UNION ALL
    SELECT p.project_id, o.content_id, o.scope_id, o.direct, o.root_asset_id, o.root_used, o.root_expected, o.world
      FROM instead o
     CROSS JOIN LATERAL (
           SELECT project_id FROM usage_counts
            WHERE content_id = o.content_id AND project_id = ANY(%(projects)s::bigint[])
            UNION
           SELECT project_id FROM usage_deltas
            WHERE content_id = o.content_id AND project_id = ANY(%(projects)s::bigint[])
           OFFSET 0) AS p
     WHERE o.scope_id = 0 OR o.scope_id IN (SELECT id FROM scoped)"""

_KEPT: LiteralString = """
WITH kept AS NOT MATERIALIZED (
    SELECT scope_id, content_id, kind = 'superseded' AS direct, root_asset_id, root_used, root_expected,
           root_used_digest, root_expected_digest, 0 AS world
      FROM outdated_contents"""

_AS_IT_IS: LiteralString = """
), outdated AS NOT MATERIALIZED (
    SELECT * FROM kept
), would_be AS (
    SELECT 0::bigint AS asset_id, 0 AS number WHERE false
)"""

NOW: LiteralString = _KEPT + _AS_IT_IS + _USED + _LOOKED_UP + ")"

_ASKED: LiteralString = """
WITH asked AS MATERIALIZED (
    SELECT project_id, run_id, max(run_position) AS upto FROM selected_takes
     WHERE segment_id = ANY(%(segments)s::bigint[])
     GROUP BY project_id, run_id
)
,"""

NOW_OF_SEGMENTS: LiteralString = _ASKED + NOW.replace("WITH", "", 1).replace(
    "%(projects)s::bigint[]", "ARRAY(SELECT project_id FROM asked)"
)
"""What is out of date, for questions about ``%(segments)s`` that find projects and runs themselves."""

_AFTER: LiteralString = """
    SELECT scope_id, content_id, kind = 'superseded' AS direct, root_asset_id, root_used, root_expected,
           used AS root_used_digest, expected AS root_expected_digest, 2 AS world
      FROM unnest(%(scopes)s::bigint[], %(contents)s::bigint[], %(kinds)s::text[], %(root_assets)s::bigint[],
                  %(root_used)s::int[], %(root_expected)s::int[], %(used)s::bytea[], %(expected)s::bytea[])
        AS o (scope_id, content_id, kind, root_asset_id, root_used, root_expected, used, expected)
"""

_BEFORE: LiteralString = _AFTER.replace("%(", "%(before_").replace("2 AS world", "1 AS world")

_WITHOUT_REPLACED: LiteralString = """
     WHERE asset_id <> ALL(%(replaced)s::bigint[])
), instead AS MATERIALIZED ("""

_WITH_INSTEAD: LiteralString = """
), outdated AS NOT MATERIALIZED (
    SELECT * FROM kept UNION ALL SELECT * FROM instead
), would_be AS (
    SELECT * FROM unnest(%(activated)s::bigint[], %(activated_numbers)s::int[]) AS a (asset_id, number)
)"""

_IF: LiteralString = _WITH_INSTEAD + _USED + _LOOKED_UP + _AND_INSTEAD + ")"

WHAT_IF: LiteralString = _KEPT + _WITHOUT_REPLACED + _AFTER + _IF
"""What would be out of date: the replaced assets' contents from arrays, all others as they are."""

TWO_WORLDS: LiteralString = _KEPT + _WITHOUT_REPLACED + _BEFORE + "     UNION ALL" + _AFTER + _IF
"""Two worlds at once: ``world`` is 1 for what is so only before, 2 only after, 0 in both."""

# What an asset's users should use: by pin of the scene, of the project, or what is active, or would be.
_EXPECTED: LiteralString = """coalesce(of_scene.number, of_project.number,
                    (SELECT number FROM would_be WHERE asset_id = a.id), a.active_version)"""

# A scene's own pins, else its project's, else none.
_SCOPE: LiteralString = "coalesce(of_scene.id, of_project.id, 0)"

UNMATCHED_OF_PROJECTS: LiteralString = (
    """
, unmatched AS MATERIALIZED (
    SELECT i.project_id, i.scene_id, i.run_id, i.run_position, i.segment_id, 1 AS root_kind,
           c.asset_id AS root_asset, 0 AS root_used,
           """
    + _EXPECTED
    + """ AS root_expected, true AS direct,
           c.digest AS used, should_be.effective_digest AS expected, c.id AS content_id, NULL::bigint AS scope_id,
           0 AS world
      FROM used u
      JOIN contents c ON c.id = u.content_id
      JOIN current_inputs i ON i.content_id = c.id AND i.project_id = u.project_id AND i.judged
      JOIN assets a ON a.id = c.asset_id
      LEFT JOIN pins of_scene ON of_scene.project_id = i.project_id AND of_scene.scene_id = i.scene_id
                             AND of_scene.asset_id = a.id
      LEFT JOIN pins of_project ON of_project.project_id = i.project_id AND of_project.scene_id IS NULL
                               AND of_project.asset_id = a.id
      LEFT JOIN contents should_be ON should_be.asset_id = a.id
            AND should_be.version = """
    + _EXPECTED
    + """
     WHERE c.version IS NULL
)"""
)

OWN_OF_PROJECTS: LiteralString = (
    UNMATCHED_OF_PROJECTS
    + """
, own AS MATERIALIZED (
    SELECT i.project_id, i.scene_id, i.run_id, i.run_position, i.segment_id, 0 AS root_kind,
           o.root_asset_id AS root_asset, o.root_used, o.root_expected, o.direct,
           NULL::bytea AS used, NULL::bytea AS expected, i.content_id, o.scope_id, o.world
      FROM moved o
     CROSS JOIN LATERAL (
           -- OFFSET 0: looked up by index, content by content, whatever the planner expects to find.
           SELECT project_id, scene_id, run_id, run_position, segment_id, content_id
             FROM current_inputs
            WHERE content_id = o.content_id AND project_id = o.project_id AND judged
           OFFSET 0) AS i
      LEFT JOIN scoped of_scene ON of_scene.scene_id = i.scene_id
      LEFT JOIN scoped of_project ON of_project.project_id = i.project_id AND of_project.scene_id IS NULL
     WHERE o.scope_id = """
    + _SCOPE
    + """
     UNION ALL
    SELECT * FROM unmatched
     UNION ALL
    SELECT t.project_id, t.scene_id, t.run_id, t.run_position, t.segment_id, 2, 0, 0, 0, true,
           b.used_digest, b.expected_digest, NULL, NULL, 0
      FROM broken_links b
      JOIN selected_takes t ON t.segment_id = b.segment_id
     WHERE b.project_id = ANY(%(projects)s::bigint[])
)"""
)

_HERE: LiteralString = (
    """
, here AS (
    SELECT t.project_id, t.scene_id, t.run_id, t.run_position, t.segment_id, """
    + _SCOPE
    + """ AS scope_id
      FROM ({}) AS t
      LEFT JOIN scoped of_scene ON of_scene.scene_id = t.scene_id
      LEFT JOIN scoped of_project ON of_project.project_id = t.project_id AND of_project.scene_id IS NULL
)"""
)

_OF_RUNS: LiteralString = _HERE.format("""
           SELECT project_id, scene_id, run_id, run_position, segment_id FROM selected_takes
            WHERE run_id = ANY(%(runs)s::bigint[]) AND project_id = ANY(%(projects)s::bigint[])""")

# What begins behind the last segment that is asked for does not matter to any.
_OF_SEGMENTS: LiteralString = _HERE.format("""
           SELECT asked.project_id, one.scene_id, asked.run_id, one.run_position, one.segment_id
             FROM asked
            CROSS JOIN LATERAL (SELECT scene_id, run_position, segment_id FROM selected_takes
                                 WHERE run_id = asked.run_id AND run_position <= asked.upto OFFSET 0) AS one""")

_OWN_OF_RUNS: LiteralString = (
    """
, made_of AS MATERIALIZED (
    SELECT h.project_id, h.scene_id, h.run_id, h.run_position, h.segment_id, h.scope_id, i.content_id
      FROM here h
     CROSS JOIN LATERAL (SELECT content_id FROM current_inputs WHERE segment_id = h.segment_id AND judged
                         OFFSET 0) AS i
), content AS MATERIALIZED (
    -- Each is looked up once, however many segments were made from it.
    SELECT DISTINCT content_id, scope_id FROM made_of
), outdated_here AS MATERIALIZED (
    SELECT o.* FROM content m
     CROSS JOIN LATERAL (SELECT * FROM outdated WHERE content_id = m.content_id AND scope_id = m.scope_id
                         OFFSET 0) AS o
), unmatched_here AS MATERIALIZED (
    SELECT c.*, m.scope_id FROM content m
     CROSS JOIN LATERAL (SELECT id, asset_id, digest FROM contents WHERE id = m.content_id AND version IS NULL
                         OFFSET 0) AS c
), own AS (
    SELECT h.project_id, h.scene_id, h.run_id, h.run_position, h.segment_id, 0 AS root_kind,
           o.root_asset_id AS root_asset, o.root_used, o.root_expected, o.direct,
           o.root_used_digest AS used, o.root_expected_digest AS expected, h.content_id, h.scope_id, o.world
      FROM outdated_here o
      JOIN made_of h ON h.content_id = o.content_id AND h.scope_id = o.scope_id
     UNION ALL
    SELECT h.project_id, h.scene_id, h.run_id, h.run_position, h.segment_id, 1, c.asset_id, 0,
           """
    + _EXPECTED
    + """, true,
           c.digest, should_be.effective_digest, c.id, h.scope_id, 0
      FROM unmatched_here c
      JOIN made_of h ON h.content_id = c.id AND h.scope_id = c.scope_id
      JOIN assets a ON a.id = c.asset_id
      LEFT JOIN pins of_scene ON of_scene.project_id = h.project_id AND of_scene.scene_id = h.scene_id
                             AND of_scene.asset_id = a.id
      LEFT JOIN pins of_project ON of_project.project_id = h.project_id AND of_project.scene_id IS NULL
                               AND of_project.asset_id = a.id
      LEFT JOIN contents should_be ON should_be.asset_id = a.id
            AND should_be.version = """
    + _EXPECTED
    + """
     UNION ALL
    SELECT h.project_id, h.scene_id, h.run_id, h.run_position, h.segment_id, 2, 0, 0, 0, true,
           b.used_digest, b.expected_digest, NULL, h.scope_id, 0
      FROM here h JOIN broken_links b ON b.segment_id = h.segment_id
), unmatched AS (
    SELECT run_id FROM own WHERE root_kind = 1
)"""
)

# The waivers of segments ``t`` that count now.
_WAIVERS: LiteralString = """
, waived_at AS MATERIALIZED (
    SELECT w.id, w.segment_id, t.run_id, t.run_position, coalesce(w.asset_id, 0) AS root_asset, w.used_digest AS used,
           w.expected_digest AS expected
      FROM {} t JOIN waivers w ON w.segment_id = t.segment_id
     WHERE {} AND w.withdrawn_at IS NULL
       AND (w.expires_at IS NULL OR w.expires_at > now())
), walked_runs AS MATERIALIZED (
    -- One take may use several unmatched contents of an asset: they are one root, and not added up.
    SELECT run_id FROM waived_at UNION SELECT run_id FROM unmatched
)"""

WALKED_RUNS: LiteralString = _WAIVERS.format("selected_takes", "w.project_id = ANY(%(projects)s::bigint[])")
"""Waivers of whole projects, and the runs that are walked because of them."""

# Of single runs: by segment, and only where something may be waived.
_WALKED_OF_RUNS: LiteralString = _WAIVERS.format("here", "t.run_id IN (SELECT run_id FROM own)")

# And own causes with the digests that a waiver is bound to.
_BOUND: LiteralString = """
, bound AS (
    SELECT o.project_id, o.scene_id, o.run_id, o.run_position, o.segment_id, o.root_kind, o.root_asset, o.root_used,
           o.root_expected, o.direct, coalesce(o.used, d.root_used_digest) AS used,
           coalesce(o.expected, d.root_expected_digest) AS expected, o.content_id
      FROM own o
      LEFT JOIN LATERAL (
           SELECT root_used_digest, root_expected_digest FROM outdated
            WHERE o.used IS NULL AND content_id = o.content_id AND scope_id = o.scope_id
              AND root_asset_id = o.root_asset AND root_used = o.root_used AND root_expected = o.root_expected
              AND world <> 1
           OFFSET 0) AS d ON true
     WHERE o.world <> 1
)"""

_PLAIN: LiteralString = """
, plain AS (
    -- No waiver: a root covers everything from its first own cause to the end of the run.
    SELECT o.project_id, o.scene_id, o.run_id, o.root_kind, o.root_asset, o.root_used, o.root_expected,
           int4multirange(int4range(min(o.run_position), r.length + 1)) AS cover,
           coalesce(range_agg(int4range(o.run_position, o.run_position + 1)) FILTER (WHERE o.direct), '{}') AS direct,
           '{}'::int4multirange AS waived
      FROM own o JOIN runs r ON r.run_id = o.run_id
     WHERE o.run_id NOT IN (SELECT run_id FROM walked_runs)
     GROUP BY o.project_id, o.scene_id, o.run_id, o.root_kind, o.root_asset, o.root_used, o.root_expected, r.length
)"""

_WALKED: LiteralString = """
, instance AS (
    -- Waivers: each own cause by itself, with the digests that a waiver is bound to.
    SELECT o.project_id, o.scene_id, o.run_id, o.run_position, o.root_kind, o.root_asset, o.root_used,
           o.root_expected, o.direct, o.used, o.expected,
           EXISTS (SELECT FROM waived_at w WHERE w.segment_id = o.segment_id AND w.root_asset = o.root_asset
                                             AND w.used = o.used AND w.expected = o.expected) AS waived
      FROM bound o
     WHERE (o.run_id IN (SELECT run_id FROM walked_runs)) IS TRUE  -- hashed: never a nested loop over guesses
), occurrence AS (
    SELECT i.project_id, i.scene_id, i.run_id, i.run_position, i.root_kind, i.root_asset, i.root_used, i.root_expected,
           bool_or(i.direct AND NOT i.waived) AS direct, bool_and(i.waived) AS waived,
           bool_or(i.waived) AS partly_waived,
           (array_agg(i.used ORDER BY i.waived, i.used))[1] AS used,
           (array_agg(i.expected ORDER BY i.waived, i.used))[1] AS expected,
           lead(i.run_position) OVER (PARTITION BY i.run_id, i.root_kind, i.root_asset, i.root_used, i.root_expected
                                      ORDER BY i.run_position) AS next
      FROM instance i
     GROUP BY i.project_id, i.scene_id, i.run_id, i.run_position, i.root_kind, i.root_asset, i.root_used,
              i.root_expected
), stopped AS MATERIALIZED (
    SELECT o.*, coalesce(o.next, r.length + 1) AS until,
           (SELECT min(w.run_position) FROM waived_at w
             WHERE w.run_id = o.run_id AND w.run_position > o.run_position
               AND w.run_position < coalesce(o.next, r.length + 1)
               AND w.root_asset = o.root_asset AND w.used = o.used AND w.expected = o.expected) AS stop
      FROM occurrence o JOIN runs r ON r.run_id = o.run_id
), walked AS MATERIALIZED (
    SELECT project_id, scene_id, run_id, root_kind, root_asset, root_used, root_expected,
           coalesce(range_agg(int4range(run_position, coalesce(stop, until))) FILTER (WHERE NOT waived), '{}') AS cover,
           coalesce(range_agg(int4range(run_position, run_position + 1)) FILTER (WHERE direct), '{}') AS direct,
           coalesce(range_agg(int4range(run_position, run_position + 1)) FILTER (WHERE waived OR partly_waived), '{}')
           + coalesce(range_agg(int4range(stop, stop + 1)) FILTER (WHERE NOT waived AND stop IS NOT NULL), '{}')
           AS waived
      FROM stopped
     GROUP BY project_id, scene_id, run_id, root_kind, root_asset, root_used, root_expected
)"""

_SPREAD: LiteralString = """
, spread AS (
    SELECT project_id, scene_id, run_id, root_kind, root_asset, root_used, root_expected, cover, direct, waived
      FROM plain
     UNION ALL
    SELECT project_id, scene_id, run_id, root_kind, root_asset, root_used, root_expected, cover, direct, waived
      FROM walked
)"""

_JUDGED_ONES: LiteralString = """
, covered AS (
    SELECT project_id, scene_id, run_id, range_agg(cover) AS stale, range_agg(waived) AS waived FROM spread
     GROUP BY project_id, scene_id, run_id
), judged AS (
    SELECT r.project_id, r.scene_id, r.run_id, r.length, c.stale,
           CASE WHEN r.unknown_from IS NULL THEN '{}'
                ELSE int4multirange(int4range(r.unknown_from, r.length + 1)) - c.stale END AS unknown,
           CASE WHEN r.unknown_from IS NULL THEN c.waived - c.stale
                ELSE c.waived - c.stale - int4multirange(int4range(r.unknown_from, r.length + 1)) END AS waived
      FROM covered c JOIN runs r ON r.run_id = c.run_id
     UNION ALL
    SELECT r.project_id, r.scene_id, r.run_id, r.length, '{}',
           int4multirange(int4range(r.unknown_from, r.length + 1)), '{}'
      FROM runs r
     WHERE r.unknown_from IS NOT NULL AND r.run_id NOT IN (SELECT run_id FROM covered)"""

OF_PROJECTS: LiteralString = OWN_OF_PROJECTS + WALKED_RUNS + _BOUND + _PLAIN + _WALKED + _SPREAD
"""``own``, ``bound`` (the same with digests) and ``spread`` of whole projects."""

_SPREAD_OF_RUNS: LiteralString = _OWN_OF_RUNS + _WALKED_OF_RUNS + _BOUND + _PLAIN + _WALKED + _SPREAD

OF_RUNS: LiteralString = _OF_RUNS + _SPREAD_OF_RUNS
"""``own`` and ``spread`` of single runs."""

OF_SEGMENTS: LiteralString = _OF_SEGMENTS + _SPREAD_OF_RUNS
"""The same, after ``NOW_OF_SEGMENTS``, of the runs of ``%(segments)s``, each up to the last of them."""

JUDGED: LiteralString = _JUDGED_ONES + " AND r.project_id = ANY(%(projects)s::bigint[]))"
"""After ``OF_PROJECTS``: ``judged``, per run which positions are stale, unknown and waived; all others are fresh."""

JUDGED_RUNS: LiteralString = _JUDGED_ONES + " AND r.run_id = ANY(%(runs)s::bigint[]))"
"""The same after ``OF_RUNS``: none but these runs are passed, however many their projects have."""

JUDGED_SEGMENTS: LiteralString = _JUDGED_ONES + " AND r.run_id = ANY(ARRAY(SELECT run_id FROM asked)))"
"""The same after ``OF_SEGMENTS``."""
