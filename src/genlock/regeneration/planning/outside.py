"""What a plan that makes versions will mean outside itself: its what-if, told before anything runs."""

from collections.abc import Sequence
from typing import Any, LiteralString

from genlock.db.connection import Conn, rows
from genlock.regeneration.model import PlanNote
from genlock.regeneration.planning.draft import Draft
from genlock.regeneration.planning.remake import with_remakes
from genlock.regeneration.planning.situation import Situation
from genlock.staleness import causes_sql, impact_sql, outdated_sql
from genlock.staleness.outdated import outdated

_OUTSIDE: LiteralString = (
    causes_sql.WHAT_IF
    + causes_sql.OF_PROJECTS
    + """
SELECT s.root_asset, s.root_used, s.root_expected, count(DISTINCT t.segment_id) AS segments,
       count(DISTINCT t.scene_id) AS scenes
  FROM spread s
  JOIN unnest(%(activated)s::bigint[], %(activated_numbers)s::int[]) AS m (asset_id, number)
    ON s.root_kind = 0 AND s.root_asset = m.asset_id AND s.root_expected = m.number
  JOIN selected_takes t ON t.run_id = s.run_id AND t.run_position <@ s.cover
 WHERE t.segment_id <> ALL(%(fresh)s::bigint[])
 GROUP BY 1, 2, 3
 ORDER BY 1, 2, 3
"""
)


async def consequences(conn: Conn, situation: Situation, draft: Draft) -> tuple[PlanNote, ...]:
    """For each version that the draft makes: how many segments outside it will be stale once that is active."""
    made = draft.remakes.in_order()
    if not made:
        return ()
    affected = await outdated_sql.load_affected(conn, [one.asset_id for one in made])
    lineage = with_remakes(affected.lineage, made)
    world = outdated(lineage, affected.scopes, affected.assets)
    projects = await impact_sql.projects_using(conn, sorted({one.content_id for one in world if one.content_id > 0}))
    found = await rows(
        conn,
        _OUTSIDE,
        projects=projects,
        runs=None,
        replaced=sorted(affected.assets),
        activated=[one.asset_id for one in made],
        activated_numbers=[one.number for one in made],
        fresh=_fresh_afterwards(draft),
        **outdated_sql.as_arrays(world),
    )
    return tuple(_note(situation, row) for row in found)


def _fresh_afterwards(draft: Draft) -> Sequence[int]:
    """The segments that the draft makes fresh: not those that keep an earlier version, nor what continues them."""
    made = set(draft.remakes.made)
    keeping: set[int] = set()
    fresh: list[int] = []
    for step in draft.steps:
        lines = step.wish.inputs if step.wish is not None else ()
        if any(line.asset in made and line.open is None for line in lines):
            keeping.add(step.chain)
        if step.segment_id is not None and step.chain not in keeping:
            fresh.append(step.segment_id)
    return fresh


def _note(situation: Situation, row: dict[str, Any]) -> PlanNote:
    name = situation.named(row["root_asset"]).name
    segments, scenes = row["segments"], row["scenes"]
    return PlanNote(
        code="will_be_stale",
        asset_id=row["root_asset"],
        segments=segments,
        message=f"{segments} segment{'' if segments == 1 else 's'} "
        f"{'in 1 scene' if scenes == 1 else f'across {scenes} scenes'} outside this plan "
        f"{'uses' if segments == 1 else 'use'} {name} v{row['root_used']} and will be stale: this plan makes and "
        f"activates {name} v{row['root_expected']}.",
    )
