"""Queries of the current state: selected takes, their inputs, and the links of their segments.

A row is rewritten only where it differs: untouched segments keep their rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from genlock.db.connection import Conn, execute, rows
from genlock.db.tables import table
from genlock.model import Actor
from genlock.takes.chain import Link, Member, Run, Slot


async def segments_to_change(conn: Conn, takes: Mapping[int, int]) -> list[int]:
    """Return the segments whose selected take is not the given one."""
    result = await rows(
        conn,
        """
        SELECT w.segment_id
          FROM unnest(%(segments)s::bigint[], %(takes)s::bigint[]) AS w (segment_id, take_id)
         WHERE NOT EXISTS (SELECT FROM selected_takes t WHERE t.segment_id = w.segment_id AND t.take_id = w.take_id)
        """,
        segments=list(takes),
        takes=list(takes.values()),
    )
    return [row["segment_id"] for row in result]


async def select_takes(conn: Conn, takes: Mapping[int, int], actor: Actor | None) -> None:
    """Select takes (by segment id) and log it; nothing is logged without an actor. Their scenes must be locked."""
    await execute(
        conn,
        """
        WITH selecting AS (
            SELECT w.segment_id, w.take_id, was.take_id AS previous_take_id, g.project_id, g.scene_id,
                   r.id AS receipt_id, take_is_unknown(r.id, r.missing, r.evidence) AS unknown,
                   r.workload_id, i.digest AS seed_digest, i.part AS seed_part, i.take_id AS seed_take_id
              FROM json_to_recordset(%(selections)s) AS w (segment_id bigint, take_id bigint)
              JOIN segments g ON g.id = w.segment_id
              JOIN receipts r ON r.take_id = w.take_id
              LEFT JOIN selected_takes was ON was.segment_id = w.segment_id
              LEFT JOIN receipt_inputs i ON i.receipt_id = r.id AND i.role = 'seed_frame' AND i.ordinal = (
                   SELECT min(ordinal) FROM receipt_inputs f WHERE f.receipt_id = r.id AND f.role = 'seed_frame')
             WHERE was.take_id IS DISTINCT FROM w.take_id
        ), logged AS (
            INSERT INTO selections (segment_id, take_id, previous_take_id, actor)
            SELECT segment_id, take_id, previous_take_id, %(actor)s FROM selecting WHERE %(actor)s::text IS NOT NULL
        )
        -- A new row is the only one of its run until its scene is linked again; other columns stay until then.
        INSERT INTO selected_takes (segment_id, project_id, scene_id, take_id, receipt_id, unknown, seed_digest,
                                    seed_part, seed_take_id, workload_id, via_judged, run_id, run_position)
        SELECT segment_id, project_id, scene_id, take_id, receipt_id, unknown, seed_digest, seed_part, seed_take_id,
               workload_id, true, segment_id, 1
          FROM selecting
        ON CONFLICT (segment_id) DO UPDATE
           SET take_id = excluded.take_id, receipt_id = excluded.receipt_id, unknown = excluded.unknown,
               seed_digest = excluded.seed_digest, seed_part = excluded.seed_part,
               seed_take_id = excluded.seed_take_id, workload_id = excluded.workload_id
        """,
        selections=table([{"segment_id": segment, "take_id": take} for segment, take in takes.items()]),
        actor=actor and actor.name,
    )


async def withdraw(conn: Conn, segment_ids: Sequence[int]) -> None:
    """Remove archived segments from the current state; history is kept."""
    await write_inputs(conn, dict.fromkeys(segment_ids))
    await execute(
        conn,
        """
        WITH links AS (
            DELETE FROM broken_links WHERE segment_id = ANY(%(segments)s)
        )
        DELETE FROM selected_takes WHERE segment_id = ANY(%(segments)s)
        """,
        segments=list(segment_ids),
    )


async def withdraw_scenes(conn: Conn, scene_ids: Sequence[int]) -> None:
    """Remove scenes from the current state."""
    await execute(
        conn,
        """
        WITH present AS (
            DELETE FROM selected_takes WHERE scene_id = ANY(%(scenes)s) RETURNING segment_id
        ), run AS (
            DELETE FROM runs r USING scenes s
             WHERE s.id = ANY(%(scenes)s) AND r.project_id = s.project_id AND r.scene_id = s.id
        ), link AS (
            DELETE FROM broken_links b USING present p WHERE b.segment_id = p.segment_id
        ), input AS (
            DELETE FROM current_inputs i USING present p WHERE i.segment_id = p.segment_id
            RETURNING i.content_id, i.project_id, i.segment_id
        )
        INSERT INTO usage_deltas (content_id, project_id, takes, selected)
        SELECT content_id, project_id, 0, -count(*) FROM input GROUP BY 1, 2
         UNION ALL
        SELECT -asset_id, project_id, 0, sum(contents - 1)
          FROM (SELECT c.asset_id, i.project_id, i.segment_id, count(*) AS contents
                  FROM input i JOIN contents c ON c.id = i.content_id
                 GROUP BY 1, 2, 3
                HAVING count(*) > 1) AS several
         GROUP BY 1, 2
        """,
        scenes=list(scene_ids),
    )


async def last_selected(conn: Conn, segment_ids: Sequence[int]) -> dict[int, int]:
    """Return the last selected take of each segment that had one."""
    result = await rows(
        conn,
        """
        SELECT g.id AS segment_id, last.take_id
          FROM unnest(%(segments)s::bigint[]) AS g (id)
         CROSS JOIN LATERAL (SELECT take_id FROM selections s WHERE s.segment_id = g.id ORDER BY s.id DESC LIMIT 1) last
        """,
        segments=list(segment_ids),
    )
    return {row["segment_id"]: row["take_id"] for row in result}


async def last_selected_in(conn: Conn, scene_ids: Sequence[int]) -> dict[int, int]:
    """Return the last selected take of each segment of some scenes that is not archived."""
    result = await rows(
        conn,
        """
        SELECT g.id AS segment_id, last.take_id
          FROM segments g
         CROSS JOIN LATERAL (SELECT take_id FROM selections s WHERE s.segment_id = g.id ORDER BY s.id DESC LIMIT 1) last
         WHERE g.scene_id = ANY(%(scenes)s) AND g.position IS NOT NULL
        """,
        scenes=list(scene_ids),
    )
    return {row["segment_id"]: row["take_id"] for row in result}


async def members_of(conn: Conn, scene_ids: Sequence[int]) -> list[Member]:
    """Return the selected takes of some scenes in order, each with the previous take and its stored link and run."""
    result = await rows(
        conn,
        """
        WITH ordered AS (
            SELECT g.id, g.scene_id, g.position, g.chained, t.receipt_id, lag(g.id) OVER scene AS before_id,
                   lag(t.receipt_id) OVER scene AS before_receipt_id
              FROM segments g LEFT JOIN selected_takes t ON t.segment_id = g.id
             WHERE g.scene_id = ANY(%(scenes)s) AND g.position IS NOT NULL
            WINDOW scene AS (PARTITION BY g.scene_id ORDER BY g.position)
        )
        SELECT t.segment_id, t.scene_id, t.project_id, o.chained, t.unknown, t.workload_id, t.seed_digest,
               frame.segment_id AS seed_segment_id, o.before_id, o.before_receipt_id IS NOT NULL AS before_selected,
               continued.digest AS before_digest, t.run_id, t.run_position, t.via_judged, b.used_digest,
               b.expected_digest, r.length, r.unknown_from, r.workload_id AS run_workload_id
          FROM ordered o
          JOIN selected_takes t ON t.segment_id = o.id
          LEFT JOIN takes frame ON frame.id = t.seed_take_id
          LEFT JOIN receipt_outputs continued
                 ON continued.receipt_id = o.before_receipt_id AND continued.part = t.seed_part
          LEFT JOIN broken_links b ON b.segment_id = o.id
          LEFT JOIN runs r ON r.run_id = t.run_id
         ORDER BY o.scene_id, o.position
        """,
        scenes=list(scene_ids),
    )
    return [_member(row) for row in result]


async def members_around(conn: Conn, segment_id: int) -> list[Member]:
    """Return the same for a segment and its neighbours, except those without a selected take."""
    result = await rows(
        conn,
        """
        SELECT t.segment_id, t.scene_id, t.project_id, g.chained, t.unknown, t.workload_id, t.seed_digest,
               frame.segment_id AS seed_segment_id, before.id AS before_id,
               was.receipt_id IS NOT NULL AS before_selected, there.digest AS before_digest,
               t.run_id, t.run_position, t.via_judged, b.used_digest, b.expected_digest,
               r.length, r.unknown_from, r.workload_id AS run_workload_id
          FROM segments me
          JOIN segments g ON g.scene_id = me.scene_id
           AND g.position IN (me.position - 1, me.position, me.position + 1)
          JOIN selected_takes t ON t.segment_id = g.id
          LEFT JOIN segments before ON before.scene_id = g.scene_id AND before.position = g.position - 1
          LEFT JOIN selected_takes was ON was.segment_id = before.id
          LEFT JOIN takes frame ON frame.id = t.seed_take_id
          LEFT JOIN receipt_outputs there ON there.receipt_id = was.receipt_id AND there.part = t.seed_part
          LEFT JOIN broken_links b ON b.segment_id = g.id
          LEFT JOIN runs r ON r.run_id = t.run_id
         WHERE me.id = %(segment_id)s
        """,
        segment_id=segment_id,
    )
    return [_member(row) for row in result]


def _member(row: Mapping[str, Any]) -> Member:
    run = None
    if row["length"]:
        run = Run(
            run_id=row["run_id"],
            project_id=row["project_id"],
            scene_id=row["scene_id"],
            length=row["length"],
            unknown_from=row["unknown_from"],
            workload_id=row["run_workload_id"],
        )
    return Member(
        Slot(
            segment_id=row["segment_id"],
            scene_id=row["scene_id"],
            project_id=row["project_id"],
            chained=row["chained"],
            unknown=row["unknown"],
            workload_id=row["workload_id"],
            seed_digest=row["seed_digest"],
            seed_segment_id=row["seed_segment_id"],
            before_id=row["before_id"],
            before_selected=row["before_selected"],
            before_digest=row["before_digest"],
        ),
        Link(
            segment_id=row["segment_id"],
            run_id=row["run_id"],
            run_position=row["run_position"],
            via_judged=row["via_judged"],
            broken=row["used_digest"] and (row["used_digest"], row["expected_digest"]),
        ),
        run,
    )


async def completed(conn: Conn, run: Run) -> Run:
    """Return a stored run with its ``unknown_from`` and ``workload_id`` recomputed from its members."""
    (row,) = await rows(
        conn,
        """
        SELECT min(run_position) FILTER (WHERE unknown) AS unknown_from,
               CASE WHEN count(DISTINCT coalesce(workload_id, 0)) = 1 THEN min(workload_id) END AS workload_id
          FROM selected_takes
         WHERE run_id = %(run_id)s
        """,
        run_id=run.run_id,
    )
    return replace(run, unknown_from=row["unknown_from"], workload_id=row["workload_id"])


async def write_links(conn: Conn, scene_ids: Sequence[int], links: Sequence[Link], runs: Sequence[Run]) -> None:
    """Store changed links, and the runs of some scenes where they differ."""
    await execute(
        conn,
        """
        WITH place AS (
            SELECT * FROM json_to_recordset(%(links)s)
                       AS p (segment_id bigint, run_id bigint, run_position int, via_judged bool, used_digest bytea,
                             expected_digest bytea)
        ), run AS (
            SELECT * FROM json_to_recordset(%(runs)s)
                       AS r (run_id bigint, project_id bigint, scene_id bigint, length int, unknown_from int,
                             workload_id int)
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
        ), relinked AS (
            UPDATE selected_takes t
               SET run_id = p.run_id, run_position = p.run_position, via_judged = p.via_judged
              FROM place p
             WHERE t.segment_id = p.segment_id
               AND (t.run_id, t.run_position, t.via_judged) IS DISTINCT FROM (p.run_id, p.run_position, p.via_judged)
        ), gone AS (
            DELETE FROM runs r USING scenes s
             WHERE s.id = ANY(%(scenes)s) AND r.project_id = s.project_id AND r.scene_id = s.id
               AND r.run_id NOT IN (SELECT run_id FROM run)
        )
        INSERT INTO runs AS r (run_id, project_id, scene_id, length, unknown_from, workload_id)
        SELECT run_id, project_id, scene_id, length, unknown_from, workload_id FROM run
        ON CONFLICT (run_id) DO UPDATE
           SET length = excluded.length, unknown_from = excluded.unknown_from, workload_id = excluded.workload_id
         WHERE (r.length, r.unknown_from, r.workload_id)
               IS DISTINCT FROM (excluded.length, excluded.unknown_from, excluded.workload_id)
        """,
        scenes=list(scene_ids),
        links=table([_link_row(link) for link in links]),
        runs=table([_run_row(run) for run in runs]),
    )


def _link_row(link: Link) -> dict[str, Any]:
    used, expected = link.broken or (None, None)
    return {
        "segment_id": link.segment_id,
        "run_id": link.run_id,
        "run_position": link.run_position,
        "via_judged": link.via_judged,
        "used_digest": used and f"\\x{used.hex()}",
        "expected_digest": expected and f"\\x{expected.hex()}",
    }


def _run_row(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "project_id": run.project_id,
        "scene_id": run.scene_id,
        "length": run.length,
        "unknown_from": run.unknown_from,
        "workload_id": run.workload_id,
    }


async def write_inputs(conn: Conn, judged: Mapping[int, bool | None]) -> None:
    """Store the inputs of the selected takes of segments, one row per content, and update the counts.

    ``judged`` states for each segment whether inputs recorded via its seed frame are judged; ``None`` leaves the
    segment without inputs.
    """
    await execute(
        conn,
        """
        WITH changed AS (
            SELECT * FROM json_to_recordset(%(judged)s) AS c (segment_id bigint, via_judged bool)
        ), wanted AS MATERIALIZED (
            SELECT i.content_id, t.project_id, t.segment_id, t.scene_id, t.run_id, t.run_position,
                   bool_or(i.via IS NULL OR (i.via = 'seed_frame' AND c.via_judged)) AS judged
              FROM changed c
              JOIN selected_takes t ON t.segment_id = c.segment_id
              JOIN resolved_inputs i ON i.receipt_id = t.receipt_id
             WHERE i.content_id IS NOT NULL AND c.via_judged IS NOT NULL
             GROUP BY 1, 2, 3, 4, 5, 6
        ), before AS MATERIALIZED (
            SELECT i.content_id, i.project_id, i.segment_id, i.run_id, i.run_position, i.judged
              FROM changed c JOIN current_inputs i ON i.segment_id = c.segment_id
        ), differs AS MATERIALIZED (
            SELECT content_id, project_id, segment_id, before.judged AS was, wanted.judged AS now, wanted.scene_id,
                   wanted.run_id, wanted.run_position,
                   (before.run_id, before.run_position) IS DISTINCT FROM (wanted.run_id, wanted.run_position) AS moved
              FROM before FULL JOIN wanted USING (content_id, project_id, segment_id)
        ), gone AS (
            DELETE FROM current_inputs i USING differs d
             WHERE d.now IS NULL
               AND (i.content_id, i.project_id, i.segment_id) = (d.content_id, d.project_id, d.segment_id)
        ), kept AS (
            INSERT INTO current_inputs (content_id, project_id, segment_id, scene_id, run_id, run_position, judged)
            SELECT content_id, project_id, segment_id, scene_id, run_id, run_position, now
              FROM differs WHERE now IS NOT NULL AND (now IS DISTINCT FROM was OR moved)
            ON CONFLICT (content_id, project_id, segment_id) DO UPDATE
               SET run_id = excluded.run_id, run_position = excluded.run_position, judged = excluded.judged
        )
        INSERT INTO usage_deltas (content_id, project_id, takes, selected)
        SELECT content_id, project_id, 0, count(now) - count(was)
          FROM differs
         GROUP BY 1, 2
        HAVING count(now) <> count(was)
         UNION ALL
        SELECT -asset_id, project_id, 0, sum(greatest(was, 1) - greatest(now, 1))
          FROM (SELECT c.asset_id, d.project_id, d.segment_id, count(d.was) AS was, count(d.now) AS now
                  FROM differs d JOIN contents c ON c.id = d.content_id
                 GROUP BY 1, 2, 3) AS several
         GROUP BY 1, 2
        HAVING sum(greatest(was, 1) - greatest(now, 1)) <> 0
        """,
        judged=table([{"segment_id": segment, "via_judged": via_judged} for segment, via_judged in judged.items()]),
    )
