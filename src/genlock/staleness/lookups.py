"""The two questions about provenance, answered with the states of today: made of what, and used by whom."""

from genlock.db.connection import Conn
from genlock.staleness import states_sql, views
from genlock.staleness.model import Provenance
from genlock.takes import receipt_sql, usage_sql
from genlock.takes.model import UsagePage
from genlock.takes.usage_sql import Takes
from genlock.timeline.model import Segment


async def provenance(conn: Conn, segment_id: int) -> Provenance:
    """What was used to make a segment; without a take there is no receipt."""
    view = await views.segment_view(conn, segment_id)
    return Provenance(
        segment=Segment(**{name: getattr(view, name) for name in Segment.model_fields}),
        state=view.state,
        causes=view.causes,
        take=view.selected_take,
        receipt=await receipt_sql.receipt_of_selected(conn, segment_id),
        takes=view.takes,
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
    page = await usage_sql.usage(conn, asset_id, version, takes=takes, project_id=project_id, after=after, limit=limit)
    judged = sorted({item.segment_id for item in page.items if item.selected and not item.archived})
    states = await states_sql.states_of(conn, judged) if judged else {}
    items = tuple(
        item.model_copy(update={"state": states.get(item.segment_id)}) if item.selected else item for item in page.items
    )
    return page.model_copy(update={"items": items})
