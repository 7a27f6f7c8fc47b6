"""Reads the log of events."""

from genlock.db.connection import Conn, many, scalar
from genlock.events.model import Event


async def after(conn: Conn, after_id: int, project_id: int | None = None, limit: int = 100) -> tuple[Event, ...]:
    """Up to ``limit`` events with an id above ``after_id``, oldest first; of one project if it is given."""
    if project_id is None:
        return await many(
            conn,
            Event,
            """
            SELECT id, at, actor, verb, project_id, subject, data
              FROM events
             WHERE id > %(after_id)s
             ORDER BY id
             LIMIT %(limit)s
            """,
            after_id=after_id,
            limit=limit,
        )
    return await many(
        conn,
        Event,
        """
        SELECT id, at, actor, verb, project_id, subject, data
          FROM events
         WHERE project_id = %(project_id)s AND id > %(after_id)s
         ORDER BY id
         LIMIT %(limit)s
        """,
        project_id=project_id,
        after_id=after_id,
        limit=limit,
    )


async def newest_id(conn: Conn) -> int:
    """The id of the newest event, 0 if nothing has happened yet."""
    return await scalar(conn, "SELECT coalesce(max(id), 0) FROM events")
