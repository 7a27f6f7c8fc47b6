"""Selected takes and everything derived from them are a function of history, whatever the order of changes."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.takes.acts import Act, Play, acts
from tests.takes.rebuild import counted, rebuilt
from tests.takes.stage import ADA, VARIANT, Stage, table, whole

from genlock.db.connection import Conn, rows
from genlock.takes import editing, usage_sql
from genlock.timeline.model import NewSegments, SegmentChange

PLAY = settings(deadline=None, suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow))


async def check_the_present(conn: Conn) -> None:
    """Check the tables of the current state against history."""
    expected = await rebuilt(conn)
    assert await table(conn, "SELECT * FROM selected_takes") == expected["selected_takes"]
    assert await table(conn, "SELECT * FROM runs") == expected["runs"]
    assert await table(conn, "SELECT * FROM broken_links") == expected["broken_links"]
    assert await table(conn, "SELECT * FROM current_inputs") == expected["current_inputs"]


async def check_the_totals(stage: Stage, play: Play) -> None:
    """Check that usage counts all takes and lists exactly them, in pages of any size."""
    for which in ("selected", "all"):
        expected = await counted(stage.conn, selected=which == "selected")
        for asset in stage.assets.values():
            everywhere = await usage_sql.usage(stage.conn, asset, takes=which, limit=500)
            assert everywhere.total == sum(
                n for (of, version, _), n in expected.items() if (of, version) == (asset, None)
            )
            assert everywhere.total == len(everywhere.items)
            assert everywhere.versions is not None
            for version in everywhere.versions:
                of_version = {key: n for key, n in expected.items() if key[:2] == (asset, version.number)}
                assert version.total == sum(of_version.values())
                for project in play.projects:
                    page = await usage_sql.usage(
                        stage.conn, asset, version.number, takes=which, project_id=project, limit=500
                    )
                    assert page.total == len(page.items) == of_version.get((asset, version.number, project), 0)
                    assert {item.project_id for item in page.items} <= {project}


async def perform(stage: Stage, script: Sequence[Act]) -> None:
    async with stage.conn.transaction(force_rollback=True):
        play = await Play.begin(stage)
        for act in script:
            await play.perform(act)
        await check_the_present(stage.conn)
        await check_the_totals(stage, play)


@settings(PLAY, max_examples=10)
@given(script=st.lists(acts, min_size=5, max_size=16))
async def test_the_present_is_a_function_of_history(stage: Stage, script: list[Act]) -> None:
    await perform(stage, script)


@pytest.mark.long
@settings(PLAY, max_examples=300)
@given(script=st.lists(acts, min_size=10, max_size=50))
async def test_the_present_is_a_function_of_long_histories(stage: Stage, script: list[Act]) -> None:
    await perform(stage, script)


async def a_chain(stage: Stage) -> list[int]:
    """Record takes of all segments, each continuing the previous one; return their ids."""
    takes: list[int] = []
    for segment in stage.segments:
        picture = {"role": "seed_frame", "take": takes[-1]} if takes else VARIANT
        takes.append((await stage.record(segment, whole(picture))).take_id)
    return takes


async def test_an_unrelated_change_rewrites_no_row(stage: Stage) -> None:
    await a_chain(stage)
    scene, others = await stage.another_scene("day", 3)
    await stage.record_all([(segment, whole(), None) for segment in others])

    async def written() -> list[dict[str, object]]:
        row_versions: list[dict[str, object]] = []
        row_versions += await rows(
            stage.conn,
            "SELECT t::text AS row, ctid::text, xmin::text FROM selected_takes t WHERE scene_id = %(scene)s",
            scene=scene,
        )
        row_versions += await rows(
            stage.conn,
            "SELECT t::text AS row, ctid::text, xmin::text FROM runs t WHERE scene_id = %(scene)s",
            scene=scene,
        )
        row_versions += await rows(
            stage.conn,
            "SELECT t::text AS row, ctid::text, xmin::text FROM current_inputs t WHERE segment_id = ANY(%(segments)s)",
            segments=others,
        )
        return row_versions

    before = await written()
    await stage.record(stage.segments[1], whole(), {"video": "new", "last_frame": "new"})
    await editing.change_segment(stage.conn, stage.segments[3], SegmentChange(position=1), ADA)
    await editing.archive_segment(stage.conn, stage.segments[2], ADA)
    assert await written() == before
    await editing.insert_segments(stage.conn, scene, NewSegments(), ADA)
    assert await written() == before  # nothing follows the last position


async def test_a_new_take_rewrites_only_the_rows_it_changes(stage: Stage) -> None:
    takes = await a_chain(stage)
    query = "SELECT segment_id, ctid::text AS at FROM selected_takes"
    before = {row["segment_id"]: row["at"] for row in await rows(stage.conn, query)}
    await stage.record(
        stage.segments[1], whole({"role": "seed_frame", "take": takes[0]}), {"video": "2", "last_frame": "2"}
    )
    after = {row["segment_id"]: row["at"] for row in await rows(stage.conn, query)}
    assert {segment for segment in before if before[segment] != after[segment]} == {stage.segments[1]}
    assert [row["segment_id"] for row in await rows(stage.conn, "SELECT * FROM broken_links")] == [stage.segments[2]]


async def test_selecting_the_previous_take_repairs_the_link(stage: Stage) -> None:
    takes = await a_chain(stage)
    await stage.record(stage.segments[0], whole(), {"video": "2", "last_frame": "2"})
    assert await stage.ask("SELECT count(*) FROM broken_links") == 1
    selected = await editing.select_take(stage.conn, stage.segments[0], 1, ADA)
    assert (selected.id, selected.selected) == (takes[0], True)
    assert await stage.ask("SELECT count(*) FROM broken_links") == 0
    logged = await rows(
        stage.conn,
        "SELECT take_id, previous_take_id, actor FROM selections WHERE segment_id = %(id)s ORDER BY id",
        id=stage.segments[0],
    )
    assert [(row["previous_take_id"] is not None, row["actor"]) for row in logged] == [
        (False, "ada"),
        (True, "ada"),
        (True, "ada"),
    ]


async def test_selecting_the_selected_take_has_no_event(stage: Stage) -> None:
    await a_chain(stage)
    before = await stage.ask("SELECT count(*) FROM events"), await stage.ask("SELECT count(*) FROM selections")
    await editing.select_take(stage.conn, stage.segments[0], 1, ADA)
    assert (
        await stage.ask("SELECT count(*) FROM events"),
        await stage.ask("SELECT count(*) FROM selections"),
    ) == before


async def test_a_run_that_joins_another_leaves_no_rows(stage: Stage) -> None:
    await a_chain(stage)
    for chained, lengths in ((False, [2, 2]), (True, [4])):
        await editing.change_segment(stage.conn, stage.segments[2], SegmentChange(chained=chained), ADA)
        stored_runs = await rows(stage.conn, "SELECT length FROM runs ORDER BY run_id")
        assert [run["length"] for run in stored_runs] == lengths
        await check_the_present(stage.conn)
    for segment in stage.segments:
        await editing.archive_segment(stage.conn, segment, ADA)
        await check_the_present(stage.conn)
    assert await stage.ask("SELECT count(*) FROM runs") == 0
