"""Selects takes and updates what depends on the selection: runs, broken links and current inputs.

Every caller locks the scene first (``timeline.sql.lock_scene``, READ COMMITTED) and reads afterwards: without the lock
a concurrent selection in the next segment would leave a wrong link.
"""

from collections.abc import Mapping, Sequence

from genlock.db.connection import Conn
from genlock.model import Actor
from genlock.takes import chain, selection_sql

_SCENES_PER_BATCH = 500  # scenes loaded at once, as when a project of a million segments is restored


async def select(conn: Conn, takes: Mapping[int, int], scene_ids: Sequence[int], actor: Actor) -> list[int]:
    """Select takes (by segment id); return the segments whose selected take changed."""
    changed = await selection_sql.segments_to_change(conn, takes)
    if changed:
        await selection_sql.select_takes(conn, {segment: takes[segment] for segment in changed}, actor)
        await relink_scenes(conn, scene_ids, changed)
    return changed


async def relink_scenes(conn: Conn, scene_ids: Sequence[int], changed: Sequence[int] = ()) -> None:
    """Update the runs, links and current inputs of scenes; ``changed`` segments have another selected take.

    A new take changes its segment, the next one and a run: a whole scene is read only where runs are joined or divided.
    """
    if len(changed) == 1 and await _relink_one(conn, changed[0]):
        return
    members = await selection_sql.members_of(conn, scene_ids)
    slots = [member.slot for member in members]
    links = chain.link(slots)
    runs = chain.runs(slots, links)
    changes = [(link, member.link) for link, member in zip(links, members, strict=True)]
    new_links = [link for link, stored in changes if link != stored]
    # If only selected takes changed, every stored run is the run of a segment: none is left over.
    if new_links or not changed or set(runs) != {member.run for member in members}:
        await selection_sql.write_links(conn, scene_ids, new_links, runs)
    new_takes = set(changed)
    rewritten = [
        link
        for link, stored in changes
        if link.segment_id in new_takes
        or (link.run_id, link.run_position, link.via_judged) != (stored.run_id, stored.run_position, stored.via_judged)
    ]
    if rewritten:
        await selection_sql.write_inputs(conn, {link.segment_id: link.via_judged for link in rewritten})


async def _relink_one(conn: Conn, segment_id: int) -> bool:
    """Update the neighbours of one newly selected take; return false, with nothing written, if more changes."""
    members = {member.slot.segment_id: member for member in await selection_sql.members_around(conn, segment_id)}
    selected = members.get(segment_id)
    if selected is None:
        return False
    before = None if selected.slot.before_id is None else members.get(selected.slot.before_id)
    after = next((member for member in members.values() if member.slot.before_id == segment_id), None)
    relinked = chain.relink_one(before, selected, after)
    if relinked is None:
        return False
    run = relinked.run if relinked.is_complete else await selection_sql.completed(conn, relinked.run)
    if relinked.links or run != selected.run:
        await selection_sql.write_links(conn, (), relinked.links, [run])
    judged = {link.segment_id: link.via_judged for link in relinked.links}
    await selection_sql.write_inputs(conn, {segment_id: selected.link.via_judged, **judged})
    return True


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
    for first in range(0, len(scene_ids), _SCENES_PER_BATCH):
        batch = scene_ids[first : first + _SCENES_PER_BATCH]
        await _reselect(conn, await selection_sql.last_selected_in(conn, batch), batch)


async def _reselect(conn: Conn, takes: Mapping[int, int], scene_ids: Sequence[int]) -> None:
    # This is not a new selection: the selection log is read, not written.
    await selection_sql.select_takes(conn, takes, None)
    await relink_scenes(conn, scene_ids, list(takes))
