"""Finds the segments that a selection is about, from the same judgement as the report."""

from collections.abc import Sequence
from typing import NamedTuple

from genlock.db.connection import Conn, rows
from genlock.staleness.judge import judge
from genlock.staleness.model import RootKey
from genlock.staleness.places_sql import members_at
from genlock.staleness.present_sql import load_projects


class Reported(NamedTuple):
    """Stale segments, segments where that is waived, and the indices of the requested roots that hold for any."""

    stale: set[int]
    waived: set[int]
    places: set[int]


async def reported(conn: Conn, project_id: int, roots: Sequence[RootKey] | None) -> Reported:
    """Return what the report says of some roots (``None``: of all)."""
    judged = judge((await load_projects(conn, [project_id])).present)
    indices = list(range(len(judged.present.roots))) if roots is None else judged.root_indices(roots)
    stale, waived = judged.stale_by(indices), judged.waived_by(indices)
    members = await members_at(conn, judged, stale | waived)
    held = {*judged.covers.root[judged.covers.end > judged.covers.start].tolist(), *judged.accepted.root.tolist()}
    return Reported(
        {member.segment_id for place, member in members.items() if stale[place]},
        {member.segment_id for place, member in members.items() if not stale[place]},
        {place for place, index in enumerate(indices) if index in held},
    )


async def pinned(conn: Conn, project_id: int, assets: Sequence[int] | None) -> set[int]:
    """Return the segments that match a pin of these assets (``None``: any) while another content is active."""
    segments = await rows(
        conn,
        """
        SELECT DISTINCT i.segment_id
          FROM scene_scopes s
          JOIN scope_pins p ON p.scope_id = s.scope_id
          JOIN assets a ON a.id = p.asset_id
          JOIN contents pinned ON pinned.asset_id = a.id AND pinned.version = p.number
          JOIN contents active ON active.asset_id = a.id AND active.version = a.active_version
          JOIN contents c ON c.asset_id = a.id AND c.effective_digest = pinned.effective_digest
          JOIN current_inputs i ON i.content_id = c.id AND i.project_id = s.project_id AND i.scene_id = s.scene_id
         WHERE s.project_id = %(project_id)s AND pinned.effective_digest <> active.effective_digest
           AND (%(assets)s::bigint[] IS NULL OR a.id = ANY(%(assets)s::bigint[]))
        """,
        project_id=project_id,
        assets=None if assets is None else list(assets),
    )
    return {row["segment_id"] for row in segments}


async def segments_in(conn: Conn, project_id: int, scene_ids: Sequence[int]) -> tuple[set[int], set[int]]:
    """Return the segments of scenes of a project, without archived ones, and which of the scenes exist."""
    pairs = await rows(
        conn,
        """
        SELECT s.id AS scene_id, g.id AS segment_id
          FROM scenes s LEFT JOIN segments g ON g.scene_id = s.id AND g.position IS NOT NULL
         WHERE s.project_id = %(project_id)s AND s.id = ANY(%(scenes)s)
        """,
        project_id=project_id,
        scenes=list(scene_ids),
    )
    segments = {row["segment_id"] for row in pairs if row["segment_id"] is not None}
    return segments, {row["scene_id"] for row in pairs}


async def scenes_with(conn: Conn, project_id: int, segment_ids: Sequence[int]) -> tuple[list[int], set[int]]:
    """Return the scenes that segments of a project are in, and which of the segments exist."""
    pairs = await rows(
        conn,
        "SELECT id, scene_id FROM segments WHERE project_id = %(project_id)s AND id = ANY(%(segments)s)",
        project_id=project_id,
        segments=list(segment_ids),
    )
    return sorted({row["scene_id"] for row in pairs}), {row["id"] for row in pairs}
