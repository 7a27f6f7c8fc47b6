"""Segments have a dense order, whatever is inserted, moved, archived and restored."""

from collections.abc import AsyncGenerator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures_postgres import opened_database, rolled_back

from genlock.db.connection import Conn, Database, rows
from genlock.errors import Conflict, Invalid, NotFound
from genlock.model import Actor
from genlock.takes import editing
from genlock.timeline import actions, sql
from genlock.timeline.model import NewProject, NewScene, NewSegments, Scene, SegmentChange


@pytest.fixture(scope="module")
async def shared(postgres: str, template: str) -> AsyncGenerator[Database]:
    """A database for these tests."""
    async with opened_database(postgres, template) as opened:
        yield opened


@pytest.fixture
async def conn(shared: Database) -> AsyncGenerator[Conn]:
    """A transaction that is rolled back."""
    async with rolled_back(shared) as opened:
        yield opened


@pytest.fixture
async def scene(conn: Conn, actor: Actor) -> Scene:
    """An empty scene."""
    project = await actions.create_project(conn, NewProject(slug="rooftop", name="Rooftop"), actor)
    return await actions.create_scene(conn, project.id, NewScene(name="night"), actor)


async def add(conn: Conn, scene: Scene, actor: Actor, count: int = 1, position: int | None = None) -> list[int]:
    segments = await editing.insert_segments(conn, scene.id, NewSegments(count=count, position=position), actor)
    return [segment.id for segment in segments]


async def order(conn: Conn, scene: Scene) -> list[int]:
    """Return the ids of a scene's segments in order, after checking that positions are 1, 2, 3 …"""
    segments = await sql.segments_of(conn, scene.id)
    assert [segment.position for segment in segments] == list(range(1, len(segments) + 1))
    assert await sql.segments_total(conn, scene.id) == len(segments)
    return [segment.id for segment in segments]


async def test_segments_are_added_at_the_end(conn: Conn, scene: Scene, actor: Actor) -> None:
    ids = [*await add(conn, scene, actor, 2), *await add(conn, scene, actor)]
    assert await order(conn, scene) == ids
    assert [segment.name for segment in await sql.segments_of(conn, scene.id)] == [
        "segment 1",
        "segment 2",
        "segment 3",
    ]


async def test_segments_are_inserted_between(conn: Conn, scene: Scene, actor: Actor) -> None:
    first, second = await add(conn, scene, actor, 2)
    between = await add(conn, scene, actor, 3, position=2)
    assert await order(conn, scene) == [first, *between, second]


async def test_what_would_leave_a_gap_is_refused(conn: Conn, scene: Scene, actor: Actor) -> None:
    (first,) = await add(conn, scene, actor)
    with pytest.raises(Invalid, match="Position 3 would leave a gap"):
        await add(conn, scene, actor, position=3)
    with pytest.raises(Invalid, match="no position 2"):
        await editing.change_segment(conn, first, SegmentChange(position=2), actor)


async def test_what_is_archived_takes_nothing_new(conn: Conn, scene: Scene, actor: Actor) -> None:
    (first,) = await add(conn, scene, actor)
    await editing.archive_segment(conn, first, actor)
    with pytest.raises(Conflict, match="archived"):
        await editing.change_segment(conn, first, SegmentChange(position=1), actor)
    renamed = await editing.change_segment(conn, first, SegmentChange(name="opening"), actor)
    assert (renamed.name, renamed.archived, renamed.position) == ("opening", True, None)
    await editing.archive_scene(conn, scene.id, actor)
    with pytest.raises(Conflict, match="'night' is archived"):
        await add(conn, scene, actor)
    await editing.restore_scene(conn, scene.id, actor)
    await editing.archive_project(conn, scene.project_id, actor)
    with pytest.raises(Conflict, match="rooftop is archived"):
        await add(conn, scene, actor)
    with pytest.raises(Conflict, match="rooftop is archived"):
        await actions.create_scene(conn, scene.project_id, NewScene(name="day"), actor)


async def test_unknown_ones(conn: Conn, actor: Actor) -> None:
    for attempt in (editing.archive_segment, editing.restore_segment):
        with pytest.raises(NotFound, match="no segment"):
            await attempt(conn, 10**9, actor)
    for attempt in (editing.archive_scene, editing.restore_scene):
        with pytest.raises(NotFound, match="no scene"):
            await attempt(conn, 10**9, actor)
    for attempt in (editing.archive_project, editing.restore_project):
        with pytest.raises(NotFound, match="no project"):
            await attempt(conn, 10**9, actor)
    with pytest.raises(NotFound, match="no segment"):
        await editing.select_take(conn, 10**9, 1, actor)


async def test_every_change_is_published_once(conn: Conn, scene: Scene, actor: Actor) -> None:
    first, second = await add(conn, scene, actor, 2)
    after: int = (await rows(conn, "SELECT max(id) AS id FROM events"))[0]["id"]
    for _ in range(2):  # the second time nothing changes, and nothing is published
        await editing.change_segment(conn, second, SegmentChange(position=1), actor)
    for _ in range(2):
        await editing.archive_segment(conn, first, actor)
    for _ in range(2):
        await editing.restore_segment(conn, first, actor)
    for _ in range(2):
        await editing.archive_scene(conn, scene.id, actor)
    for _ in range(2):
        await editing.restore_scene(conn, scene.id, actor)
    for _ in range(2):
        await editing.archive_project(conn, scene.project_id, actor)
    for _ in range(2):
        await editing.restore_project(conn, scene.project_id, actor)
    events = await rows(conn, "SELECT verb, subject, actor FROM events WHERE id > %(after)s ORDER BY id", after=after)
    assert [(event["verb"], event["subject"]) for event in events] == [
        ("segment.changed", f"segment/{second}"),
        ("segment.archived", f"segment/{first}"),
        ("segment.restored", f"segment/{first}"),
        ("scene.archived", f"scene/{scene.id}"),
        ("scene.restored", f"scene/{scene.id}"),
        ("project.archived", f"project/{scene.project_id}"),
        ("project.restored", f"project/{scene.project_id}"),
    ]
    assert {event["actor"] for event in events} == {actor.name}


moves = st.tuples(
    st.sampled_from(["insert", "move", "archive", "restore"]), st.integers(0, 9), st.integers(1, 9), st.integers(1, 3)
)


@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow),
)
@given(script=st.lists(moves, max_size=15))
async def test_the_order_is_that_of_a_list(
    conn: Conn, scene: Scene, actor: Actor, script: list[tuple[str, int, int, int]]
) -> None:
    async with conn.transaction(force_rollback=True):
        expected: list[int] = []
        archived: dict[int, int] = {}
        for act, which, position, count in script:
            if act == "insert" and position <= len(expected) + 1:
                expected[position - 1 : position - 1] = await add(conn, scene, actor, count, position)
            elif act == "move" and expected and position <= len(expected):
                segment_id = expected.pop(which % len(expected))
                expected.insert(position - 1, segment_id)
                await editing.change_segment(conn, segment_id, SegmentChange(position=position), actor)
            elif act == "archive" and expected:
                gone = expected[which % len(expected)]
                archived[gone] = expected.index(gone)
                expected.remove(gone)
                await editing.archive_segment(conn, gone, actor)
            elif act == "restore" and archived:
                back = sorted(archived)[which % len(archived)]
                expected.insert(archived.pop(back), back)
                await editing.restore_segment(conn, back, actor)
            assert await order(conn, scene) == expected
