"""Scenes in order, how many segments they have, and pages of segments without a filter."""

from collections.abc import Sequence
from typing import NamedTuple

from genlock.db.connection import Conn, rows
from genlock.staleness.arrays import integers
from genlock.staleness.places_sql import Ordered


class SceneRow(NamedTuple):
    """A scene in its project, with the number of its segments."""

    id: int
    position: int
    segments: int


class PlainPage(NamedTuple):
    """Segments in order without their places, and how many there are in all."""

    segments: Ordered
    total: int


async def scene_order(conn: Conn, project_id: int, scene_id: int | None) -> tuple[SceneRow, ...]:
    """Return a project's scenes, or one of them, in order; none of an archived project, no archived scene."""
    scenes = await rows(
        conn,
        """
        SELECT s.id, s.position, s.segments_total
          FROM scenes s JOIN projects p ON p.id = s.project_id
         WHERE s.project_id = %(project_id)s AND s.archived_at IS NULL AND p.archived_at IS NULL
           AND (%(scene_id)s::bigint IS NULL OR s.id = %(scene_id)s)
         ORDER BY s.position
        """,
        project_id=project_id,
        scene_id=scene_id,
    )
    return tuple(SceneRow(row["id"], row["position"], row["segments_total"]) for row in scenes)


async def scenes_by_id(conn: Conn, scene_ids: Sequence[int]) -> tuple[SceneRow, ...]:
    """Return those of some scenes that are not archived, in no order."""
    scenes = await rows(
        conn,
        """
        SELECT s.id, s.position, s.segments_total
          FROM scenes s JOIN projects p ON p.id = s.project_id
         WHERE s.id = ANY(%(scenes)s::bigint[]) AND s.archived_at IS NULL AND p.archived_at IS NULL
        """,
        scenes=list(scene_ids),
    )
    return tuple(SceneRow(row["id"], row["position"], row["segments_total"]) for row in scenes)


async def segments_by_project(conn: Conn, project_ids: Sequence[int]) -> dict[int, int]:
    """Return the number of segments of each project with scenes; archived scenes and projects have none."""
    sums = await rows(
        conn,
        """
        SELECT s.project_id, sum(s.segments_total)::bigint AS segments
          FROM scenes s JOIN projects p ON p.id = s.project_id
         WHERE s.project_id = ANY(%(projects)s::bigint[]) AND s.archived_at IS NULL AND p.archived_at IS NULL
         GROUP BY s.project_id
        """,
        projects=list(project_ids),
    )
    return {row["project_id"]: row["segments"] for row in sums}


async def plain_page(
    conn: Conn, project_id: int, scene_id: int | None, after: tuple[int, int], limit: int
) -> PlainPage:
    """Return segments in order after a scene position and position: their states do not matter here."""
    segments = await rows(
        conn,
        """
        SELECT g.id AS segment_id, s.position AS scene_position, g.position
          FROM (SELECT s.id, s.position FROM scenes s JOIN projects p ON p.id = s.project_id
                 WHERE s.project_id = %(project_id)s AND s.archived_at IS NULL AND p.archived_at IS NULL
                   AND (%(scene_id)s::bigint IS NULL OR s.id = %(scene_id)s)
                   AND s.position >= %(after_scene)s) AS s
          JOIN segments g ON g.scene_id = s.id AND g.position IS NOT NULL
         WHERE (s.position, g.position) > (%(after_scene)s, %(after_position)s)
         ORDER BY s.position, g.position
         LIMIT %(limit)s
        """,
        project_id=project_id,
        scene_id=scene_id,
        after_scene=after[0],
        after_position=after[1],
        limit=limit,
    )
    none = integers([0] * len(segments))
    ids, scene_positions, positions = (
        integers([row[name] for row in segments]) for name in ("segment_id", "scene_position", "position")
    )
    scenes = await scene_order(conn, project_id, scene_id)
    return PlainPage(Ordered(ids, scene_positions, positions, none, none), sum(scene.segments for scene in scenes))
