"""Queries of takes."""

from collections.abc import Sequence
from typing import NamedTuple

from genlock.db.connection import Conn, SentQuery, SentQueryFor, ask, ask_many, single
from genlock.db.pages import decode_key, page_of
from genlock.errors import NotFound
from genlock.model import Page
from genlock.takes.model import Take


async def takes_of(conn: Conn, segment_id: int, *, after: str | None = None, limit: int = 100) -> Page[Take]:
    """Return a segment's takes, newest first, with the exact total."""
    return await receive_page(await ask_page(conn, segment_id, after=after, limit=limit))


class AskedPage(NamedTuple):
    """A page of takes whose query was sent."""

    takes: SentQueryFor[Take]
    total: SentQuery | None
    limit: int


async def ask_page(conn: Conn, segment_id: int, *, after: str | None = None, limit: int) -> AskedPage:
    """Send the query for a page of a segment's takes, newest first; for ``receive_page``."""
    takes = await ask_many(
        conn,
        Take,
        """
        SELECT t.id, t.segment_id, t.number, t.receipt_id, s.take_id IS NOT NULL AS selected, t.recorded_at,
               t.recorded_by, t.duration_s, t.engine, t.evidence, t.missing, t.unregistered, t.outputs
          FROM take_details t
          LEFT JOIN judged_takes s ON s.segment_id = t.segment_id AND s.take_id = t.id
         WHERE t.segment_id = %(segment_id)s AND t.number < %(before)s
         ORDER BY t.number DESC
         LIMIT %(limit)s
        """,
        segment_id=segment_id,
        before=decode_key(after) or 2**31 - 1,
        limit=limit + 1,
    )
    total = None
    if after is not None:
        total = await ask(conn, "SELECT last FROM take_counters WHERE segment_id = %(id)s", id=segment_id)
    return AskedPage(takes, total, limit)


async def receive_page(request: AskedPage) -> Page[Take]:
    """Wait for a page of takes whose query was sent."""
    takes = tuple(await request.takes.fetchall())
    # Numbers have no gaps: the counter changes in the transaction that writes the take, and the newest take has it.
    total = takes[0].number if takes else 0
    if request.total is not None:
        counter = await request.total.fetchone()
        total = counter["last"] if counter else 0
    return page_of(takes, request.limit, lambda last: (last.number,), total=total)


async def get_take(conn: Conn, segment_id: int, number: int) -> Take:
    """Return a take by segment and number. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Take,
        NotFound(f"Segment {segment_id} has no take {number}.", hint="`genlock provenance` lists a segment's takes."),
        """
        SELECT t.id, t.segment_id, t.number, t.receipt_id, s.take_id IS NOT NULL AS selected, t.recorded_at,
               t.recorded_by, t.duration_s, t.engine, t.evidence, t.missing, t.unregistered, t.outputs
          FROM take_details t
          LEFT JOIN judged_takes s ON s.segment_id = t.segment_id AND s.take_id = t.id
         WHERE t.segment_id = %(segment_id)s AND t.number = %(number)s
        """,
        segment_id=segment_id,
        number=number,
    )


async def get_take_by_id(conn: Conn, take_id: int) -> Take:
    """Return a take by id. Raise ``NotFound`` if it does not exist."""
    return await single(
        conn,
        Take,
        NotFound(f"There is no take {take_id}.", hint="`genlock provenance` lists a segment's takes."),
        """
        SELECT t.id, t.segment_id, t.number, t.receipt_id,
               EXISTS (SELECT FROM judged_takes s WHERE s.segment_id = t.segment_id AND s.take_id = t.id) AS selected,
               t.recorded_at, t.recorded_by, t.duration_s, t.engine, t.evidence, t.missing, t.unregistered, t.outputs
          FROM take_details t
         WHERE t.id = %(take_id)s
        """,
        take_id=take_id,
    )


async def selected_takes_of(conn: Conn, segment_ids: Sequence[int]) -> dict[int, Take]:
    """Return the selected take of each of these segments that has one."""
    return {take.segment_id: take for take in await (await ask_selected(conn, segment_ids)).fetchall()}


async def ask_selected(conn: Conn, segment_ids: Sequence[int]) -> SentQueryFor[Take]:
    """Send the query for the selected takes of some segments."""
    return await ask_many(
        conn,
        Take,
        """
        SELECT t.id, t.segment_id, t.number, t.receipt_id, true AS selected, t.recorded_at, t.recorded_by,
               t.duration_s, t.engine, t.evidence, t.missing, t.unregistered, t.outputs
          FROM judged_takes s
          JOIN take_details t ON t.id = s.take_id
         WHERE s.segment_id = ANY(%(segments)s)
        """,
        segments=list(segment_ids),
    )
