"""Finds segments by where they are in a judgement, and the judgement of given segments."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from genlock.db.connection import Conn, pipelined, rows
from genlock.staleness.arrays import Bools, Ints, integers, read_integers
from genlock.staleness.judge import Judged, judge
from genlock.staleness.model import State
from genlock.staleness.present_sql import AskedPresent, Placed, ask_present, receive_present


class Place(NamedTuple):
    """Where a segment is: the index of its run, and its position in it."""

    run: int
    position: int


class JudgedSegments(NamedTuple):
    """Some segments with the judgement of their runs; segments without a selected take have no place."""

    judged: Judged
    places: dict[int, Place]

    def states(self, segment_ids: Sequence[int]) -> dict[int, State]:
        """Return the state of each segment."""
        codes = self.judged.state_of(
            integers([place.run for place in self.places.values()]),
            integers([place.position for place in self.places.values()]),
        )
        judged = dict(zip(self.places, codes, strict=True))
        return {segment_id: judged.get(segment_id, State.EMPTY) for segment_id in segment_ids}


class Member(NamedTuple):
    """A segment at a place of a judgement, with its run's id and its scene."""

    segment_id: int
    run_id: int
    scene_id: int


async def ask_segments(conn: Conn, segment_ids: Sequence[int]) -> AskedPresent:
    """Request the judgement of some segments; for ``receive_segments``."""
    return await ask_present(conn, segments=segment_ids)


async def receive_segments(request: AskedPresent) -> JudgedSegments:
    """Wait for segments that were requested, and judge their runs."""
    loaded = await receive_present(request)
    return at_places(judge(loaded.present), loaded.placed)


def at_places(judged: Judged, placed: Placed) -> JudgedSegments:
    """Return some segments in a judgement of their runs."""
    run = judged.present.run_index(placed.run).tolist()
    places = zip(placed.segment.tolist(), run, placed.position.tolist(), strict=True)
    return JudgedSegments(judged, {segment_id: Place(run, position) for segment_id, run, position in places})


async def judge_segments(conn: Conn, segment_ids: Sequence[int]) -> JudgedSegments:
    """Judge the runs of some segments."""
    async with pipelined(conn):
        return await receive_segments(await ask_segments(conn, segment_ids))


async def states_of(conn: Conn, segment_ids: Sequence[int]) -> dict[int, State]:
    """Return the state of each segment."""
    return (await judge_segments(conn, segment_ids)).states(segment_ids)


async def members_at(conn: Conn, judged: Judged, places: Bools) -> dict[int, Member]:
    """Return the segments at the marked places of a judgement, by place."""
    place = np.flatnonzero(places)
    run = judged.run_of_place[place]
    members = await rows(
        conn,
        """
        SELECT t.segment_id, t.run_id, t.run_position, t.scene_id
          FROM unnest(%(runs)s::bigint[], %(positions)s::int[]) AS p (run_id, run_position)
          JOIN selected_takes t ON t.run_id = p.run_id AND t.run_position = p.run_position
        """,
        runs=judged.present.runs.id[run].tolist(),
        positions=(place - judged.base[run] + 1).tolist(),
    )
    at = judged.places(
        judged.present.run_index(integers([row["run_id"] for row in members])),
        integers([row["run_position"] for row in members]),
    )
    return {
        number: Member(row["segment_id"], row["run_id"], row["scene_id"])
        for number, row in zip(at.tolist(), members, strict=True)
    }


class Ordered(NamedTuple):
    """Segments in the order of their project: their ids, where they are, and their places."""

    segment_id: Ints
    scene_position: Ints
    position: Ints
    run_id: Ints
    run_position: Ints


async def segments_of_scenes(
    conn: Conn, scene_ids: Sequence[int], after: tuple[int, int], limit: int | None
) -> Ordered:
    """Return segments of some scenes in order, those after a scene position and position; run 0 without a take."""
    return _ordered(
        await rows(
            conn,
            """
            SELECT array_send(array_agg(g.id)) AS segment_id,
                   array_send(array_agg(g.scene_position)) AS scene_position,
                   array_send(array_agg(g.position)) AS position,
                   array_send(array_agg(coalesce(t.run_id, 0))) AS run_id,
                   array_send(array_agg(coalesce(t.run_position, 0))) AS run_position
              FROM (SELECT g.id, s.position AS scene_position, g.position
                      FROM scenes s
                      JOIN segments g ON g.scene_id = s.id AND g.position IS NOT NULL
                     WHERE s.id = ANY(%(scenes)s::bigint[])
                       AND (s.position, g.position) > (%(after_scene)s, %(after_position)s)
                     ORDER BY s.position, g.position
                     LIMIT %(limit)s) AS g
              LEFT JOIN selected_takes t ON t.segment_id = g.id
            """,
            scenes=list(scene_ids),
            after_scene=after[0],
            after_position=after[1],
            limit=limit,
        )
    )


async def segments_named(conn: Conn, project_id: int, scene_id: int | None, q: str) -> Ordered:
    """Return a project's segments with names that begin with ``q``, in order."""
    return _ordered(
        await rows(
            conn,
            """
            SELECT array_send(array_agg(g.id)) AS segment_id,
                   array_send(array_agg(s.position)) AS scene_position,
                   array_send(array_agg(g.position)) AS position,
                   array_send(array_agg(coalesce(t.run_id, 0))) AS run_id,
                   array_send(array_agg(coalesce(t.run_position, 0))) AS run_position
              FROM segments g
              JOIN scenes s ON s.id = g.scene_id AND s.archived_at IS NULL
              JOIN projects p ON p.id = g.project_id AND p.archived_at IS NULL
              LEFT JOIN selected_takes t ON t.segment_id = g.id
             WHERE g.project_id = %(project_id)s AND g.position IS NOT NULL
               AND (%(scene_id)s::bigint IS NULL OR g.scene_id = %(scene_id)s)
               AND g.name COLLATE "C" >= %(q)s AND g.name COLLATE "C" <= %(last)s AND starts_with(g.name, %(q)s)
            """,
            project_id=project_id,
            scene_id=scene_id,
            q=q,
            last=q + "\U0010ffff",
        )
    )


def _ordered(arrays: Sequence[dict[str, bytes | None]]) -> Ordered:
    (row,) = arrays
    ordered = Ordered(*map(read_integers, row.values()))
    order = np.lexsort((ordered.position, ordered.scene_position))
    return Ordered(*(column[order] for column in ordered))


async def places_using(
    conn: Conn, judged: Judged, project_ids: Sequence[int], asset_id: int, version: int | None
) -> Ints:
    """Return the places, each once, whose selected take used an asset, or exactly one version of it."""
    (row,) = await rows(
        conn,
        """
        SELECT array_agg(i.run_id) AS runs, array_agg(i.run_position) AS positions
          FROM contents c
         CROSS JOIN LATERAL (SELECT run_id, run_position FROM current_inputs
                              WHERE content_id = c.id AND project_id = ANY(%(projects)s::bigint[]) OFFSET 0) AS i
         WHERE c.asset_id = %(asset_id)s AND (%(version)s::int IS NULL OR c.version = %(version)s)
        """,
        projects=list(project_ids),
        asset_id=asset_id,
        version=version,
    )
    run, position = integers(row["runs"] or ()), integers(row["positions"] or ())
    existing = judged.present.runs.hold(run, position)
    return np.unique(judged.places(judged.present.run_index(run[existing]), position[existing]))
