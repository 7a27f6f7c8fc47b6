"""The what-if of a plan that makes versions: its consequences outside the plan, reported before it runs."""

from collections.abc import Sequence

import numpy as np

from genlock.db.connection import Conn
from genlock.regeneration.model import PlanNote
from genlock.regeneration.planning.draft import Draft
from genlock.regeneration.planning.remake import with_remakes
from genlock.regeneration.planning.situation import Situation
from genlock.staleness import outdated_versions_sql, what_if_sql
from genlock.staleness.judge import judge
from genlock.staleness.model import RootKey, RootKind
from genlock.staleness.outdated_versions import outdated, unmatched
from genlock.staleness.places_sql import members_at
from genlock.staleness.present_sql import Instead, load_projects


async def consequences(conn: Conn, situation: Situation, draft: Draft) -> tuple[PlanNote, ...]:
    """Return a note for each version that the draft makes: how many other segments its activation will make stale."""
    remakes = draft.remakes.in_order()
    if not remakes:
        return ()
    affected = await outdated_versions_sql.load_affected(conn, [remake.asset_id for remake in remakes])
    lineage = with_remakes(affected.lineage, remakes)
    world = frozenset(outdated(lineage, affected.scopes, affected.assets)) | frozenset(
        unmatched(lineage, affected.scopes, affected.unmatched)
    )
    contents = sorted({row.content_id for row in world if row.content_id > 0})
    projects = await what_if_sql.projects_using(conn, contents)
    judged = judge((await load_projects(conn, projects, Instead(affected.assets, world, world))).present)
    active = {(remake.asset_id, remake.number) for remake in remakes}
    roots = sorted(
        (root, index)
        for index, root in enumerate(judged.present.roots)
        if root.kind == RootKind.ASSET and (root.asset, root.expected) in active
    )
    members = await members_at(conn, judged, judged.stale_by([index for _, index in roots]))
    fresh = set(_fresh_afterwards(draft))
    notes: list[PlanNote] = []
    for root, index in roots:
        stale = [members[place] for place in np.flatnonzero(judged.stale_by([index])).tolist() if place in members]
        outside = [member for member in stale if member.segment_id not in fresh]
        if outside:
            notes.append(_note(situation, root, len(outside), len({member.scene_id for member in outside})))
    return tuple(notes)


def _fresh_afterwards(draft: Draft) -> Sequence[int]:
    """Return the segments that the draft makes fresh, without those that keep an earlier version or continue one."""
    remade = set(draft.remakes.by_asset)
    keeping: set[int] = set()
    fresh: list[int] = []
    for step in draft.steps:
        lines = step.recipe.inputs if step.recipe is not None else ()
        if any(line.asset in remade and line.open is None for line in lines):
            keeping.add(step.chain)
        if step.segment_id is not None and step.chain not in keeping:
            fresh.append(step.segment_id)
    return fresh


def _note(situation: Situation, root: RootKey, segments: int, scenes: int) -> PlanNote:
    name = situation.named(root.asset).name
    return PlanNote(
        code="will_be_stale",
        asset_id=root.asset,
        segments=segments,
        message=f"{segments} segment{'' if segments == 1 else 's'} "
        f"{'in 1 scene' if scenes == 1 else f'across {scenes} scenes'} outside this plan "
        f"{'uses' if segments == 1 else 'use'} {name} v{root.used} and will be stale: this plan makes and "
        f"activates {name} v{root.expected}.",
    )
