"""How many segments of a group of the report could be made fresh without a render: earlier takes are what is wanted.

Planning tells exactly. But planning is only worth it where somebody has used before what is expected now.
"""

from collections.abc import Sequence

from genlock.db.connection import Conn
from genlock.engines.registry import engine_names
from genlock.regeneration import choose_sql, situation_sql
from genlock.regeneration.draft import Ask
from genlock.regeneration.model import StepKind
from genlock.regeneration.planner import plan
from genlock.staleness.model import Group, GroupKind
from genlock.staleness.report import parse_group

EXACT_UP_TO = 1000
"""Groups with more segments are not counted: a plan of one still says it exactly."""


async def with_restorable(conn: Conn, project_id: int, groups: Sequence[Group]) -> tuple[Group, ...]:
    """The groups of a project's report with ``restorable``; null for those with more than 1,000 segments."""
    small = [group for group in groups if group.segments <= EXACT_UP_TO]
    counts: dict[str, int | None] = {group.id: 0 for group in small}
    hopeful = await _hopeful(conn, project_id, small)
    if hopeful:
        counts |= await _planned(conn, project_id, hopeful)
    return tuple(group.model_copy(update={"restorable": counts.get(group.id)}) for group in groups)


async def _hopeful(conn: Conn, project_id: int, groups: Sequence[Group]) -> list[Group]:
    """Groups of which something might be restorable.

    Where a version has to be made again first, nothing is: those are the groups without a direct segment.
    """
    direct = [group for group in groups if group.direct]
    refs = {
        (group.asset.id, group.expected)
        for group in direct
        if group.kind is GroupKind.ASSET and group.asset is not None and group.expected is not None
    }
    used = await choose_sql.used_before(conn, project_id, sorted(refs)) if refs else set[tuple[int, int]]()
    return [
        group
        for group in direct
        if group.kind is not GroupKind.ASSET or (group.asset is not None and (group.asset.id, group.expected) in used)
    ]


async def _planned(conn: Conn, project_id: int, groups: Sequence[Group]) -> dict[str, int | None]:
    roots = {group.id: parse_group(group.id) for group in groups}
    members = await choose_sql.members_of(conn, project_id, list(roots.values()))
    everybody = sorted({segment for segments in members.values() for segment in segments})
    scenes, _ = await choose_sql.scenes_with(conn, project_id, everybody)
    situation = await situation_sql.load(conn, project_id, scenes)
    engines = frozenset(engine_names())
    counts: dict[str, int | None] = {}
    for group_id, root in roots.items():
        draft = plan(situation, Ask(chosen=members.get(root, frozenset()), engines=engines))
        counts[group_id] = sum(step.kind is StepKind.RESTORE for step in draft.steps)
    return counts
