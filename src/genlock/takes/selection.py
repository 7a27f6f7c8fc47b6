"""Selects takes, and keeps what follows from the selection: runs, broken links and current inputs.

Every caller locks the scene first (``timeline.sql.lock_scene``, READ COMMITTED) and reads afterwards: without the
lock a concurrent selection in the next segment would leave a wrong link.
"""

from collections.abc import Mapping, Sequence

from genlock.db.connection import Conn
from genlock.model import Actor
from genlock.takes import chain, selection_sql

_SCENES_AT_ONCE = 500  # restoring a project of a million segments loads this many scenes at once


async def select(conn: Conn, takes: Mapping[int, int], scene_ids: Sequence[int], actor: Actor) -> list[int]:
    """Select takes (by segment id); return the segments whose selected take changed."""
    changed = await selection_sql.segments_to_change(conn, takes)
    if changed:
        await selection_sql.select_takes(conn, {segment: takes[segment] for segment in changed}, actor)
        await relink_scenes(conn, scene_ids, changed)
    return changed


async def relink_scenes(conn: Conn, scene_ids: Sequence[int], changed: Sequence[int] = ()) -> None:
    """Update the runs, links and current inputs of scenes; ``changed`` segments have another selected take."""
    stored = await selection_sql.slots_of(conn, scene_ids)
    slots = [slot for slot, _ in stored]
    links = chain.link(slots)
    runs = chain.runs(slots, links)
    stored_links = [before.link for _, before in stored]
    new_links = [link for link, before in zip(links, stored_links, strict=True) if link != before]
    # Where only selected takes changed, every stored run is the run of a segment: no run is left over.
    if new_links or not changed or set(runs) != {before.run for _, before in stored}:
        await selection_sql.write_links(conn, scene_ids, new_links, runs)
    new_takes = set(changed)
    rewritten = [
        link
        for link, before in zip(links, stored_links, strict=True)
        if link.segment_id in new_takes
        or (link.run_id, link.run_position, link.via_judged) != (before.run_id, before.run_position, before.via_judged)
    ]
    if rewritten:
        await selection_sql.write_inputs(conn, {link.segment_id: link.via_judged for link in rewritten})


async def withdraw(conn: Conn, segment_ids: Sequence[int], scene_ids: Sequence[int]) -> None:
    """Remove archived segments from the current state."""
    await selection_sql.withdraw(conn, segment_ids)
    await relink_scenes(conn, scene_ids)


async def withdraw_scenes(conn: Conn, scene_ids: Sequence[int]) -> None:
    """Remove archived scenes from the current state."""
    await selection_sql.withdraw_scenes(conn, scene_ids)


async def restore(conn: Conn, segment_ids: Sequence[int], scene_ids: Sequence[int]) -> None:
    """Select the last selected take of restored segments again."""
    await _reselect(conn, await selection_sql.last_selected(conn, segment_ids), scene_ids)


async def restore_scenes(conn: Conn, scene_ids: Sequence[int]) -> None:
    """Select the last selected take of every segment of restored scenes again, except archived segments."""
    for first in range(0, len(scene_ids), _SCENES_AT_ONCE):
        batch = scene_ids[first : first + _SCENES_AT_ONCE]
        await _reselect(conn, await selection_sql.last_selected_in(conn, batch), batch)


async def _reselect(conn: Conn, takes: Mapping[int, int], scene_ids: Sequence[int]) -> None:
    # This is not a new selection: the log of selections is read, not written.
    await selection_sql.select_takes(conn, takes, None)
    await relink_scenes(conn, scene_ids, list(takes))
