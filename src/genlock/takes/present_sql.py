"""The rows of the present: selected takes, what they were made from, how they are linked.

A row is rewritten only where it differs: untouched means untouched.
"""

from collections.abc import Sequence

from genlock.db.connection import Conn, execute, many, rows
from genlock.model import Actor
from genlock.takes.chain import Link, Run, Slot


async def choose(conn: Conn, segment_ids: Sequence[int], take_ids: Sequence[int], actor: Actor) -> list[int]:
    """Put takes in the cut and log it; the segments whose selected take changed. Their scenes are locked.

    A new row stands alone in a run of its own until ``link`` settles the scene.
    """
    changed = await rows(
        conn,
        """
        WITH wanted AS (
            SELECT w.segment_id, w.take_id, was.take_id AS previous_take_id, g.project_id, g.scene_id,
                   r.id AS receipt_id,
                   cardinality(r.missing) > 0 OR r.evidence IN ('matched_by_name', 'declared') AS unknown,
                   r.workload_id
              FROM unnest(%(segments)s::bigint[], %(takes)s::bigint[]) AS w (segment_id, take_id)
              JOIN segments g ON g.id = w.segment_id
              JOIN receipts r ON r.take_id = w.take_id
              LEFT JOIN selected_takes was ON was.segment_id = w.segment_id
             WHERE was.take_id IS DISTINCT FROM w.take_id
        ), logged AS (
            INSERT INTO selections (segment_id, take_id, previous_take_id, actor)
            SELECT segment_id, take_id, previous_take_id, %(actor)s FROM wanted
        )
        INSERT INTO selected_takes AS t (segment_id, project_id, scene_id, take_id, receipt_id, unknown, seed_digest,
                                         seed_part, seed_take_id, via_judged, run_id, run_position, workload_id)
        SELECT w.segment_id, w.project_id, w.scene_id, w.take_id, w.receipt_id, w.unknown, i.digest, i.part, i.take_id,
               true, w.segment_id, 1, w.workload_id
          FROM wanted w
          LEFT JOIN receipt_inputs i ON i.receipt_id = w.receipt_id AND i.role = 'seed_frame' AND i.ordinal = (
               SELECT min(ordinal) FROM receipt_inputs f WHERE f.receipt_id = w.receipt_id AND f.role = 'seed_frame')
        ON CONFLICT (segment_id) DO UPDATE
           SET take_id = excluded.take_id, receipt_id = excluded.receipt_id, unknown = excluded.unknown,
               seed_digest = excluded.seed_digest, seed_part = excluded.seed_part,
               seed_take_id = excluded.seed_take_id, workload_id = excluded.workload_id
        RETURNING t.segment_id
        """,
        segments=list(segment_ids),
        takes=list(take_ids),
        actor=actor.name,
    )
    return [row["segment_id"] for row in changed]


async def withdraw(conn: Conn, segment_ids: Sequence[int]) -> None:
    """Take segments out of the present, when they are archived; what was made stays in history."""
    await execute(
        conn,
        """
        WITH inputs AS (
            DELETE FROM current_inputs WHERE segment_id = ANY(%(segments)s) RETURNING content_id, project_id
        ), links AS (
            DELETE FROM broken_links WHERE segment_id = ANY(%(segments)s)
        ), present AS (
            DELETE FROM selected_takes WHERE segment_id = ANY(%(segments)s)
        )
        INSERT INTO usage_deltas (content_id, project_id, takes, selected)
        SELECT content_id, project_id, 0, -count(*) FROM inputs GROUP BY 1, 2
        """,
        segments=list(segment_ids),
    )


async def bring_back(conn: Conn, segment_ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """For restored segments, the take that was in the cut last: (segments, takes)."""
    found = await rows(
        conn,
        """
        SELECT DISTINCT ON (segment_id) segment_id, take_id
          FROM selections WHERE segment_id = ANY(%(segments)s)
         ORDER BY segment_id, id DESC
        """,
        segments=list(segment_ids),
    )
    return [row["segment_id"] for row in found], [row["take_id"] for row in found]


async def slots_of(conn: Conn, scene_ids: Sequence[int]) -> tuple[Slot, ...]:
    """The selected takes of some scenes in order, each with what stands before it."""
    return await many(
        conn,
        Slot,
        """
        WITH ordered AS (
            SELECT g.id, g.scene_id, g.project_id, g.position, g.chained, t.receipt_id, t.seed_digest, t.seed_part,
                   t.seed_take_id, t.unknown, t.workload_id, lag(g.id) OVER scene AS before_id,
                   lag(t.receipt_id) OVER scene AS before_receipt_id
              FROM segments g LEFT JOIN selected_takes t ON t.segment_id = g.id
             WHERE g.scene_id = ANY(%(scenes)s) AND g.position IS NOT NULL
            WINDOW scene AS (PARTITION BY g.scene_id ORDER BY g.position)
        )
        SELECT o.id AS segment_id, o.scene_id, o.project_id, o.chained, o.unknown, o.workload_id, o.seed_digest,
               frame.segment_id AS seed_segment_id, o.before_id, o.before_receipt_id IS NOT NULL AS before_selected,
               there.digest AS before_digest
          FROM ordered o
          LEFT JOIN takes frame ON frame.id = o.seed_take_id
          LEFT JOIN receipt_outputs there ON there.receipt_id = o.before_receipt_id AND there.part = o.seed_part
         WHERE o.receipt_id IS NOT NULL
         ORDER BY o.scene_id, o.position
        """,
        scenes=list(scene_ids),
    )


async def write_links(conn: Conn, scene_ids: Sequence[int], links: Sequence[Link]) -> list[int]:
    """Keep where slots stand, touching only rows that differ; the segments whose judged inputs changed with it."""
    changed = await rows(
        conn,
        """
        WITH place AS (
            SELECT * FROM unnest(%(segments)s::bigint[], %(runs)s::bigint[], %(positions)s::int[], %(judged)s::bool[],
                                 %(used)s::bytea[], %(expected)s::bytea[])
                       AS p (segment_id, run_id, run_position, via_judged, used_digest, expected_digest)
        ), mended AS (
            DELETE FROM broken_links b USING place p
             WHERE b.segment_id = p.segment_id AND p.used_digest IS NULL
        ), broken AS (
            INSERT INTO broken_links AS b (segment_id, project_id, used_digest, expected_digest)
            SELECT p.segment_id, t.project_id, p.used_digest, p.expected_digest
              FROM place p JOIN selected_takes t ON t.segment_id = p.segment_id
             WHERE p.used_digest IS NOT NULL
            ON CONFLICT (segment_id) DO UPDATE
               SET used_digest = excluded.used_digest, expected_digest = excluded.expected_digest
             WHERE (b.used_digest, b.expected_digest) IS DISTINCT FROM (excluded.used_digest, excluded.expected_digest)
        ), before AS (
            SELECT t.segment_id, t.via_judged FROM selected_takes t JOIN place p ON p.segment_id = t.segment_id
        ), moved AS (
            UPDATE selected_takes t
               SET run_id = p.run_id, run_position = p.run_position, via_judged = p.via_judged
              FROM place p
             WHERE t.segment_id = p.segment_id
               AND (t.run_id, t.run_position, t.via_judged) IS DISTINCT FROM (p.run_id, p.run_position, p.via_judged)
            RETURNING t.segment_id, t.via_judged
        )
        SELECT moved.segment_id FROM moved JOIN before USING (segment_id) WHERE moved.via_judged <> before.via_judged
        """,
        scenes=list(scene_ids),
        segments=[link.segment_id for link in links],
        runs=[link.run_id for link in links],
        positions=[link.run_position for link in links],
        judged=[link.via_judged for link in links],
        used=[link.broken and link.broken[0] for link in links],
        expected=[link.broken and link.broken[1] for link in links],
    )
    return [row["segment_id"] for row in changed]


async def write_runs(conn: Conn, scene_ids: Sequence[int], found: Sequence[Run]) -> None:
    """Keep the runs of some scenes, touching only rows that differ."""
    await execute(
        conn,
        """
        WITH run AS (
            SELECT * FROM unnest(%(runs)s::bigint[], %(projects)s::bigint[], %(run_scenes)s::bigint[],
                                 %(lengths)s::int[], %(unknown)s::int[], %(workloads)s::int[])
                       AS r (run_id, project_id, scene_id, length, unknown_from, workload_id)
        ), gone AS (
            DELETE FROM runs WHERE scene_id = ANY(%(scenes)s) AND run_id <> ALL(%(runs)s::bigint[])
        )
        INSERT INTO runs AS r (run_id, project_id, scene_id, length, unknown_from, workload_id)
        SELECT run_id, project_id, scene_id, length, unknown_from, workload_id FROM run
        ON CONFLICT (run_id) DO UPDATE
           SET length = excluded.length, unknown_from = excluded.unknown_from, workload_id = excluded.workload_id
         WHERE (r.length, r.unknown_from, r.workload_id)
               IS DISTINCT FROM (excluded.length, excluded.unknown_from, excluded.workload_id)
        """,
        scenes=list(scene_ids),
        runs=[run.run_id for run in found],
        projects=[run.project_id for run in found],
        run_scenes=[run.scene_id for run in found],
        lengths=[run.length for run in found],
        unknown=[run.unknown_from for run in found],
        workloads=[run.workload_id for run in found],
    )


async def write_inputs(conn: Conn, segment_ids: Sequence[int]) -> None:
    """Keep what selected takes were made from, one row per content, and count the difference."""
    await execute(
        conn,
        """
        WITH wanted AS (
            SELECT i.content_id, t.project_id, t.segment_id,
                   bool_or(i.via IS NULL OR (i.via = 'seed_frame' AND t.via_judged)) AS judged
              FROM selected_takes t JOIN receipt_inputs i ON i.receipt_id = t.receipt_id
             WHERE t.segment_id = ANY(%(segments)s) AND i.content_id IS NOT NULL
             GROUP BY 1, 2, 3
        ), gone AS (
            DELETE FROM current_inputs c
             WHERE c.segment_id = ANY(%(segments)s)
               AND NOT EXISTS (SELECT FROM wanted w WHERE w.segment_id = c.segment_id AND w.content_id = c.content_id)
            RETURNING c.content_id, c.project_id
        ), kept AS (
            INSERT INTO current_inputs AS c (content_id, project_id, segment_id, judged)
            SELECT content_id, project_id, segment_id, judged FROM wanted
            ON CONFLICT (content_id, project_id, segment_id) DO UPDATE SET judged = excluded.judged
             WHERE c.judged <> excluded.judged
            RETURNING c.content_id, c.project_id, (xmax = 0) AS is_new
        )
        INSERT INTO usage_deltas (content_id, project_id, takes, selected)
        SELECT content_id, project_id, 0, sum(n)
          FROM (SELECT content_id, project_id, -1 AS n FROM gone
                UNION ALL
                SELECT content_id, project_id, 1 FROM kept WHERE is_new) AS change
         GROUP BY content_id, project_id
        HAVING sum(n) <> 0
        """,
        segments=list(segment_ids),
    )
