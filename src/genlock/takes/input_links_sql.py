"""Queries that link receipt inputs to versions registered later."""

from collections.abc import Collection, Sequence

from psycopg import Rollback

from genlock.db.connection import Conn, execute, rows
from genlock.digest import Digest, to_raw

_UNRESOLVED_LOCK = 0x646967657374  # "digest"


async def lock_unresolved(conn: Conn) -> None:
    """Wait for registrations and block new ones until the transaction ends; other recordings continue."""
    await execute(conn, "SELECT pg_advisory_xact_lock_shared(%(lock)s)", lock=_UNRESOLVED_LOCK)


async def try_lock(conn: Conn, digests: Collection[Digest]) -> bool:
    """Lock the scenes with an unresolved input of these digests, and then all recordings of unresolved inputs.

    Return false, with nothing locked, if another scene has such an input by then: it would be locked out of order.
    """
    complete = False
    async with conn.transaction() as savepoint:
        scenes = await _scenes_with(conn, digests)
        if scenes:
            await execute(
                conn,
                "SELECT 1 FROM scenes WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE",
                ids=sorted(scenes),
            )
        await execute(conn, "SELECT pg_advisory_xact_lock(%(lock)s)", lock=_UNRESOLVED_LOCK)
        complete = await _scenes_with(conn, digests) <= scenes
        if not complete:
            raise Rollback(savepoint)
    return complete


async def _scenes_with(conn: Conn, digests: Collection[Digest]) -> set[int]:
    result = await rows(
        conn,
        """
        SELECT DISTINCT g.scene_id
          FROM receipt_inputs i
          JOIN receipts r ON r.id = i.receipt_id
          JOIN segments g ON g.id = r.segment_id
         WHERE i.digest = ANY(%(digests)s) AND i.content_id IS NULL AND i.role <> 'seed_frame'
           AND NOT EXISTS (SELECT FROM input_links l
                            WHERE (l.receipt_id, l.role, l.ordinal) = (i.receipt_id, i.role, i.ordinal))
        """,
        digests=[to_raw(digest) for digest in digests],
    )
    return {row["scene_id"] for row in result}


async def insert_links(conn: Conn, asset_id: int, number: int) -> dict[int, bool]:
    """Link unresolved inputs to a version, and count the takes that use it.

    Return the segments whose selected take has such an input, each with its ``via_judged``.
    """
    result = await rows(
        conn,
        """
        WITH content AS MATERIALIZED (
            SELECT c.id, c.digest, c.asset_id, a.kind, a.project_id
              FROM contents c JOIN assets a ON a.id = c.asset_id
             WHERE c.asset_id = %(asset_id)s AND c.version = %(number)s
        ), linked AS (
            INSERT INTO input_links (receipt_id, role, ordinal, project_id, content_id)
            SELECT i.receipt_id, i.role, i.ordinal, i.project_id, content.id
              FROM content
              JOIN receipt_inputs i ON i.digest = content.digest AND i.role = content.kind AND i.content_id IS NULL
             WHERE i.project_id IS NOT NULL AND (content.project_id IS NULL OR content.project_id = i.project_id)
               AND NOT EXISTS (SELECT FROM input_links l
                                WHERE (l.receipt_id, l.role, l.ordinal) = (i.receipt_id, i.role, i.ordinal))
            RETURNING receipt_id, project_id, content_id
        ), receipt AS MATERIALIZED (
            SELECT DISTINCT receipt_id, project_id, content_id FROM linked
        ), counted AS (
            INSERT INTO usage_deltas (content_id, project_id, takes, selected)
            SELECT content_id, project_id, count(*), 0 FROM receipt GROUP BY 1, 2
             UNION ALL
            SELECT -content.asset_id, r.project_id, -count(*), 0
              FROM receipt r
             CROSS JOIN content
             WHERE EXISTS (SELECT FROM resolved_inputs i JOIN contents other ON other.id = i.content_id
                            WHERE i.receipt_id = r.receipt_id AND other.asset_id = content.asset_id)
             GROUP BY 1, 2
        )
        SELECT t.segment_id, t.via_judged
          FROM receipt r JOIN takes k ON k.id = (SELECT take_id FROM receipts WHERE id = r.receipt_id)
          JOIN selected_takes t ON t.segment_id = k.segment_id AND t.receipt_id = r.receipt_id
        """,
        asset_id=asset_id,
        number=number,
    )
    return {row["segment_id"]: row["via_judged"] for row in result}


async def update_unknown(conn: Conn, segment_ids: Sequence[int]) -> None:
    """Update whether the selected takes of segments are unknown, and from which position on their runs are."""
    await execute(
        conn,
        """
        UPDATE selected_takes t
           SET unknown = false
          FROM receipts r
         WHERE t.segment_id = ANY(%(segments)s) AND r.id = t.receipt_id AND t.unknown
           AND NOT take_is_unknown(r.id, r.missing, r.evidence)
        """,
        segments=segment_ids,
    )
    await execute(
        conn,
        """
        UPDATE runs r
           SET unknown_from = first.position
          FROM (SELECT t.run_id, min(t.run_position) FILTER (WHERE t.unknown) AS position
                  FROM selected_takes t
                 WHERE t.run_id IN (SELECT run_id FROM selected_takes WHERE segment_id = ANY(%(segments)s))
                 GROUP BY t.run_id) AS first
         WHERE r.run_id = first.run_id AND r.unknown_from IS DISTINCT FROM first.position
        """,
        segments=segment_ids,
    )
