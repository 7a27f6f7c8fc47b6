"""Provenance with the current states: what made a take, and what used an asset."""

from genlock.db.connection import Conn, pipelined
from genlock.staleness import places_sql
from genlock.staleness.model import Provenance
from genlock.staleness.segment_view import TAKES, causes_behind
from genlock.takes import receipt_sql, take_sql, usage_sql
from genlock.takes.model import UsagePage
from genlock.takes.usage_sql import Takes
from genlock.timeline import sql as timeline_sql


async def provenance(conn: Conn, segment_id: int) -> Provenance:
    """Return what was used to make a segment; without a take there is no receipt. Raise ``NotFound``."""
    async with pipelined(conn):
        asked_judgement = await places_sql.ask_segments(conn, [segment_id])  # first: the others are planned once, too
        asked_segment = await timeline_sql.ask_segments(conn, [segment_id])
        asked_takes = await take_sql.ask_page(conn, segment_id, limit=TAKES)
        asked_receipt = await receipt_sql.ask_receipt_of_selected(conn, segment_id)
        segment = await asked_segment.fetchone()
        judged = await places_sql.receive_segments(asked_judgement)
        takes = await take_sql.receive_page(asked_takes)
        receipt = await asked_receipt.fetchone()
    if segment is None:
        raise timeline_sql.no_segment(segment_id)
    take = next((take for take in takes.items if take.selected), None)
    if take is None and takes.next is not None:  # an old one may be selected
        take = (await take_sql.selected_takes_of(conn, [segment_id])).get(segment_id)
    return Provenance(
        segment=segment,
        state=judged.states([segment_id])[segment_id],
        causes=(await causes_behind(conn, judged, [segment_id])).get(segment_id, ()),
        take=take,
        receipt=receipt,
        takes=takes.items,
        takes_total=takes.total or 0,
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
    """Return a page of the takes that used an asset or a version; selected ones with their segment's state."""
    page = await usage_sql.find(conn, asset_id, version, takes=takes, project_id=project_id, after=after, limit=limit)
    selected = [use.segment_id for use in page.uses if use.selected]
    async with pipelined(conn):
        asked_judgement = await places_sql.ask_segments(conn, selected)
        asked_items = await usage_sql.ask_items(conn, page)
        items = await asked_items.fetchall()
        judged = await places_sql.receive_segments(asked_judgement)
    return usage_sql.usage_page(page, items, judged.states(selected))
