"""How many segments of a group of the report could be made fresh without a render: earlier takes are what is wanted.

    groups of the report ──▶ where may an earlier take fit? ──▶ plan those runs, as a plan of the group would
                              by index; nowhere, mostly           what is restored there is restored in the whole plan

Runs are independent of one another in a plan but for the versions it makes again, so those are worked out from all
that the group uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from genlock.db.connection import Conn
from genlock.engines.registry import engine_names
from genlock.regeneration.model import StepKind
from genlock.regeneration.planning import restorable_sql, situation_sql
from genlock.regeneration.planning.draft import Ask
from genlock.regeneration.planning.planner import plan
from genlock.regeneration.planning.situation import Key
from genlock.staleness.model import Group
from genlock.staleness.report import parse_group

EXACT_UP_TO = 1000
"""Groups with more segments are not counted, and no more segments are planned for one answer."""


async def with_restorable(conn: Conn, project_id: int, groups: Sequence[Group]) -> tuple[Group, ...]:
    """The groups of a project's report with ``restorable``, what a plan of each would restore.

    Null for a group of more than 1,000 segments, and where more than 1,000 would have to be planned for one answer;
    zero is always told.
    """
    small = {group.id: parse_group(group.id) for group in groups if group.segments <= EXACT_UP_TO}
    counts: dict[str, int | None] = dict.fromkeys(small, 0)
    # Where a version has to be made again first nothing is restored: those are the groups without a direct segment.
    direct = [small[group.id] for group in groups if group.direct and group.id in small]
    hopes = await restorable_sql.hopes(conn, project_id, direct) if direct else {}
    if hopes:
        planned = await _planned(conn, project_id, hopes)
        counts |= {group_id: planned[root] for group_id, root in small.items() if root in planned}
    return tuple(group.model_copy(update={"restorable": counts.get(group.id)}) for group in groups)


async def _planned(conn: Conn, project_id: int, hopes: Mapping[Key, Sequence[int]]) -> dict[Key, int | None]:
    """What the plan of each of these groups restores, in the runs where it may."""
    belong = await restorable_sql.members(conn, project_id, list(hopes))
    counts: dict[Key, int | None] = dict.fromkeys(hopes)
    chosen: dict[Key, frozenset[restorable_sql.Member]] = {}
    room = EXACT_UP_TO
    for root, runs in hopes.items():
        promising = frozenset(one for one in belong[root] if one.run_id in set(runs))
        if len(promising) <= room:
            room -= len(promising)
            chosen[root] = promising
    used = await restorable_sql.used_by(conn, project_id, {root: belong[root] for root in chosen})
    scenes = sorted({one.scene_id for segments in chosen.values() for one in segments})
    everything = {pair for pairs in used.values() for pair in pairs}
    situation = await situation_sql.load(conn, project_id, scenes, everything)
    engines = frozenset(engine_names())
    for root, segments in chosen.items():
        inside = {one.scene_id for one in segments}
        part = replace(situation, seats=tuple(seat for seat in situation.seats if seat.scene_id in inside))
        ask = Ask(
            chosen=frozenset(one.segment_id for one in segments), engines=engines, used=used.get(root, frozenset())
        )
        counts[root] = sum(step.kind is StepKind.RESTORE for step in plan(part, ask).steps)
    return counts
