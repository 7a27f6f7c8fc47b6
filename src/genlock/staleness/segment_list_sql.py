"""Queries of scenes in order, their numbers of segments, and pages of segments without a filter."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from genlock.db.connection import Conn, rows, scalar
from genlock.staleness.arrays import Ints, integers, read_integers
from genlock.staleness.places_sql import Ordered


class SceneOrder(NamedTuple):
    """Scenes in the order of their project: their ids, their positions, and how many segments each has."""

    id: Ints
    position: Ints
    segments: Ints


class PlainPage(NamedTuple):
    """Segments in order without their places, and how many there are in all."""

    segments: Ordered
    total: int


async def scene_order(conn: Conn, project_id: int) -> SceneOrder:
    """Return a project's scenes in order; none of an archived project, no archived scene."""
    (row,) = await rows(
        conn,
        """
        SELECT array_send(array_agg(id)) AS id, array_send(array_agg(position)) AS position,
               array_send(array_agg(segments_total)) AS segments
          FROM (SELECT s.id, s.position, s.segments_total
                  FROM scenes s JOIN projects p ON p.id = s.project_id
                 WHERE s.project_id = %(project_id)s AND s.archived_at IS NULL AND p.archived_at IS NULL
                 ORDER BY s.position) AS ordered
        """,
        project_id=project_id,
    )
    return SceneOrder(*(read_integers(values) for values in row.values()))


async def scenes_by_id(conn: Conn, scene_ids: Sequence[int]) -> dict[int, int]:
    """Return the number of segments of those of some scenes that are not archived, by id."""
    scenes = await rows(
        conn,
        """
        SELECT s.id, s.segments_total
          FROM scenes s JOIN projects p ON p.id = s.project_id
         WHERE s.id = ANY(%(scenes)s::bigint[]) AND s.archived_at IS NULL AND p.archived_at IS NULL
        """,
        scenes=list(scene_ids),
    )
    return {row["id"]: row["segments_total"] for row in scenes}


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
    total: int = await scalar(
        conn,
        """
        SELECT coalesce(sum(s.segments_total), 0)::bigint
          FROM scenes s JOIN projects p ON p.id = s.project_id
         WHERE s.project_id = %(project_id)s AND s.archived_at IS NULL AND p.archived_at IS NULL
           AND (%(scene_id)s::bigint IS NULL OR s.id = %(scene_id)s)
        """,
        project_id=project_id,
        scene_id=scene_id,
    )
    return PlainPage(_without_places(segments), total)


async def named_page(
    conn: Conn, project_id: int, scene_id: int | None, q: str, after: tuple[int, int], limit: int
) -> PlainPage:
    """Return segments with names that begin with ``q`` in order, after a scene position and position."""
    segments = await rows(
        conn,
        """
        WITH named AS MATERIALIZED (
            SELECT g.id AS segment_id, s.position AS scene_position, g.position
              FROM segments g
              JOIN scenes s ON s.id = g.scene_id AND s.archived_at IS NULL
              JOIN projects p ON p.id = g.project_id AND p.archived_at IS NULL
             WHERE g.project_id = %(project_id)s AND g.position IS NOT NULL
               AND (%(scene_id)s::bigint IS NULL OR g.scene_id = %(scene_id)s)
               AND g.name COLLATE "C" >= %(q)s AND g.name COLLATE "C" <= %(last)s AND starts_with(g.name, %(q)s)
        )
        SELECT total.named, page.*
          FROM (SELECT count(*) AS named FROM named) AS total
          LEFT JOIN (SELECT * FROM named
                      WHERE (scene_position, position) > (%(after_scene)s, %(after_position)s)
                      ORDER BY scene_position, position
                      LIMIT %(limit)s) AS page ON true
         ORDER BY page.scene_position, page.position
        """,
        project_id=project_id,
        scene_id=scene_id,
        q=q,
        last=q + "\U0010ffff",
        after_scene=after[0],
        after_position=after[1],
        limit=limit,
    )
    return PlainPage(_without_places([row for row in segments if row["segment_id"]]), segments[0]["named"])


def _without_places(segments: Sequence[Mapping[str, int]]) -> Ordered:
    columns = [integers([row[name] for row in segments]) for name in ("segment_id", "scene_position", "position")]
    return Ordered(*columns, *np.zeros((2, len(segments)), np.int64))
