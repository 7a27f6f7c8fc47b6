"""Folds what recordings and selections appended into the roll-up of usage. For a background task."""

from genlock.db.connection import Conn, scalar

_LOCK = 0x636F756E74  # "count": one folder at a time


async def fold(conn: Conn, limit: int = 100_000) -> int:
    """Fold up to ``limit`` differences into the counts; how many it folded, 0 while somebody else folds.

    One statement takes them out and adds them up, so a reader sees every difference once: folded or not. Writers
    only append and never wait.
    """
    if not await scalar(conn, "SELECT pg_try_advisory_xact_lock(%(lock)s)", lock=_LOCK):
        return 0
    return await scalar(
        conn,
        """
        WITH taken AS (
            DELETE FROM usage_deltas
             WHERE ctid = ANY (ARRAY(SELECT ctid FROM usage_deltas LIMIT %(limit)s))
            RETURNING content_id, project_id, takes, selected
        ), folded AS (
            INSERT INTO usage_counts AS c (content_id, project_id, takes, selected)
            SELECT content_id, project_id, sum(takes), sum(selected)
              FROM taken
             GROUP BY content_id, project_id
             ORDER BY content_id, project_id
            ON CONFLICT (content_id, project_id) DO UPDATE
               SET takes = c.takes + excluded.takes, selected = c.selected + excluded.selected
        )
        SELECT count(*) FROM taken
        """,
        limit=limit,
    )
