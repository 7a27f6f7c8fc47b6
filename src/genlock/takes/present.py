"""Keeps the present: which take is in the cut, and what that means for the segments around it.

Every caller locks the scene first (``timeline.sql.lock_scene``, READ COMMITTED) and reads afterwards: without the
lock a concurrent selection in the next segment would leave a link that is wrong.
"""

from collections.abc import Mapping, Sequence

from genlock.db.connection import Conn
from genlock.model import Actor
from genlock.takes import chain, present_sql

_SCENES_AT_ONCE = 500  # restoring a project of a million segments holds this many scenes in memory


async def select(conn: Conn, takes: Mapping[int, int], scene_ids: Sequence[int], actor: Actor) -> list[int]:
    """Put takes (by segment id) in the cut; the segments whose selected take changed."""
    changed = await present_sql.changing(conn, takes)
    if changed:
        await present_sql.choose(conn, {segment: takes[segment] for segment in changed}, actor)
        await settle(conn, scene_ids, changed)
    return changed


async def settle(conn: Conn, scene_ids: Sequence[int], changed: Sequence[int] = ()) -> None:
    """Settle runs, links and judged inputs of scenes in which something changed; ``changed`` have another take."""
    found = await present_sql.slots_of(conn, scene_ids)
    slots = [slot for slot, _ in found]
    links = chain.link(slots)
    runs = chain.runs(slots, links)
    kept = [before.link for _, before in found]
    moved = [link for link, before in zip(links, kept, strict=True) if link != before]
    # Where segments only got other takes, each run that was kept is one that a segment says it is in.
    if moved or not changed or set(runs) != {before.run for _, before in found}:
        await present_sql.write_links(conn, scene_ids, moved, runs)
    new = set(changed)
    touched = [
        link
        for link, before in zip(links, kept, strict=True)
        if link.segment_id in new
        or (link.run_id, link.run_position, link.via_judged) != (before.run_id, before.run_position, before.via_judged)
    ]
    if touched:
        await present_sql.write_inputs(conn, {link.segment_id: link.via_judged for link in touched})


async def withdraw(conn: Conn, segment_ids: Sequence[int], scene_ids: Sequence[int]) -> None:
    """Take archived segments out of the present."""
    await present_sql.withdraw(conn, segment_ids)
    await settle(conn, scene_ids)


async def withdraw_scenes(conn: Conn, scene_ids: Sequence[int]) -> None:
    """Take archived scenes out of the present."""
    await present_sql.withdraw_scenes(conn, scene_ids)


async def bring_back(conn: Conn, segment_ids: Sequence[int], scene_ids: Sequence[int]) -> None:
    """Bring restored segments back with the take that was in the cut last."""
    await _return(conn, await present_sql.last_selected(conn, segment_ids), scene_ids)


async def bring_back_scenes(conn: Conn, scene_ids: Sequence[int]) -> None:
    """Bring restored scenes back, each segment that is not archived with the take that was in the cut last."""
    for first in range(0, len(scene_ids), _SCENES_AT_ONCE):
        some = scene_ids[first : first + _SCENES_AT_ONCE]
        await _return(conn, await present_sql.last_selected_in(conn, some), some)


async def _return(conn: Conn, takes: Mapping[int, int], scene_ids: Sequence[int]) -> None:
    # Nobody selects anything here: the log of selections is read, not written.
    await present_sql.choose(conn, takes, None)
    await settle(conn, scene_ids, list(takes))
