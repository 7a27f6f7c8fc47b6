"""Rules that the worked examples leave open: each on the smallest world that shows it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.staleness.examples.story import CHAIN, Story
from tests.staleness.oracle.report import Estimate, report
from tests.staleness.oracle.rules import State, causes, state
from tests.staleness.oracle_stage import OracleStage
from tests.staleness.worlds import Use

from genlock.model import Kind


@pytest.fixture
def stage() -> OracleStage:
    return OracleStage()


@pytest.fixture
async def story(stage: OracleStage) -> Story:
    return await Story(stage).begin()


async def c2_active(story: Story) -> None:
    await story.upload("clothed", "C2", derived_from=[("portrait", 1)])


async def test_every_receipt_contains_the_origins_of_its_images(stage: OracleStage, story: Story) -> None:
    portrait, clothed = story.assets["portrait"], story.assets["clothed"]
    ways: list[set[tuple[str, int | None, str | None]]] = []
    for segment in story.segments["A"]:
        take = stage.world.selected_take(segment)
        assert take is not None
        lines = stage.world.receipt(take.receipt_id).inputs
        ways.append({(line.role, line.asset_id, line.via) for line in lines if line.asset_id in {portrait, clothed}})
    assert ways == [
        {("variant", clothed, None), ("source_image", portrait, "variant")},
        *[{("variant", clothed, "seed_frame"), ("source_image", portrait, "seed_frame")}] * 3,
    ]


async def test_a_source_image_is_judged_when_no_derivation_of_its_variant_names_it(
    stage: OracleStage, story: Story
) -> None:
    """A receipt may name a source image of a variant that no derivation of the variant names."""
    await story.upload("portrait", "P2")
    world = replace(stage.world, derivations=())
    assert [cause.kind for cause in causes(world, story.segment("A/1"))] == ["superseded"]
    assert [cause.kind for cause in causes(world, story.segment("A/2"))] == ["derived"]


async def test_a_source_image_named_next_to_its_variant_is_judged(stage: OracleStage, story: Story) -> None:
    await story.scene("C", chained=(True,))
    uses = [
        Use(Kind.VARIANT, story.assets["clothed"], 1),
        Use(Kind.SOURCE_IMAGE, story.assets["portrait"], 1),
    ]
    await stage.record(story.segment("C/1"), uses, last_frame="c")
    await story.upload("portrait", "P2")
    # Direct, and therefore not repeated as derived through the variant.
    assert await story.causes("C/1") == {("superseded", story.root("portrait", 1, 2))}


async def test_an_unchained_segment_that_continued_a_frame_is_judged_on_its_own(story: Story) -> None:
    await story.stage.set_chained(story.segment("A/2"), False)
    assert await story.nothing_is_stale()
    await story.render("A/1", seed="2")
    assert await story.states("A") == ["fresh"] * 4
    await c2_active(story)
    assert await story.causes("A/2") == {("superseded", story.root("clothed", 1, 2))}
    assert await story.causes("A/3") == {("derived", story.root("clothed", 1, 2))}


async def test_a_segment_inserted_into_a_chain_has_no_take_to_continue(story: Story) -> None:
    new = await story.stage.segment(story.scenes["A"], position=2)
    assert await story.stage.state(new) == "empty"
    assert await story.states("A") == ["fresh"] * 4
    await story.stage.record(
        new, [Use(Kind.MODEL, story.assets["tiny"], 1)], last_frame="inserted", continues=await first_take(story)
    )
    assert await story.causes("A/2") == {("chain", CHAIN)}


async def first_take(story: Story) -> int:
    take = await story.stage.selected(story.segment("A/1"))
    assert take is not None
    return take


async def test_an_edit_with_the_new_source_has_no_cause_from_the_version_that_it_edited(story: Story) -> None:
    await story.upload("portrait", "P2")
    await story.upload("clothed", "C2", derived_from=[("clothed", 1), ("portrait", 2)])
    await story.redo("A", "B", clothed=2)
    assert await story.nothing_is_stale()
    await story.upload("portrait", "P3")
    # Now it has no expected source: both its source and the version that it edited count.
    assert await story.groups() == {
        story.root("portrait", 1, 3): (8, 2, 0, 8),
        story.root("portrait", 2, 3): (8, 2, 0, 8),
    }


async def test_a_chained_segment_whose_take_has_no_frame_inherits_nothing(story: Story) -> None:
    await story.scene("C")
    for place, starts in enumerate((True, False, True, False), start=1):
        await story.render(f"C/{place}", starts=starts, seed=None if place == 1 else "1")
    assert await story.states("C") == ["unknown", "unknown", "fresh", "fresh"]
    await story.render("C/1", seed="2")
    assert await story.states("C") == ["fresh", "stale", "fresh", "fresh"]


async def test_equal_versions_share_their_derivations(story: Story) -> None:
    await story.upload("clothed", "C1", wrapping="saved again", activate=True)
    assert await story.nothing_is_stale()
    await story.upload("portrait", "P2")
    assert await story.groups() == {story.root("portrait", 1, 2): (8, 2, 0, 8)}
    # Its equal version, made from the expected source, makes both up to date.
    await story.upload("clothed", "C1", wrapping="saved again", derived_from=[("portrait", 2)])
    assert await story.nothing_is_stale()


async def test_a_cause_has_the_shortest_of_several_paths(stage: OracleStage, story: Story) -> None:
    await story.upload("poster", "V1", derived_from=[("clothed", 1)])
    await story.scene("C", chained=(True, True))
    await story.render("C/1", variant="poster")
    uses = [Use(Kind.VARIANT, story.assets["clothed"], 1)]
    await stage.record(story.segment("C/2"), uses, last_frame="c", continues=stage.world.selected[story.segment("C/1")])
    await story.upload("portrait", "P2")
    (cause,) = causes(stage.world, story.segment("C/2"))
    assert [(step.type, step.name) for step in cause.path[:-1]] == [("version", "portrait"), ("version", "clothed")]
    assert (cause.kind, cause.role, cause.decided_by) == ("derived", "variant", "effective_digest")


async def test_a_waived_link_ends_with_the_next_take_of_the_previous_segment(story: Story) -> None:
    await story.render("A/1", seed="2")
    await story.stage.waive(story.segment("A/2"), None)
    assert await story.states("A") == ["fresh", "waived", "fresh", "fresh"]
    await story.render("A/1", seed="3")
    assert await story.states("A") == ["fresh", "stale", "stale", "stale"]


async def test_a_chain_waived_further_down_is_bound_to_the_nearest_broken_link(story: Story) -> None:
    await story.render("A/1", seed="2")
    await story.stage.waive(story.segment("A/4"), None)
    assert await story.states("A") == ["fresh", "stale", "stale", "waived"]
    await story.render("A/2")
    assert await story.causes("A/3") == {("chain", CHAIN)}
    assert await story.states("A") == ["fresh", "fresh", "stale", "stale"]


async def test_a_waiver_covers_one_root_only(story: Story) -> None:
    await c2_active(story)
    await story.upload("rain", "R2")
    await story.stage.waive(story.segment("A/1"), story.assets["clothed"])
    assert await story.causes("A/1") == {("superseded", story.root("rain", 1, 2))}
    assert (await story.groups())[story.root("clothed", 1, 2)] == (4, 1, 1, 3)
    await story.stage.waive(story.segment("A/1"), story.assets["rain"])
    assert await story.states("A") == ["waived", "stale", "stale", "stale"]


async def test_a_waiver_that_has_expired_covers_nothing(stage: OracleStage, story: Story) -> None:
    await c2_active(story)
    await story.stage.waive(story.segment("A/1"), story.assets["clothed"])
    end = stage.world.now + timedelta(days=1)
    stage.world = replace(stage.world, waivers=tuple(replace(row, expires_at=end) for row in stage.world.waivers))
    assert state(stage.world, story.segment("A/1")) is State.WAIVED
    assert state(replace(stage.world, now=end), story.segment("A/1")) is State.STALE


async def test_an_unknown_take_makes_the_following_waived_segments_unknown(story: Story) -> None:
    await story.scene("D")
    for place in (1, 2, 3, 4):
        await story.render(f"D/{place}", evidence="matched_by_name" if place == 2 else "recorded")
    assert await story.states("D") == ["fresh", "unknown", "unknown", "unknown"]
    await story.upload("rain", "R2")
    await story.stage.waive(story.segment("D/3"), story.assets["rain"])
    assert await story.states("D") == ["stale", "stale", "unknown", "stale"]


async def test_two_unknown_files_of_one_asset_are_one_group(story: Story) -> None:
    await story.render("A/1", rain="R8")
    await story.render("B/1", rain="R9")
    assert (await story.groups())[story.unmatched("rain")] == (8, 2, 2, 6)


async def test_the_largest_groups_come_first(stage: OracleStage, story: Story) -> None:
    await story.render("A/1", seed="2")
    await c2_active(story)
    await story.upload("rain", "R2")
    await story.render("A/4", rain=2)
    sizes = [group.segments for group in report(stage.world, story.project).groups]
    assert sizes == sorted(sizes, reverse=True)


async def test_an_estimate_is_the_sum_of_medians_of_the_same_work(stage: OracleStage, story: Story) -> None:
    await story.upload("rain", "R2")
    seconds = iter([1.0, 2.0, 30.0, 4.0, 5.0, 6.0, 7.0, None])
    stage.world = replace(
        stage.world,
        receipts=tuple(
            replace(row, duration_s=next(seconds), workflow_digest="w", width=64, height=64)
            for row in stage.world.receipts
        ),
    )
    (group,) = report(stage.world, story.project).groups
    assert group.estimate == Estimate(gpu_seconds=8 * 5.0, samples=7)
    nothing_measured = replace(
        stage.world, receipts=tuple(replace(row, duration_s=None) for row in stage.world.receipts)
    )
    assert [group.estimate for group in report(nothing_measured, story.project).groups] == [None]


async def test_a_group_is_pinned_only_if_all_its_segments_are(story: Story) -> None:
    await c2_active(story)
    await story.redo("A", "B", clothed=2)
    await story.stage.pin(story.assets["clothed"], 1, scene=story.scenes["A"])
    await story.activate("clothed", 1)
    assert await story.sentences() == {"8 segments across 2 scenes used clothed_v2.png — you are on v1"}
    await story.stage.pin(story.assets["clothed"], 1, scene=story.scenes["B"])
    assert await story.sentences() == {"8 segments across 2 scenes used clothed_v2.png — pinned to v1"}
