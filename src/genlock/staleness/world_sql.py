"""Loads what reports and counts are added up from: arrays out of covering indexes, and the few runs that are walked.

contents that are out of date ─▶ where they are used ─┐
broken links ─────────────────────────────────────────┼─▶ one row of packed arrays ─▶ world.Present
runs, scopes, pins ───────────────────────────────────┘
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple, TypeVar

import numpy as np
from psycopg.rows import dict_row

from genlock.db.connection import Conn, ask, pipelined, plan_once
from genlock.staleness import causes_sql
from genlock.staleness.tally import Part, Walked
from genlock.staleness.world import Hits, Ints, Outdated, Pinned, Present, Root, Runs, Scoped

T = TypeVar("T")

# Arrays go over the wire as PostgreSQL sends arrays, so that nothing is made for each number.
_PACKED: LiteralString = (
    causes_sql.UNMATCHED_OF_PROJECTS
    + causes_sql.WALKED_RUNS
    + """
, place AS MATERIALIZED (
    SELECT (row_number() OVER ())::int - 1 AS place, project_id, content_id, scope_id, world, direct, root_asset_id,
           root_used, root_expected
      FROM moved
), hit AS (
    SELECT p.place, i.run_id, i.run_position
      FROM place p
     CROSS JOIN LATERAL (
           -- OFFSET 0: looked up by index, content by content, whatever the planner expects to find.
           SELECT run_id, run_position FROM current_inputs
            WHERE content_id = p.content_id AND project_id = p.project_id AND judged
           OFFSET 0) AS i
     UNION ALL
    SELECT -1, t.run_id, t.run_position
      FROM broken_links b JOIN selected_takes t ON t.segment_id = b.segment_id
     WHERE b.project_id = ANY(%(projects)s::bigint[])
)
SELECT now() AS as_of, h.*, p.*, r.*,
       (SELECT array_send(array_agg(run_id)) FROM walked_runs) AS walked_runs,
       (SELECT array_send(array_agg(run_id)) FROM unmatched WHERE root_asset IN (SELECT asset_id FROM would_be))
       AS expecting,
       (SELECT json_agg(json_build_array(id, project_id, scene_id)) FROM scoped) AS scopes,
       (SELECT json_agg(json_build_array(project_id, scene_id, asset_id))
          FROM pins WHERE project_id = ANY(%(projects)s::bigint[])) AS pins
  FROM (SELECT array_send(array_agg(place)) AS hit_what, array_send(array_agg(run_id)) AS hit_run,
               array_send(array_agg(run_position)) AS hit_position
          FROM hit) AS h,
       (SELECT array_send(array_agg(project_id)) AS project, array_send(array_agg(scope_id)) AS scope,
               array_send(array_agg(world)) AS world, array_send(array_agg(direct::int)) AS direct,
               array_send(array_agg(root_asset_id)) AS asset, array_send(array_agg(root_used)) AS used,
               array_send(array_agg(root_expected)) AS expected
          FROM place) AS p,
       (SELECT array_send(array_agg(run_id)) AS run,
               array_send(array_agg(project_id) FILTER (WHERE cardinality(%(projects)s::bigint[]) > 1)) AS run_project,
               array_send(array_agg(scene_id)) AS run_scene, array_send(array_agg(length)) AS run_length,
               array_send(array_agg(run_id) FILTER (WHERE unknown_from IS NOT NULL)) AS unknown_run,
               array_send(array_agg(unknown_from) FILTER (WHERE unknown_from IS NOT NULL)) AS unknown_from,
               array_send(array_agg(coalesce(workload_id, 0))) AS run_workload
          FROM runs WHERE project_id = ANY(%(projects)s::bigint[])) AS r
"""
)
_PRESENT: LiteralString = causes_sql.NOW + _PACKED
_TWO_WORLDS: LiteralString = causes_sql.TWO_WORLDS + _PACKED

_RANGES: LiteralString = (
    causes_sql.OF_RUNS
    + causes_sql.JUDGED_RUNS
    + """
, part AS (
    SELECT json_build_array(
               s.project_id, s.root_kind, s.root_asset, s.root_used, coalesce(s.root_expected, 0), s.scene_id,
               positions(s.cover), positions(s.direct),
               (SELECT coalesce(json_object_agg(load.workload_id, load.many), '{}')
                  FROM (SELECT t.workload_id, count(*) AS many FROM selected_takes t
                         WHERE t.run_id = s.run_id AND t.run_position <@ s.cover AND t.workload_id IS NOT NULL
                         GROUP BY t.workload_id) AS load)) AS one
      FROM spread s
     WHERE s.cover <> '{}'
), ranged AS (
    SELECT run_id, coalesce(range_agg(direct) FILTER (WHERE root_kind = 0), '{}') AS superseded,
           coalesce(range_agg(direct) FILTER (WHERE root_kind = 1), '{}') AS unmatched,
           coalesce(range_agg(direct) FILTER (WHERE root_kind = 2), '{}') AS chain,
           coalesce(range_agg(cover - direct), '{}') AS derived
      FROM spread GROUP BY run_id
), run AS (
    SELECT json_build_array(
               j.run_id, j.project_id, j.scene_id, positions(j.stale), positions(j.unknown), positions(j.waived),
               positions(coalesce(r.superseded, '{}')), positions(coalesce(r.chain, '{}')),
               positions(coalesce(r.derived, '{}')), positions(coalesce(r.unmatched, '{}'))) AS one
      FROM judged j LEFT JOIN ranged r ON r.run_id = j.run_id
)
SELECT (SELECT json_agg(one) FROM part) AS parts, (SELECT json_agg(one) FROM run) AS runs
"""
)
_WALKED_NOW: LiteralString = causes_sql.NOW + _RANGES
_WALKED_IF: LiteralString = causes_sql.WHAT_IF + _RANGES


class Loaded(NamedTuple):
    """Some projects at a time, with the runs that are walked."""

    as_of: datetime
    present: Present
    walked: tuple[Walked, ...]
    parts: tuple[Part, ...]


async def load(conn: Conn, project_ids: Sequence[int], meanwhile: Callable[[Present], T]) -> tuple[Loaded, T]:
    """What the reports and counts of some projects are added up from, now.

    ``meanwhile`` is what to make of the arrays: it is made while PostgreSQL works on what is walked.
    """
    return await _load(conn, _PRESENT, _WALKED_NOW, {"projects": list(project_ids)}, {}, meanwhile)


async def load_worlds(
    conn: Conn,
    project_ids: Sequence[int],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    meanwhile: Callable[[Present], T],
) -> tuple[Loaded, T]:
    """The same in two worlds at once; walked runs as they are in the one after."""
    worlds = {**{f"before_{name}": value for name, value in before.items()}, **after}
    return await _load(conn, _TWO_WORLDS, _WALKED_IF, {"projects": list(project_ids), **worlds}, after, meanwhile)


async def _load(
    conn: Conn,
    packed: LiteralString,
    ranges: LiteralString,
    params: Mapping[str, Any],
    world: Mapping[str, Any],
    meanwhile: Callable[[Present], T],
) -> tuple[Loaded, T]:
    await plan_once(conn)
    async with conn.cursor(row_factory=dict_row, binary=True) as cursor:
        await cursor.execute(packed, params)
        (row,) = await cursor.fetchall()
    present = _present(row, params["projects"])
    runs = present.walked_runs.tolist()
    if not runs:
        return Loaded(row["as_of"], present, (), ()), meanwhile(present)
    async with pipelined(conn):
        asked = await ask(conn, ranges, projects=params["projects"], runs=runs, **world)
        made = meanwhile(present)
        (found,) = await asked.fetchall()
    walked = tuple(Walked(*one) for one in found["runs"] or ())
    parts = tuple(_part(*one) for one in found["parts"] or ())
    return Loaded(row["as_of"], present, walked, parts), made


async def takes_of(conn: Conn, runs: Sequence[int]) -> tuple[Ints, Ints, Ints]:
    """The run, position and workload of every selected take of some runs of which the workload is known."""
    if not runs:
        return _integers(None), _integers(None), _integers(None)
    async with conn.cursor(row_factory=dict_row, binary=True) as cursor:
        await cursor.execute(
            """
            SELECT array_send(array_agg(run_id)) AS run, array_send(array_agg(run_position)) AS position,
                   array_send(array_agg(workload_id)) AS workload
              FROM selected_takes
             WHERE run_id = ANY(%(runs)s) AND workload_id IS NOT NULL
            """,
            {"runs": list(runs)},
        )
        (row,) = await cursor.fetchall()
    return _integers(row["run"]), _integers(row["position"]), _integers(row["workload"])


def _present(row: Mapping[str, Any], project_ids: Sequence[int]) -> Present:
    ids = _integers(row["run"])
    order = np.argsort(ids, kind="stable")  # nearly in order
    ids = ids[order]
    unknown_from = np.zeros(len(ids), np.int64)
    unknown_from[np.searchsorted(ids, _integers(row["unknown_run"]))] = _integers(row["unknown_from"])
    one = len(project_ids) == 1
    return Present(
        runs=Runs(
            id=ids,
            project=np.full(len(ids), project_ids[0]) if one else _integers(row["run_project"])[order],
            unknown_from=unknown_from,
            **{name: _integers(row[f"run_{name}"])[order] for name in ("scene", "length", "workload")},
        ),
        outdated=Outdated(
            *(_integers(row[name]) for name in ("project", "scope", "world", "direct", "asset", "used", "expected"))
        ),
        hits=Hits(*(_integers(row[f"hit_{name}"]) for name in ("what", "run", "position"))),
        scopes=[Scoped(*one) for one in row["scopes"] or ()],
        pins=[Pinned(*one) for one in row["pins"] or ()],
        walked_runs=_integers(row["walked_runs"]),
        expecting=_integers(row["expecting"]),
    )


def _part(
    project_id: int,
    kind: int,
    asset: int,
    used: int,
    expected: int,
    scene_id: int,
    segments: int,
    direct: int,
    shares: Mapping[str, int],
) -> Part:
    loads = {int(workload): many for workload, many in shares.items()}
    return Part(Root(project_id, kind, asset, used, expected), scene_id, segments, direct, loads)


_HEADER = 20
"""Bytes before the elements of an array of one dimension: dimensions, flags, type, length, lower bound."""


def _integers(sent: bytes | None) -> Ints:
    """The elements of an ``int4[]`` or ``int8[]`` without nulls as PostgreSQL sends it; nothing for null."""
    if sent is None:
        return np.zeros(0, np.int64)
    width = int.from_bytes(sent[_HEADER : _HEADER + 4])
    element = np.dtype([("width", ">i4"), ("value", f">i{width}")])
    return np.frombuffer(sent, element, offset=_HEADER)["value"].astype(np.int64)
