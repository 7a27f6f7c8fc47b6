"""Loads the present of some runs: whole projects, some scenes, or the runs of some segments.

Two statements, whatever is loaded; they judge nothing. Arrays are sent as PostgreSQL sends arrays, so that no object is
created for each number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, LiteralString, NamedTuple

import numpy as np
from psycopg.rows import dict_row

from genlock.db.connection import Conn, SentQuery, pipelined, plan_once, unindented
from genlock.staleness.arrays import Ints, integers, read_integers, read_pairs
from genlock.staleness.outdated_versions import Outdated
from genlock.staleness.present import (
    AFTER,
    BEFORE,
    BOTH,
    Links,
    Pinned,
    Present,
    Runs,
    Scoped,
    Sources,
    Uses,
    Waivers,
)

_RUNS: LiteralString = """
WITH place AS MATERIALIZED (
    SELECT segment_id, run_id, run_position FROM selected_takes WHERE segment_id = ANY(%(segments)s::bigint[])
), archived AS MATERIALIZED (
    SELECT segment_id, project_id, scene_id, unknown, workload_id
      FROM archived_takes
     WHERE segment_id = ANY(%(segments)s::bigint[])
), run AS (
    SELECT run_id, project_id, scene_id, length, unknown_from, workload_id
      FROM runs
     WHERE %(segments)s::bigint[] IS NULL AND %(scenes)s::bigint[] IS NULL
       AND project_id = ANY(%(projects)s::bigint[])
     UNION ALL
    SELECT run_id, project_id, scene_id, length, unknown_from, workload_id
      FROM runs
     WHERE project_id = ANY(%(projects)s::bigint[]) AND scene_id = ANY(%(scenes)s::bigint[])
     UNION ALL
    SELECT run_id, project_id, scene_id, length, unknown_from, workload_id
      FROM runs
     WHERE run_id = ANY(ARRAY(SELECT run_id FROM place))
     UNION ALL
    SELECT segment_id, project_id, scene_id, 1, CASE WHEN unknown THEN 1 END, workload_id FROM archived
), project AS MATERIALIZED (
    SELECT unnest(%(projects)s::bigint[]) AS id
     UNION
    SELECT project_id FROM segments WHERE id = ANY(%(segments)s::bigint[])
)
SELECT now() AS as_of, r.*, p.*,
       (SELECT json_agg(json_build_array(id, project_id, scene_id))
          FROM scopes WHERE project_id IN (SELECT id FROM project)) AS scopes,
       (SELECT json_agg(json_build_array(project_id, scene_id, asset_id))
          FROM pins WHERE project_id IN (SELECT id FROM project)) AS pins
  FROM (SELECT array_send(array_agg(run_id)) AS id,
               array_send(array_agg(project_id) FILTER (WHERE cardinality(%(projects)s::bigint[]) IS DISTINCT FROM 1))
               AS project,
               array_send(array_agg(scene_id)) AS scene, array_send(array_agg(length)) AS length,
               array_send(array_agg(run_id) FILTER (WHERE unknown_from IS NOT NULL)) AS unknown_run,
               array_send(array_agg(unknown_from) FILTER (WHERE unknown_from IS NOT NULL)) AS unknown_from,
               array_send(array_agg(coalesce(workload_id, 0))) AS workload
          FROM run) AS r,
       (SELECT array_send(array_agg(segment_id)) AS place_segment, array_send(array_agg(run_id)) AS place_run,
               array_send(array_agg(run_position)) AS place_position
          FROM (SELECT * FROM place UNION ALL SELECT segment_id, segment_id, 1 FROM archived) AS p) AS p
"""

# Whole projects: the contents that they use, then where those that are out of date are used. Single runs: the contents
# of each segment. OFFSET 0 keeps a lookup by index, row by row, whatever the planner expects.
_CAUSES: LiteralString = """
WITH project AS MATERIALIZED (
    SELECT unnest(%(projects)s::bigint[]) AS id
     UNION
    SELECT project_id FROM segments WHERE id = ANY(%(segments)s::bigint[])
), scope AS MATERIALIZED (
    SELECT 0::bigint AS id UNION ALL SELECT id FROM scopes WHERE project_id IN (SELECT id FROM project)
), segment AS (
    SELECT segment_id, run_id, run_position
      FROM selected_takes
     WHERE scene_id = ANY(%(scenes)s::bigint[])
        OR run_id = ANY(ARRAY(SELECT run_id FROM selected_takes WHERE segment_id = ANY(%(segments)s::bigint[])))
     UNION ALL
    SELECT segment_id, segment_id, 1 FROM archived_takes WHERE segment_id = ANY(%(segments)s::bigint[])
), input AS (
    SELECT i.content_id, s.run_id, s.run_position
      FROM segment s
     CROSS JOIN LATERAL (SELECT content_id FROM current_inputs WHERE segment_id = s.segment_id AND judged OFFSET 0) AS i
     UNION ALL
    SELECT content_id, segment_id, 1 FROM archived_inputs WHERE segment_id = ANY(%(segments)s::bigint[])
), used AS MATERIALIZED (
    SELECT content_id, project_id FROM usage_counts
     WHERE %(whole)s AND project_id = ANY(%(projects)s::bigint[]) AND content_id > 0
     UNION
    SELECT content_id, project_id FROM usage_deltas
     WHERE %(whole)s AND project_id = ANY(%(projects)s::bigint[]) AND content_id > 0
), source AS MATERIALIZED (
    SELECT c.id AS content_id, o.scope_id, o.direct, o.root_kind, o.root_asset_id, o.root_used,
           o.root_expected, o.root_used_digest || coalesce(o.root_expected_digest, sha256('')) AS digests
      FROM (SELECT content_id AS id FROM used UNION SELECT content_id FROM input) AS c
     CROSS JOIN LATERAL (SELECT * FROM stale_contents WHERE content_id = c.id OFFSET 0) AS o
     WHERE o.scope_id IN (SELECT id FROM scope) AND o.asset_id <> ALL(%(replaced)s::bigint[])
), stale AS (
    SELECT content_id FROM source UNION SELECT unnest(%(contents)s::bigint[])
), use AS MATERIALIZED (
    SELECT content_id, run_id, run_position FROM input WHERE content_id IN (SELECT content_id FROM stale)
     UNION ALL
    SELECT u.content_id, i.run_id, i.run_position
      FROM used u
     CROSS JOIN LATERAL (
           SELECT run_id, run_position FROM current_inputs
            WHERE content_id = u.content_id AND project_id = u.project_id AND judged
           OFFSET 0) AS i
     WHERE u.content_id IN (SELECT content_id FROM stale)
), link AS (
    SELECT t.run_id, t.run_position, b.used_digest || b.expected_digest AS digests
      FROM broken_links b JOIN selected_takes t ON t.segment_id = b.segment_id
     WHERE %(whole)s AND b.project_id = ANY(%(projects)s::bigint[])
     UNION ALL
    SELECT s.run_id, s.run_position, b.used_digest || b.expected_digest
      FROM segment s JOIN broken_links b ON b.segment_id = s.segment_id
), waiver AS (
    SELECT w.id, t.run_id, t.run_position, w.root_asset_id, w.used_digest || w.expected_digest AS digests
      FROM waivers_in_force w JOIN selected_takes t ON t.segment_id = w.segment_id
     WHERE %(whole)s AND w.project_id = ANY(%(projects)s::bigint[])
     UNION ALL
    SELECT w.id, s.run_id, s.run_position, w.root_asset_id, w.used_digest || w.expected_digest
      FROM segment s JOIN waivers_in_force w ON w.segment_id = s.segment_id
)
SELECT * FROM
    (SELECT array_send(array_agg(content_id)) AS source_content, array_send(array_agg(scope_id)) AS source_scope,
            array_send(array_agg(direct::int)) AS source_direct, array_send(array_agg(root_kind)) AS source_kind,
            array_send(array_agg(root_asset_id)) AS source_asset, array_send(array_agg(root_used)) AS source_used,
            array_send(array_agg(root_expected)) AS source_expected,
            string_agg(digests, '') AS source_digests
       FROM source) AS sources,
    (SELECT array_send(array_agg(content_id)) AS use_content, array_send(array_agg(run_id)) AS use_run,
            array_send(array_agg(run_position)) AS use_position
       FROM use) AS uses,
    (SELECT array_send(array_agg(run_id)) AS link_run, array_send(array_agg(run_position)) AS link_position,
            string_agg(digests, '') AS link_digests
       FROM link) AS links,
    (SELECT array_send(array_agg(id ORDER BY id)) AS waiver_id, array_send(array_agg(run_id ORDER BY id)) AS waiver_run,
            array_send(array_agg(run_position ORDER BY id)) AS waiver_position,
            array_send(array_agg(root_asset_id ORDER BY id)) AS waiver_asset,
            string_agg(digests, '' ORDER BY id) AS waiver_digests
       FROM waiver) AS waivers
"""


@dataclass(frozen=True)
class Instead:
    """The out-of-date contents of some assets in two worlds, which replace those of the database."""

    assets: frozenset[int] = frozenset()
    before: frozenset[Outdated] = frozenset()
    after: frozenset[Outdated] = frozenset()

    @cached_property
    def sources(self) -> Sources:
        """Return the rows of both worlds, each marked with the world in which it holds."""
        rows = [
            *((BOTH, row) for row in self.before & self.after),
            *((BEFORE, row) for row in self.before - self.after),
            *((AFTER, row) for row in self.after - self.before),
        ]
        return Sources(
            content=integers([row.content_id for _, row in rows]),
            scope=integers([row.scope_id for _, row in rows]),
            world=integers([world for world, _ in rows]),
            direct=integers([row.direct for _, row in rows]),
            kind=integers([row.kind for _, row in rows]),
            asset=integers([row.root[0] for _, row in rows]),
            used=integers([row.root[1] for _, row in rows]),
            expected=integers([row.root[2] for _, row in rows]),
            digests=read_pairs(b"".join(row.used + row.expected for _, row in rows)),
        )


_AS_IT_IS = Instead()


class Placed(NamedTuple):
    """Where segments are: their ids, the ids of their runs, and their positions in them."""

    segment: Ints
    run: Ints
    position: Ints


class Loaded(NamedTuple):
    """The present at a time, and the places of the segments whose runs were requested."""

    as_of: datetime
    present: Present
    placed: Placed


class AskedPresent(NamedTuple):
    """A present that was requested."""

    projects: Sequence[int] | None
    runs: SentQuery
    causes: SentQuery
    instead: Sources


async def load_projects(conn: Conn, project_ids: Sequence[int], instead: Instead | None = None) -> Loaded:
    """Load whole projects; with ``instead`` also the two worlds of a what-if."""
    async with pipelined(conn):
        return await receive_present(await ask_present(conn, projects=project_ids, instead=instead))


async def load_scenes(conn: Conn, project_id: int, scene_ids: Sequence[int]) -> Loaded:
    """Load the runs of some scenes of a project."""
    async with pipelined(conn):
        return await receive_present(await ask_present(conn, projects=[project_id], scenes=scene_ids))


async def ask_present(
    conn: Conn,
    *,
    projects: Sequence[int] | None = None,
    scenes: Sequence[int] | None = None,
    segments: Sequence[int] | None = None,
    instead: Instead | None = None,
) -> AskedPresent:
    """Request whole projects, some scenes of one project, or the runs of some segments."""
    await plan_once(conn)  # planning these statements takes longer than running them on a few runs
    params: dict[str, Any] = {
        "projects": None if projects is None else list(projects),
        "scenes": None if scenes is None else list(scenes),
        "segments": None if segments is None else list(segments),
    }
    whole = scenes is None and segments is None
    runs = await _ask(conn, _RUNS, params)
    worlds = instead or _AS_IT_IS
    sources = worlds.sources
    causes = await _ask(
        conn,
        _CAUSES,
        {
            **params,
            "whole": whole,
            "replaced": sorted(worlds.assets),
            "contents": np.unique(sources.content).tolist(),
        },
    )
    return AskedPresent(params["projects"], runs, causes, sources)


async def receive_present(request: AskedPresent) -> Loaded:
    """Wait for a present that was requested."""
    (row,) = await request.runs.fetchall()
    (causes,) = await request.causes.fetchall()
    runs = _runs(row, request.projects)
    present = Present(
        runs=runs,
        sources=_sources(causes, request.instead),
        uses=Uses(**_in_runs(runs, causes, "use", ("content", "run", "position"))),
        links=Links(**_in_runs(runs, causes, "link", ("run", "position", "digests"))),
        waivers=Waivers(**_in_runs(runs, causes, "waiver", ("id", "run", "position", "asset", "digests"))),
        scopes=[Scoped(*scope) for scope in row["scopes"] or ()],
        pins=[Pinned(*pin) for pin in row["pins"] or ()],
    )
    placed = Placed(**_in_runs(runs, row, "place", Placed._fields))
    return Loaded(row["as_of"], present, placed)


async def ask_takes_of(conn: Conn, run_ids: Sequence[int]) -> SentQuery:
    """Request the run, position and workload of every selected take of some runs with a known workload."""
    return await _ask(
        conn,
        """
        SELECT array_send(array_agg(run_id)) AS run, array_send(array_agg(run_position)) AS position,
               array_send(array_agg(workload_id)) AS workload
          FROM selected_takes
         WHERE run_id = ANY(%(runs)s::bigint[]) AND workload_id IS NOT NULL
        """,
        {"runs": list(run_ids)},
    )


async def receive_arrays(request: SentQuery) -> tuple[Ints, ...]:
    """Wait for a row of arrays."""
    (row,) = await request.fetchall()
    return tuple(map(read_integers, row.values()))


async def _ask(conn: Conn, query: LiteralString, params: Mapping[str, Any]) -> SentQuery:
    cursor = conn.cursor(row_factory=dict_row, binary=True)
    await cursor.execute(unindented(query), params)
    return cursor


def _sources(row: Mapping[str, Any], instead: Sources) -> Sources:
    """Return the sources in the database, and those of a what-if."""
    contents = read_integers(row["source_content"])
    columns = {name: read_integers(row[f"source_{name}"]) for name in ("scope", "direct", "kind", "asset", "used")}
    return Sources(
        content=np.concatenate([contents, instead.content]),
        scope=np.concatenate([columns["scope"], instead.scope]),
        world=np.concatenate([np.full(len(contents), BOTH), instead.world]),
        direct=np.concatenate([columns["direct"], instead.direct]),
        kind=np.concatenate([columns["kind"], instead.kind]),
        asset=np.concatenate([columns["asset"], instead.asset]),
        used=np.concatenate([columns["used"], instead.used]),
        expected=np.concatenate([read_integers(row["source_expected"]), instead.expected]),
        digests=np.concatenate([read_pairs(row["source_digests"]), instead.digests]),
    )


def _runs(row: Mapping[str, Any], projects: Sequence[int] | None) -> Runs:
    ids = read_integers(row["id"])
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    unknown_from = np.zeros(len(ids), np.int64)
    unknown_from[np.searchsorted(ids, read_integers(row["unknown_run"]))] = read_integers(row["unknown_from"])
    single = projects is not None and len(projects) == 1
    return Runs(
        id=ids,
        project=np.full(len(ids), projects[0]) if projects and single else read_integers(row["project"])[order],
        scene=read_integers(row["scene"])[order],
        length=read_integers(row["length"])[order],
        unknown_from=unknown_from,
        workload=read_integers(row["workload"])[order],
    )


def _in_runs(runs: Runs, row: Mapping[str, Any], prefix: str, names: Sequence[str]) -> dict[str, Any]:
    """Return columns of places, without places that no longer exist."""
    columns: dict[str, Any] = {
        name: (read_pairs if name == "digests" else read_integers)(row[f"{prefix}_{name}"]) for name in names
    }
    existing = runs.hold(columns["run"], columns["position"])
    return {name: column[existing] for name, column in columns.items()}
