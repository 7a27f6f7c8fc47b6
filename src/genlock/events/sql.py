"""Queries of the event log."""

from genlock.db.connection import Conn, many, scalar
from genlock.events.model import Event
from genlock.model import Role


async def after(
    conn: Conn, after_id: int, project_id: int | None = None, limit: int = 100, *, reader: Role = Role.ADMIN
) -> tuple[Event, ...]:
    """Return up to ``limit`` events with an id above ``after_id``, oldest first; of one project if it is given.

    Only administrators see events about tokens and sessions, as in their lists.
    """
    if project_id is None:
        return await many(
            conn,
            Event,
            """
            SELECT id, at, actor, verb, project_id, subject, data
              FROM events
             WHERE id > %(after_id)s AND (%(whole)s OR verb !~ '^(token|session)[.]')
             ORDER BY id
             LIMIT %(limit)s
            """,
            after_id=after_id,
            limit=limit,
            whole=reader is Role.ADMIN,
        )
    return await many(
        conn,
        Event,
        """
        SELECT id, at, actor, verb, project_id, subject, data
          FROM events
         WHERE project_id = %(project_id)s AND id > %(after_id)s AND (%(whole)s OR verb !~ '^(token|session)[.]')
         ORDER BY id
         LIMIT %(limit)s
        """,
        project_id=project_id,
        after_id=after_id,
        limit=limit,
        whole=reader is Role.ADMIN,
    )


async def newest_id(conn: Conn) -> int:
    """Return the id of the newest event, or 0."""
    return await scalar(conn, "SELECT coalesce(max(id), 0) FROM events")
