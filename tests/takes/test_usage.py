"""Usage of an asset: exact totals, one item per take, pages that end."""

from collections.abc import Mapping
from typing import Any, Literal

import pytest
from tests.takes.stage import ADA, VARIANT, WHOLE, Stage, claim, digest_for, set_the_stage, whole

from genlock.db.connection import Conn, Database
from genlock.errors import Invalid, NotFound
from genlock.model import Kind
from genlock.takes import editing, usage_sql
from genlock.takes.model import Usage, UsagePage
from genlock.takes.usage_sql import fold

Which = Literal["selected", "all"]


async def all_pages(stage: Stage, asset: str, version: int | None, takes: Which, limit: int) -> list[Usage]:
    """Return all uses of an asset, page by page."""
    uses: list[Usage] = []
    after: str | None = None
    while True:
        page = await usage_sql.usage(stage.conn, stage.assets[asset], version, takes=takes, after=after, limit=limit)
        assert len(page.items) <= limit
        uses += page.items
        after = page.next
        if after is None:
            assert page.total == len(uses)
            return uses


async def test_a_take_is_one_item_with_all_its_uses(stage: Stage) -> None:
    recorded = await stage.record(stage.segments[0], whole(VARIANT, {**WHOLE[2], "strength_model": 0.3}))
    (item,) = (await usage_sql.usage(stage.conn, stage.assets["rain"], 1)).items
    assert (item.segment_id, item.segment, item.scene, item.project_id) == (
        stage.segments[0],
        "segment 1",
        "night",
        stage.project,
    )
    assert (item.take_id, item.take, item.receipt_id) == (recorded.take_id, 1, recorded.receipt_id)
    assert (item.selected, item.archived, item.state) == (True, False, None)
    assert [(use.role, use.ordinal, use.strength_model, use.strength_clip, use.via) for use in item.uses] == [
        ("lora", 0, 0.8, 0.5, None),
        ("lora", 1, 0.3, 0.5, None),
    ]


async def test_indirect_uses_count(stage: Stage) -> None:
    await stage.record(stage.segments[0], whole())
    page = await usage_sql.usage(stage.conn, stage.assets["portrait"], 1)
    assert (page.total, [use.via for use in page.items[0].uses]) == (1, ["variant"])


async def test_usage_of_a_version_excludes_equal_versions(stage: Stage) -> None:
    await stage.version("rain", "rain 2", equal_to="rain 1")
    await stage.record(stage.segments[0], whole())
    first, second = [await usage_sql.usage(stage.conn, stage.assets["rain"], number) for number in (1, 2)]
    assert (first.total, second.total, first.versions, second.items) == (1, 0, None, ())
    both = await usage_sql.usage(stage.conn, stage.assets["rain"])
    assert both.versions is not None
    assert (both.total, [(line.number, line.total) for line in both.versions]) == (1, [(1, 1), (2, 0)])


@pytest.mark.parametrize("takes", ["selected", "all"])
async def test_a_take_with_two_versions_is_one_take(stage: Stage, takes: Which) -> None:
    await stage.version("rain", "rain 2")
    both = whole(VARIANT, {**WHOLE[2], "version": 2})
    await stage.record(stage.segments[0], both)
    await stage.record(stage.segments[1], whole())

    async def totals() -> tuple[int, int, list[int]]:
        page = await usage_sql.usage(stage.conn, stage.assets["rain"], takes=takes)
        assert page.versions is not None
        return page.total, len(page.items), [line.total for line in page.versions]

    assert await totals() == (2, 2, [2, 1])
    await fold(stage.conn)
    assert await totals() == (2, 2, [2, 1])
    await stage.record(stage.segments[0], whole(), {"video": "2"})
    assert await totals() == ((2, 2, [2, 0]) if takes == "selected" else (3, 3, [3, 1]))
    await editing.archive_scene(stage.conn, stage.scene, ADA)
    assert await totals() == ((0, 0, [0, 0]) if takes == "selected" else (3, 3, [3, 1]))
    await editing.restore_scene(stage.conn, stage.scene, ADA)
    assert await totals() == ((2, 2, [2, 0]) if takes == "selected" else (3, 3, [3, 1]))


async def test_unselected_takes_are_only_in_all(stage: Stage) -> None:
    await stage.record(stage.segments[0], whole(), {"video": "1"})
    without = claim(*WHOLE[:2], VARIANT)
    await stage.record(stage.segments[0], without, {"video": "2"})
    assert (await usage_sql.usage(stage.conn, stage.assets["rain"], 1)).total == 0
    everything = await usage_sql.usage(stage.conn, stage.assets["rain"], 1, takes="all")
    assert [(item.take, item.selected) for item in everything.items] == [(1, False)]


@pytest.mark.parametrize("what", ["segment", "scene", "project"])
async def test_archived_takes_are_only_in_all_and_marked(stage: Stage, what: str) -> None:
    await stage.record(stage.segments[0], whole())
    archive, restore, of = {
        "segment": (editing.archive_segment, editing.restore_segment, stage.segments[0]),
        "scene": (editing.archive_scene, editing.restore_scene, stage.scene),
        "project": (editing.archive_project, editing.restore_project, stage.project),
    }[what]
    await archive(stage.conn, of, ADA)
    assert await all_pages(stage, "rain", 1, "selected", 10) == []
    (item,) = await all_pages(stage, "rain", 1, "all", 10)
    assert (item.archived, item.selected) == (True, False)
    await restore(stage.conn, of, ADA)
    (item,) = await all_pages(stage, "rain", 1, "selected", 10)
    assert (item.archived, item.selected) == (False, True)


async def fill(stage: Stage) -> None:
    """Record takes of two projects that use two versions of one LoRA in turn."""
    await stage.version("rain", "rain 2")
    other = await stage.another_project("other")
    _, elsewhere = await stage.another_scene("elsewhere", 3, other)
    for number, segment in enumerate([*stage.segments, *elsewhere, *stage.segments]):
        lora: Mapping[str, Any] = {**WHOLE[2], "version": 1 + number % 2}
        await stage.record(segment, claim(*WHOLE[:2], lora, VARIANT), {"video": str(number)})


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
@pytest.mark.parametrize(("takes", "total"), [("selected", 7), ("all", 11)])
async def test_pages_contain_every_item_once(stage: Stage, takes: Which, total: int, limit: int) -> None:
    await fill(stage)
    whole_list = await all_pages(stage, "rain", None, takes, limit)
    assert len(whole_list) == len({item.take_id for item in whole_list}) == total
    by_version = [await all_pages(stage, "rain", version, takes, limit) for version in (1, 2)]
    assert {item.take_id for page in by_version for item in page} == {item.take_id for item in whole_list}


async def test_usage_can_be_limited_to_a_project(stage: Stage) -> None:
    await fill(stage)
    model = stage.assets["tiny"]
    page = await usage_sql.usage(stage.conn, model, takes="all", project_id=stage.project, limit=5)
    assert (page.total, {item.project_id for item in page.items}) == (8, {stage.project})
    rest = await usage_sql.usage(stage.conn, model, takes="all", project_id=stage.project, after=page.next, limit=5)
    assert (len(rest.items), rest.next) == (3, None)
    assert (await usage_sql.usage(stage.conn, model, project_id=stage.project + 1000)).total == 0


async def test_an_unregistered_digest_counts_for_the_asset(stage: Stage) -> None:
    edited = {"role": "lora", "asset": "lora:rain", "digest": digest_for("edited"), "strength_model": 1}
    await stage.record(stage.segments[0], claim(*WHOLE[:2], edited, VARIANT))
    page = await usage_sql.usage(stage.conn, stage.assets["rain"])
    assert page.versions is not None
    assert (page.total, [line.total for line in page.versions]) == (1, [0])


async def test_unknown_assets_versions_and_cursors_are_refused(stage: Stage) -> None:
    with pytest.raises(NotFound, match="no asset"):
        await usage_sql.usage(stage.conn, 10**9)
    with pytest.raises(NotFound, match="rain has no version 7"):
        await usage_sql.usage(stage.conn, stage.assets["rain"], 7)
    empty = await usage_sql.usage(stage.conn, await stage.asset(Kind.LORA, "nothing yet"))
    assert empty == UsagePage(items=(), next=None, total=0, versions=())
    with pytest.raises(Invalid, match="cursor"):
        await usage_sql.usage(stage.conn, stage.assets["rain"], after="nonsense")
    await fill(stage)
    page = await usage_sql.usage(stage.conn, stage.assets["rain"], limit=1)
    with pytest.raises(Invalid, match="another list"):
        await usage_sql.usage(stage.conn, stage.assets["rain"], takes="all", after=page.next)


async def test_folding_changes_no_total(stage: Stage) -> None:
    await fill(stage)
    unfolded = await stage.ask("SELECT count(*) FROM usage_deltas")
    before = await usage_sql.usage(stage.conn, stage.assets["rain"])
    assert await fold(stage.conn, limit=7) == 7
    assert await usage_sql.usage(stage.conn, stage.assets["rain"]) == before
    assert await fold(stage.conn) == unfolded - 7
    assert await stage.ask("SELECT count(*) FROM usage_deltas") == 0
    assert await usage_sql.usage(stage.conn, stage.assets["rain"]) == before
    assert await fold(stage.conn) == 0


async def test_folding_does_not_block_reads_and_writes(db: Database) -> None:
    async with db.transaction() as conn:
        stage = await set_up(conn)
        rain, segments = stage.assets["rain"], stage.segments
    async with db.transaction() as folding:
        assert await fold(folding) > 0
        async with db.transaction() as other:
            assert await fold(other) == 0  # another transaction is folding
            assert (await usage_sql.usage(other, rain)).total == 2
            stage = Stage(other, stage.project, stage.scene, segments, stage.assets)
            await stage.record(segments[2], whole())
            assert (await usage_sql.usage(other, rain)).total == 3
        assert (await usage_sql.usage(folding, rain)).total == 3
    async with db.transaction() as conn:
        assert (await usage_sql.usage(conn, rain)).total == 3


async def set_up(conn: Conn) -> Stage:
    """Record two takes."""
    stage = await set_the_stage(conn)
    await stage.record_all([(segment, whole(), None) for segment in stage.segments[:2]])
    return stage
