"""Keeps the present: which take is in the cut, and what that means for the segments around it.

Every caller locks the scene first (``timeline.sql.lock_scene``, READ COMMITTED) and reads afterwards: without the
lock a concurrent selection in the next segment would leave a link that is wrong.
"""

from collections.abc import Mapping, Sequence

from genlock.db.connection import Conn
from genlock.model import Actor
from genlock.takes import chain, present_sql


async def select(conn: Conn, takes: Mapping[int, int], scene_ids: Sequence[int], actor: Actor) -> list[int]:
    """Put takes (by segment id) in the cut; the segments whose selected take changed."""
    changed = await present_sql.choose(conn, list(takes), list(takes.values()), actor)
    if changed:
        await settle(conn, scene_ids, changed)
    return changed


async def settle(conn: Conn, scene_ids: Sequence[int], changed: Sequence[int] = ()) -> None:
    """Settle runs, links and judged inputs of scenes in which something changed; ``changed`` have another take."""
    slots = await present_sql.slots_of(conn, scene_ids)
    links = chain.link(slots)
    rejudged = await present_sql.write_links(conn, scene_ids, links)
    await present_sql.write_runs(conn, scene_ids, chain.runs(slots, links))
    touched = sorted({*changed, *rejudged})
    if touched:
        await present_sql.write_inputs(conn, touched)


async def withdraw(conn: Conn, segment_ids: Sequence[int], scene_ids: Sequence[int]) -> None:
    """Take archived segments out of the present."""
    await present_sql.withdraw(conn, segment_ids)
    await settle(conn, scene_ids)


async def bring_back(conn: Conn, segment_ids: Sequence[int], scene_ids: Sequence[int], actor: Actor) -> None:
    """Bring restored segments back with the take that was in the cut last."""
    segments, takes = await present_sql.bring_back(conn, segment_ids)
    changed = await present_sql.choose(conn, segments, takes, actor)
    await settle(conn, scene_ids, changed)
