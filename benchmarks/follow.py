"""Computes what a generated history implies: judged inputs, counts, out-of-date contents, and a few waivers."""

import psycopg
from psycopg import sql

from benchmarks.layout import TAKES
from genlock.db.connection import Database
from genlock.staleness.activation import recompute

Connection = psycopg.Connection[tuple[object, ...]]


def follow(conn: Connection) -> None:
    """Compute what history alone implies."""
    conn.execute("SET LOCAL work_mem = '512MB'")
    conn.execute("INSERT INTO take_counters SELECT id, %s FROM segments", (TAKES,))
    conn.execute(
        """
        INSERT INTO current_inputs (content_id, project_id, segment_id, scene_id, run_id, run_position, judged)
        SELECT i.content_id, t.project_id, t.segment_id, t.scene_id, t.run_id, t.run_position,
               bool_or(i.via IS NULL OR (i.via = 'seed_frame' AND t.via_judged))
          FROM selected_takes t JOIN receipt_inputs i ON i.receipt_id = t.receipt_id
         WHERE i.content_id IS NOT NULL
         GROUP BY 1, 2, 3, 4, 5, 6
         ORDER BY 1, 2, 3
        """
    )
    conn.execute(
        """
        WITH line AS (
            SELECT DISTINCT i.content_id, i.project_id, i.receipt_id, t.receipt_id IS NOT NULL AS selected
              FROM receipt_inputs i LEFT JOIN selected_takes t ON t.receipt_id = i.receipt_id
             WHERE i.content_id IS NOT NULL
        ), several AS (
            SELECT c.asset_id, l.project_id, l.receipt_id, l.selected, count(*) AS contents
              FROM line l JOIN contents c ON c.id = l.content_id
             GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
        )
        INSERT INTO usage_counts (content_id, project_id, takes, selected)
        SELECT content_id, project_id, count(*), count(*) FILTER (WHERE selected) FROM line GROUP BY 1, 2
         UNION ALL
        SELECT -asset_id, project_id, sum(1 - contents), coalesce(sum(1 - contents) FILTER (WHERE selected), 0)
          FROM several GROUP BY 1, 2
        """
    )


def set_sequences(conn: Connection) -> None:
    """Advance the sequences beyond the copied ids."""
    for table in ("projects", "assets", "contents", "derivations", "scenes", "segments", "takes", "receipts"):
        conn.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), (SELECT max(id) FROM {}))").format(
                sql.Literal(table), sql.Identifier(table)
            )
        )
    conn.execute("SELECT setval(pg_get_serial_sequence('workloads', 'id'), (SELECT max(id) FROM workloads))")


async def recompute_outdated(owner: str) -> None:
    """Compute which contents are out of date, and waive some of the segments that are stale by them."""
    db = Database(owner)
    await db.open()
    try:
        async with db.transaction() as conn:
            await recompute(conn, None)
        async with db.transaction() as conn:
            await conn.execute("SELECT setseed(0.5)")
            await conn.execute(
                """
                INSERT INTO waivers (project_id, segment_id, asset_id, used_digest, expected_digest, reason, created_by)
                SELECT i.project_id, i.segment_id, o.root_asset_id, o.root_used_digest, o.root_expected_digest,
                       'good enough', 'bench'
                  FROM outdated_contents o
                  JOIN current_inputs i ON i.content_id = o.content_id AND i.judged
                 WHERE i.segment_id % 200 = 1
                """
            )
    finally:
        await db.close()
