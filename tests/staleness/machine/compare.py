"""Compare the SQL with the oracle: whole reports, every state, every cause, every count."""

from collections.abc import Iterable
from typing import Any

from tests.staleness.machine.load_world import load_world
from tests.staleness.oracle import report as oracle_report
from tests.staleness.oracle import rules as oracle
from tests.staleness.oracle.rows import World

from genlock.db.connection import Conn
from genlock.staleness import segment_list, what_if
from genlock.staleness.explanation import PATH_STEPS, causes_of, path_of
from genlock.staleness.model import Cause, Group, Impact, RootKey, State, Totals
from genlock.staleness.places_sql import judge_segments, states_of
from genlock.staleness.report import group_id, reports
from genlock.staleness.segment_view import segment_views, views_of


async def compare(conn: Conn) -> World:
    """Check every query about staleness against the oracle; return the judged world."""
    world = await load_world(conn)
    for project_id, states in (await same_reports(conn, world)).items():
        ordered = list(states)
        await _same_lists(conn, world, project_id, ordered, states)
        await _same_scene_counts(conn, world, project_id, states)
        await _same_causes(conn, world, ordered)
        await _same_groups(conn, world, project_id)
    await _same_archived(conn, world)
    return world


async def same_reports(conn: Conn, world: World) -> dict[int, dict[int, oracle.State]]:
    """Check reports, states and counts of every project against the oracle; return the states by segment."""
    projects = [row.id for row in world.projects]
    actual = await reports(conn, projects)
    counts = await segment_list.project_counts(conn, projects)
    judged: dict[int, dict[int, oracle.State]] = {}
    for project_id in projects:
        _same_report(actual[project_id].totals, actual[project_id].groups, oracle_report.report(world, project_id))
        states = oracle_report.states(world, project_id)
        judged[project_id] = {segment.id: states[segment.id] for segment in world.live_segments(project_id)}
        assert await states_of(conn, list(judged[project_id])) == states
        tally = {state: list(states.values()).count(oracle.State(state.value)) for state in State}
        assert counts[project_id].model_dump() == {"segments": len(states)} | {
            state.value: number for state, number in tally.items()
        }
    return judged


async def compare_impact(conn: Conn, world: World, asset_id: int, version: int) -> Impact:
    """Check a what-if against the oracle's; return it."""
    actual = await what_if.impact(conn, asset_id, version, limit=500)
    expected = oracle_report.impact(world, asset_id, version)
    assert actual.segments.becomes_stale == expected.becomes_stale
    assert actual.segments.becomes_unknown == expected.becomes_unknown
    assert actual.segments.becomes_fresh == expected.becomes_fresh
    by_project = {project.project_id: project for project in actual.projects}
    for project in expected.projects:
        impact = by_project[project.project_id]
        assert impact.segments.becomes_stale == len(project.becomes_stale)
        assert impact.segments.becomes_unknown == len(project.becomes_unknown)
        assert impact.segments.becomes_fresh == len(project.becomes_fresh)
        _same_report(impact.totals, impact.groups, project.report)
    after = oracle_report.activated(world, asset_id, version)
    for project_id, impact in by_project.items():
        # Projects that are listed without a change have the right report.
        _same_report(impact.totals, impact.groups, oracle_report.report(after, project_id))
    return actual


def _same_report(totals: Totals, groups: Iterable[Group], should: oracle_report.Report) -> None:
    assert totals.model_dump() == vars(should.totals)
    by_key = {_group_key(group): group for group in groups}
    expected_by_key = {(group.kind, group.asset_id, group.used, _expected(group)): group for group in should.groups}
    assert by_key.keys() == expected_by_key.keys()
    for key, group in by_key.items():
        other = expected_by_key[key]
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


async def _same_lists(
    conn: Conn, world: World, project_id: int, ordered: list[int], states: dict[int, oracle.State]
) -> None:
    assert await _listed(conn, project_id) == ordered
    by_state = {
        state: [segment_id for segment_id in ordered if states[segment_id].value == state.value] for state in State
    }
    for state, in_state in by_state.items():
        page = await segment_list.list_segments(conn, project_id, state=state, limit=500)
        assert (list(page.segment_ids), page.total) == (in_state, len(in_state))
    if not ordered:
        return
    # One combination of filters for each world: all of them would take as long as everything else together.
    turn = len(world.takes) + len(world.pins) + len(world.waivers)
    state = list(State)[turn % len(State)]
    example = world.segment(ordered[turn % len(ordered)])
    of_scene = {segment_id for segment_id in ordered if world.segment(segment_id).scene_id == example.scene_id}
    named = {segment_id for segment_id in ordered if world.segment(segment_id).name.startswith(example.name[:1])}
    combinations: tuple[tuple[dict[str, Any], set[int]], ...] = (
        ({"state": state}, set(ordered)),
        ({"state": state, "scene_id": example.scene_id}, of_scene),
        ({"state": state, "q": example.name[:1]}, named),
        ({"scene_id": example.scene_id, "q": example.name[:1]}, of_scene & named),
    )
    filters, matching = combinations[turn // len(State) % len(combinations)]
    expected = by_state[state] if "state" in filters else ordered
    listed = await _listed(conn, project_id, **filters)
    assert listed == [segment_id for segment_id in expected if segment_id in matching]
    page = await segment_list.list_segments(conn, project_id, limit=5, **filters)
    assert (await views_of(conn, page)).items == await segment_views(conn, page.segment_ids)


async def _listed(conn: Conn, project_id: int, **filters: Any) -> list[int]:
    """Read a list page by page; every page has the exact total."""
    pages = [await segment_list.list_segments(conn, project_id, limit=2, **filters)]
    while pages[-1].next is not None:
        pages.append(await segment_list.list_segments(conn, project_id, after=pages[-1].next, limit=2, **filters))
    listed = [segment_id for page in pages for segment_id in page.segment_ids]
    assert {page.total for page in pages} == {len(listed)}
    return listed


async def _same_scene_counts(conn: Conn, world: World, project_id: int, states: dict[int, oracle.State]) -> None:
    scenes = [row.id for row in world.scenes if row.project_id == project_id]
    for scene_id, counts in (await segment_list.scene_counts(conn, project_id, scenes)).items():
        states_of_scene = [
            state.value for segment_id, state in states.items() if world.segment(segment_id).scene_id == scene_id
        ]
        assert counts.model_dump() == {"segments": len(states_of_scene)} | {
            state.value: states_of_scene.count(state.value) for state in State
        }


async def _same_causes(conn: Conn, world: World, segment_ids: list[int]) -> None:
    judged = await judge_segments(conn, segment_ids)
    for segment_id, causes in (await causes_of(conn, judged, segment_ids)).items():
        assert sorted(map(_actual_values, causes)) == sorted(map(_expected_values, oracle.causes(world, segment_id)))
        await _same_long_paths(conn, world, segment_id, causes)


async def _same_archived(conn: Conn, world: World) -> None:
    live = {segment.id for row in world.projects for segment in world.live_segments(row.id)}
    archived = [segment.id for segment in world.segments if segment.id not in live]
    assert await states_of(conn, archived) == {segment_id: oracle.state(world, segment_id) for segment_id in archived}
    await _same_causes(conn, world, archived)
    for view in await segment_views(conn, archived):
        take = world.selected_take(view.id)
        assert (view.selected_take and view.selected_take.id) == (take and take.id)


async def _same_long_paths(conn: Conn, world: World, segment_id: int, causes: tuple[Cause, ...]) -> None:
    for cause in causes:
        if cause.path_rest is not None:
            expected = cause.root.expected if cause.root.kind == "asset" else None
            key = RootKey(
                {"asset": 0, "unmatched": 1, "chain": 2}[cause.root.kind],
                cause.root.asset_id or 0,
                cause.root.used or 0,
                expected or 0,
            )
            whole = (await path_of(conn, segment_id, group_id(key), limit=500)).items
            paths = [
                [(step.type, step.id, step.number) for step in other.path] for other in oracle.causes(world, segment_id)
            ]
            assert [(step.type, step.id, step.number) for step in whole] in paths
            assert whole[: len(cause.path)] == cause.path


def _actual_values(cause: Cause) -> tuple[Any, ...]:
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
        cause.path_total,
        cause.waiver_id or 0,
        cause.decided_by,
        (cause.from_.digest, cause.to.digest) if root.kind == "chain" else (),
    )


def _expected_values(cause: oracle.Cause) -> tuple[Any, ...]:
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
        path[:PATH_STEPS],
        len(path),
        cause.waiver_id or 0,
        cause.decided_by,
        (root.used_digest, root.expected_digest) if root.kind == "chain" else (),
    )


async def _same_groups(conn: Conn, world: World, project_id: int) -> None:
    for group in oracle_report.report(world, project_id).groups:
        kind = {"asset": 0, "unmatched": 1, "chain": 2}[group.kind]
        expected = (group.expected or 0) if kind == 0 else 0
        root = RootKey(kind, group.asset_id or 0, group.used or 0, expected)
        pages = [await segment_list.group_segments(conn, project_id, root, limit=2)]
        while pages[-1].next is not None:
            pages.append(await segment_list.group_segments(conn, project_id, root, after=pages[-1].next, limit=2))
        assert tuple(segment_id for page in pages for segment_id in page.segment_ids) == group.segment_ids
        assert {page.total for page in pages} == {group.segments}
