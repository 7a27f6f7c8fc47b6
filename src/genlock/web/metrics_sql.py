"""Queries for the metrics."""

from genlock.db.connection import Conn, rows


async def unfinished_steps(conn: Conn) -> dict[str, int]:
    """Return the number of waiting, queued and running steps of started plans."""
    counts = await rows(
        conn,
        """
        SELECT s.state, count(*) AS steps
          FROM plans p
          JOIN plan_steps s ON s.plan_id = p.id
         WHERE p.state IN ('running', 'review')
           AND s.state IN ('waiting', 'queued', 'running')
         GROUP BY s.state
        """,
    )
    return {"waiting": 0, "queued": 0, "running": 0} | {row["state"]: row["steps"] for row in counts}
