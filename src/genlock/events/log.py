"""Appends to the event log, which is the last statement of a writing transaction."""

from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from genlock.db.connection import Conn, execute, scalar
from genlock.model import Actor

CHANNEL = "genlock_events"
"""The notification channel. It only wakes readers; the events are in the table."""

_LOCK = 0x6576656E7473  # "events": one appender at a time for the whole log


# The materialised lock is taken before the row's identity value is drawn, in the same round trip.
_APPEND: LiteralString = """
        WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(%(lock)s), pg_notify(%(channel)s, ''))
        INSERT INTO events (actor, verb, project_id, subject, data)
        SELECT %(actor)s, %(verb)s, %(project_id)s::bigint, %(subject)s, %(data)s FROM turn
        RETURNING id
"""


async def append(
    conn: Conn,
    verb: str,
    actor: Actor,
    *,
    project_id: int | None = None,
    subject: str | None = None,
    data: dict[str, Any] | None = None,
) -> int:
    """Append an event and return its id. It is visible, and readers are notified, when the transaction commits.

    Call it last: from here to the commit the transaction holds the lock of the whole log. Without that lock an event
    with a lower id could become visible after one with a higher id, and a reader's cursor would skip it.
    """
    return await scalar(conn, _APPEND, **_event(verb, actor, project_id, subject, data))


async def send(
    conn: Conn, verb: str, actor: Actor, *, project_id: int | None, subject: str | None, data: dict[str, Any]
) -> None:
    """Append an event as ``append`` does, also last, but in a pipeline, without waiting for its id."""
    await execute(conn, _APPEND, **_event(verb, actor, project_id, subject, data))


def _event(
    verb: str, actor: Actor, project_id: int | None, subject: str | None, data: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "lock": _LOCK,
        "channel": CHANNEL,
        "actor": actor.name,
        "verb": verb,
        "project_id": project_id,
        "subject": subject,
        "data": Jsonb(data or {}),
    }
