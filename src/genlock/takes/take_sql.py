"""Reads takes."""

from collections.abc import Sequence

from genlock.db.connection import AskedFor, Conn, ask_many, one, scalar
from genlock.db.pages import decode_key, page_of
from genlock.errors import NotFound
from genlock.model import Page
from genlock.takes.model import Take

_SELECT_TAKE = """
        SELECT t.id, t.segment_id, t.number, r.id AS receipt_id, s.take_id IS NOT NULL AS selected, t.recorded_at,
               t.recorded_by, r.duration_s, r.engine, r.evidence, r.missing,
               ARRAY(SELECT i.role || '[' || i.ordinal || ']' FROM resolved_inputs i
                      WHERE i.receipt_id = r.id AND i.content_id IS NULL AND i.digest IS NOT NULL
                        AND i.role <> 'seed_frame'
                      ORDER BY i.role, i.ordinal) AS unregistered,
               coalesce((SELECT jsonb_object_agg(o.part, digest_text(o.digest))
                           FROM receipt_outputs o WHERE o.receipt_id = r.id), '{}') AS outputs
          FROM takes t
          JOIN receipts r ON r.take_id = t.id
          LEFT JOIN selected_takes s ON s.segment_id = t.segment_id AND s.take_id = t.id
"""


async def takes_of(conn: Conn, segment_id: int, *, after: str | None = None, limit: int = 100) -> Page[Take]:
    """A segment's takes, newest first, with the exact total."""
    key = decode_key(after)
    asked = await ask_takes(conn, segment_id, before=2**31 - 1 if key is None else key, limit=limit + 1)
    found = tuple(await asked.fetchall())
    # Numbers have no gaps: the counter moves in the transaction that writes the take.
    total = await scalar(conn, "SELECT last FROM take_counters WHERE segment_id = %(id)s", id=segment_id)
    return page_of(found, limit, lambda last: (last.number,), total=total or 0)


async def ask_takes(conn: Conn, segment_id: int, *, before: int = 2**31 - 1, limit: int) -> AskedFor[Take]:
    """Ask for a segment's newest takes among those with a number below ``before``."""
    return await ask_many(
        conn,
        Take,
        _SELECT_TAKE
        + """
         WHERE t.segment_id = %(segment_id)s AND t.number < %(before)s
         ORDER BY t.number DESC
         LIMIT %(limit)s
        """,
        segment_id=segment_id,
        before=before,
        limit=limit,
    )


async def get_take(conn: Conn, segment_id: int, number: int) -> Take:
    """A segment's take of this number; ``NotFound`` when there is none."""
    return await one(
        conn,
        Take,
        NotFound(f"Segment {segment_id} has no take {number}.", hint="`genlock provenance` lists a segment's takes."),
        _SELECT_TAKE + " WHERE t.segment_id = %(segment_id)s AND t.number = %(number)s",
        segment_id=segment_id,
        number=number,
    )


async def get_take_by_id(conn: Conn, take_id: int) -> Take:
    """A take by id; ``NotFound`` when there is none."""
    return await one(
        conn,
        Take,
        NotFound(f"There is no take {take_id}.", hint="`genlock provenance` lists a segment's takes."),
        _SELECT_TAKE + " WHERE t.id = %(take_id)s",
        take_id=take_id,
    )


async def selected_takes_of(conn: Conn, segment_ids: Sequence[int]) -> dict[int, Take]:
    """The take in the cut of each of these segments that has one."""
    return {take.segment_id: take for take in await (await ask_selected(conn, segment_ids)).fetchall()}


async def ask_selected(conn: Conn, segment_ids: Sequence[int]) -> AskedFor[Take]:
    """Ask for the takes in the cut of some segments."""
    return await ask_many(
        conn,
        Take,
        """
        SELECT t.id, t.segment_id, t.number, s.receipt_id, true AS selected, t.recorded_at, t.recorded_by,
               r.duration_s, r.engine, r.evidence, r.missing,
               ARRAY(SELECT i.role || '[' || i.ordinal || ']' FROM resolved_inputs i
                      WHERE i.receipt_id = r.id AND i.content_id IS NULL AND i.digest IS NOT NULL
                        AND i.role <> 'seed_frame'
                      ORDER BY i.role, i.ordinal) AS unregistered,
               coalesce((SELECT jsonb_object_agg(o.part, digest_text(o.digest))
                           FROM receipt_outputs o WHERE o.receipt_id = r.id), '{}') AS outputs
          FROM selected_takes s JOIN takes t ON t.id = s.take_id JOIN receipts r ON r.id = s.receipt_id
         WHERE s.segment_id = ANY(%(segments)s)
        """,
        segments=list(segment_ids),
    )
