"""Counts the segments of a group of the report that restoring earlier takes makes fresh without a render.

    groups of the report ──▶ where may an earlier take fit? ──▶ plan those runs, as a plan of the group would
                              by index; nowhere, mostly           what is restored there is restored in the whole plan

Runs are independent of one another in a plan, except for the versions that it makes: those are computed from everything
that the group uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from genlock.db.connection import Conn
from genlock.engines.offers import engine_names
from genlock.regeneration.model import StepKind
from genlock.regeneration.planning import restorable_sql, situation_sql
from genlock.regeneration.planning.draft import PlanRequest
from genlock.regeneration.planning.planner import plan
from genlock.staleness.judge import Judged
from genlock.staleness.model import Group, RootKey
from genlock.staleness.places_sql import Member, members_at
from genlock.staleness.report import parse_group

EXACT_UP_TO = 1000
"""Groups with more segments are not counted, and no more segments are planned for one response."""


async def with_restorable(conn: Conn, project_id: int, groups: Sequence[Group], judged: Judged) -> tuple[Group, ...]:
    """Return the groups of a project's report with ``restorable``, the number that a plan of each would restore.

    Null for a group of more than 1,000 segments, and where more than 1,000 would have to be planned for one response;
    zero is always exact. ``judged``: the judgement that the groups were added up from.
    """
    small = {group.id: parse_group(group.id) for group in groups if group.segments <= EXACT_UP_TO}
    counts: dict[str, int | None] = dict.fromkeys(small, 0)
    # Where a version has to be made first nothing is restored: those are the groups without a direct segment.
    direct = [small[group.id] for group in groups if group.direct and group.id in small]
    candidates = await restorable_sql.restore_candidates(conn, project_id, direct) if direct else {}
    if candidates:
        planned = await _planned(conn, project_id, candidates, judged)
        counts |= {group_id: planned[root] for group_id, root in small.items() if root in planned}
    return tuple(group.model_copy(update={"restorable": counts.get(group.id)}) for group in groups)


async def _planned(
    conn: Conn, project_id: int, candidates: Mapping[RootKey, Sequence[int]], judged: Judged
) -> dict[RootKey, int | None]:
    """Return how many segments the plan of each group restores, in the candidate runs."""
    belong = await _members(conn, judged, list(candidates))
    counts: dict[RootKey, int | None] = dict.fromkeys(candidates)
    selected: dict[RootKey, frozenset[Member]] = {}
    room = EXACT_UP_TO
    for root, runs in candidates.items():
        promising = frozenset(member for member in belong[root] if member.run_id in set(runs))
        if len(promising) <= room:
            room -= len(promising)
            selected[root] = promising
    used = await _used(conn, judged, {root: belong[root] for root in selected})
    scenes = sorted({member.scene_id for members in selected.values() for member in members})
    everything = {pair for pairs in used.values() for pair in pairs}
    situation = await situation_sql.load(conn, project_id, scenes, everything)
    engines = frozenset(engine_names())
    for root, members in selected.items():
        inside = {member.scene_id for member in members}
        part = replace(
            situation, segments=tuple(segment for segment in situation.segments if segment.scene_id in inside)
        )
        plan_request = PlanRequest(
            selected=frozenset(member.segment_id for member in members),
            engines=engines,
            used=used.get(root, frozenset()),
        )
        counts[root] = sum(step.kind is StepKind.RESTORE for step in plan(part, plan_request).steps)
    return counts


async def _members(conn: Conn, judged: Judged, roots: Sequence[RootKey]) -> dict[RootKey, frozenset[Member]]:
    """Return the segments that are stale by each root."""
    indices = judged.root_indices(roots)
    members = await members_at(conn, judged, judged.stale_by(indices))
    return {
        root: frozenset(
            members[place] for place in np.flatnonzero(judged.stale_by([index])).tolist() if place in members
        )
        for root, index in zip(roots, indices, strict=True)
    }


async def _used(
    conn: Conn, judged: Judged, groups: Mapping[RootKey, frozenset[Member]]
) -> dict[RootKey, frozenset[tuple[int, int]]]:
    """Return every (scope, asset) that the segments of each group use, without inputs whose causes are all waived."""
    segments = {member.segment_id for members in groups.values() for member in members}
    unchanged = await _unchanged(conn, judged)
    pairs: dict[int, set[tuple[int, int]]] = {}
    for used in await restorable_sql.used_contents(conn, sorted(segments)):
        if (used.segment_id, used.content_id) not in unchanged:
            pairs.setdefault(used.segment_id, set()).add((used.scope_id, used.asset_id))
    return {
        root: frozenset(pair for member in members for pair in pairs.get(member.segment_id, ()))
        for root, members in groups.items()
    }


async def _unchanged(conn: Conn, judged: Judged) -> set[tuple[int, int]]:
    """Return the (segment, content) pairs that stay unchanged because every cause of that content is waived."""
    if not judged.own_waived.any():
        return set()
    waived: dict[tuple[int, int], bool] = {}
    for cause in judged.own_causes():
        if cause.content is not None:
            key = cause.place, cause.content
            waived[key] = waived.get(key, True) and cause.waived
    marked = np.zeros(judged.size, np.bool_)
    marked[[place for (place, _), all_waived in waived.items() if all_waived]] = True
    members = await members_at(conn, judged, marked)
    return {
        (members[place].segment_id, content)
        for (place, content), all_waived in waived.items()
        if all_waived and place in members
    }
