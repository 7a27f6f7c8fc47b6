"""The number of segments that use an asset now, and how many of them are stale."""

from genlock.db.connection import Conn
from genlock.library.model import UsedBy
from genlock.staleness import places_sql, what_if_sql
from genlock.staleness.judge import STALE, judge
from genlock.staleness.present_sql import load_projects


async def used_by(conn: Conn, asset_id: int, version: int | None = None) -> UsedBy:
    """Count the segments whose selected take used an asset, or exactly one version of it, and the stale ones."""
    projects = await what_if_sql.projects_using_asset(conn, asset_id, version)
    if not projects:
        return UsedBy(segments=0, stale=0)
    judged = judge((await load_projects(conn, projects)).present)
    places = await places_sql.places_using(conn, judged, projects, asset_id, version)
    return UsedBy(segments=len(places), stale=int((judged.states[places] == STALE).sum()))
