"""The two questions about provenance, answered with the states of today: made of what, and used by whom."""

from genlock.db.connection import Conn
from genlock.staleness import states_sql, views
from genlock.staleness.model import Provenance
from genlock.takes import receipt_sql, take_sql, usage_sql
from genlock.takes.model import UsagePage
from genlock.takes.usage_sql import Takes
from genlock.timeline import sql as timeline_sql


async def provenance(conn: Conn, segment_id: int) -> Provenance:
    """What was used to make a segment; without a take there is no receipt."""
    async with conn.pipeline():
        asked_segment = await timeline_sql.ask_segments(conn, [segment_id])
        asked_state = await states_sql.ask_states(conn, [segment_id])
        asked_takes = await take_sql.ask_takes(conn, segment_id, limit=views.TAKES)
        asked_receipt = await receipt_sql.ask_receipt_of_selected(conn, segment_id)
        segment = await asked_segment.fetchone()
        states = await states_sql.told(asked_state)
        takes = tuple(await asked_takes.fetchall())
        receipt = await asked_receipt.fetchone()
    if segment is None:
        raise timeline_sql.no_segment(segment_id)
    take = next((take for take in takes if take.selected), None)
    if take is None and receipt is not None:  # so many newer ones
        take = (await take_sql.selected_takes_of(conn, [segment_id]))[segment_id]
    return Provenance(
        segment=segment,
        state=states[segment_id],
        causes=(await views.causes_behind(conn, states)).get(segment_id, ()),
        take=take,
        receipt=receipt,
        takes=takes,
    )


async def usage(
    conn: Conn,
    asset_id: int,
    version: int | None,
    *,
    takes: Takes,
    project_id: int | None,
    after: str | None,
    limit: int,
) -> UsagePage:
    """One page of the takes that used an asset or a version, each that is in the cut with its segment's state."""
    found = await usage_sql.find(conn, asset_id, version, takes=takes, project_id=project_id, after=after, limit=limit)
    async with conn.pipeline():
        asked_items = await usage_sql.ask_items(conn, found)
        asked_states = await states_sql.ask_states(conn, [use.segment_id for use in found.uses if use.selected])
        return usage_sql.told(found, await asked_items.fetchall(), await states_sql.told(asked_states))
