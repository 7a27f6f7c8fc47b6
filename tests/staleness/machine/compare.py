"""Holds the SQL equal to the oracle: whole reports, every state, every cause, every count."""

from collections.abc import Iterable
from typing import Any

from tests.staleness.machine.load_world import load_world
from tests.staleness.oracle import report as oracle_report
from tests.staleness.oracle import rules as oracle
from tests.staleness.oracle.rows import World

from genlock.db.connection import Conn
from genlock.staleness import explain, impact, report_sql, states_sql
from genlock.staleness.model import Cause, Group, Impact, State, Totals


async def compare(conn: Conn) -> World:
    """Check everything that can be asked about staleness against the oracle; the world that was judged."""
    world = await load_world(conn)
    for project_id, states in (await same_reports(conn, world)).items():
        ordered = list(states)
        await _same_lists(conn, project_id, ordered, states)
        await _same_scene_counts(conn, world, project_id, states)
        await _same_causes(conn, world, ordered)
        await _same_groups(conn, world, project_id)
    return world


async def same_reports(conn: Conn, world: World) -> dict[int, dict[int, oracle.State]]:
    """Check reports, states and counts of every project against the oracle; the states, in the order of segments."""
    projects = [row.id for row in world.projects]
    found = await report_sql.reports(conn, projects)
    counts = await states_sql.project_counts(conn, projects)
    judged: dict[int, dict[int, oracle.State]] = {}
    for project_id in projects:
        _same_report(found[project_id][1], found[project_id][2], oracle_report.report(world, project_id))
        states = oracle_report.states(world, project_id)
        judged[project_id] = {segment.id: states[segment.id] for segment in world.live_segments(project_id)}
        assert await states_sql.states_of(conn, list(judged[project_id])) == states
        tally = {state: list(states.values()).count(oracle.State(state.value)) for state in State}
        assert counts[project_id].model_dump() == {"segments": len(states)} | {
            state.value: number for state, number in tally.items()
        }
    return judged


async def compare_impact(conn: Conn, world: World, asset_id: int, version: int) -> Impact:
    """Check a what-if against the oracle's; what it says."""
    said = await impact.impact(conn, asset_id, version)
    should = oracle_report.impact(world, asset_id, version)
    assert said.segments.becomes_stale == should.becomes_stale
    assert said.segments.becomes_fresh == should.becomes_fresh
    by_project = {project.project_id: project for project in said.projects}
    for project in should.projects:
        here = by_project[project.project_id]
        assert here.segments.becomes_stale == len(project.becomes_stale)
        assert here.segments.becomes_fresh == len(project.becomes_fresh)
        _same_report(here.totals, here.groups, project.report)
    after = oracle_report.activated(world, asset_id, version)
    for project_id, here in by_project.items():
        # Projects that are told although nothing changes in them are told right.
        _same_report(here.totals, here.groups, oracle_report.report(after, project_id))
    return said


def _same_report(totals: Totals, groups: Iterable[Group], should: oracle_report.Report) -> None:
    assert totals.model_dump() == vars(should.totals)
    told = {_group_key(group): group for group in groups}
    wanted = {(group.kind, group.asset_id, group.used, _expected(group)): group for group in should.groups}
    assert told.keys() == wanted.keys()
    for key, group in told.items():
        other = wanted[key]
        assert (group.sentence, group.segments, group.scenes, group.direct, group.derived, group.expected) == (
            other.sentence,
            other.segments,
            other.scenes,
            other.direct,
            other.derived,
            other.expected,
        )
        if group.estimate is None or other.estimate is None:
            assert group.estimate is None and other.estimate is None
        else:
            assert abs(group.estimate.gpu_seconds - other.estimate.gpu_seconds) < 0.01
            assert group.estimate.samples == other.estimate.samples


def _group_key(group: Group) -> tuple[str, int | None, int | None, int | None]:
    expected = group.expected if group.kind == "asset" else None
    return group.kind.value, group.asset.id if group.asset else None, group.used, expected


def _expected(group: oracle_report.Group) -> int | None:
    return group.expected if group.kind == "asset" else None


async def _same_lists(conn: Conn, project_id: int, ordered: list[int], states: dict[int, oracle.State]) -> None:
    listed: list[int] = []
    after = None
    while True:
        page = await states_sql.list_segments(conn, project_id, after=after, limit=3)
        assert page.total == len(ordered)
        listed += page.segment_ids
        after = page.next
        if after is None:
            break
    assert listed == ordered
    for state in State:
        page = await states_sql.list_segments(conn, project_id, state=state, limit=500)
        wanted = [segment_id for segment_id in ordered if states[segment_id].value == state.value]
        assert list(page.segment_ids) == wanted
        assert page.total == len(wanted)


async def _same_scene_counts(conn: Conn, world: World, project_id: int, states: dict[int, oracle.State]) -> None:
    scenes = [row.id for row in world.scenes if row.project_id == project_id]
    for scene_id, counts in (await states_sql.scene_counts(conn, project_id, scenes)).items():
        here = [state.value for segment_id, state in states.items() if world.segment(segment_id).scene_id == scene_id]
        assert counts.model_dump() == {"segments": len(here)} | {
            state.value: here.count(state.value) for state in State
        }


async def _same_causes(conn: Conn, world: World, segment_ids: list[int]) -> None:
    for segment_id, causes in (await explain.causes_of(conn, segment_ids)).items():
        assert sorted(map(_told, causes)) == sorted(map(_should, oracle.causes(world, segment_id)))


def _told(cause: Cause) -> tuple[Any, ...]:
    path = [(step.type, step.id, step.number) for step in cause.path]
    root = cause.root
    role = (cause.role, cause.ordinal) if cause.kind != "derived" else ("", 0)
    return (
        cause.kind.value,
        role,
        root.kind.value,
        root.asset_id or 0,
        root.used or 0,
        root.expected or 0,
        path,
        cause.waiver_id or 0,
        cause.decided_by,
    )


def _should(cause: oracle.Cause) -> tuple[Any, ...]:
    root = cause.root
    path = [(step.type, step.id, step.number) for step in cause.path]
    role = (cause.role, cause.ordinal) if cause.kind != "derived" else ("", 0)
    return (
        cause.kind,
        role,
        root.kind,
        root.asset_id or 0,
        root.used or 0,
        root.expected or 0,
        path,
        cause.waiver_id or 0,
        cause.decided_by,
    )


async def _same_groups(conn: Conn, world: World, project_id: int) -> None:
    for group in oracle_report.report(world, project_id).groups:
        kind = {"asset": 0, "unmatched": 1, "chain": 2}[group.kind]
        root = (kind, group.asset_id or 0, group.used or 0, group.expected or 0)
        page = await states_sql.group_segments(conn, project_id, root, limit=500)
        assert page.segment_ids == group.segment_ids
        assert page.total == group.segments
