"""Queries of workers."""

from genlock.db.connection import Conn, execute, many, scalar
from genlock.regeneration.model import WorkerView


async def enter(conn: Conn, name: str, engines: tuple[str, ...]) -> int:
    """Insert a worker's row and return its id."""
    return await scalar(
        conn,
        "INSERT INTO workers (name, engines) VALUES (%(name)s, %(engines)s) RETURNING id",
        name=name,
        engines=list(engines),
    )


async def heartbeat(conn: Conn, worker_id: int, engines: tuple[str, ...]) -> None:
    """Record that a worker is alive and which engines it reaches."""
    await execute(
        conn,
        "UPDATE workers SET seen_at = now(), stopped_at = NULL, engines = %(engines)s WHERE id = %(id)s",
        id=worker_id,
        engines=list(engines),
    )


async def leave(conn: Conn, worker_id: int) -> None:
    """Record that a worker has ended."""
    await execute(conn, "UPDATE workers SET stopped_at = now() WHERE id = %(id)s", id=worker_id)


async def list_workers(conn: Conn, silent_s: float = 30) -> tuple[WorkerView, ...]:
    """Return the workers of the last day, newest first. One without a heartbeat for ``silent_s`` is not alive."""
    return await many(
        conn,
        WorkerView,
        """
        SELECT id, name, engines, started_at, seen_at, stopped_at,
               stopped_at IS NULL AND seen_at > now() - make_interval(secs => %(silent_s)s) AS alive
          FROM workers
         WHERE seen_at > now() - interval '1 day'
         ORDER BY id DESC
        """,
        silent_s=silent_s,
    )
