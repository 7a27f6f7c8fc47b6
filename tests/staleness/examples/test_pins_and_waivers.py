"""Worked examples 13–19: pins and waivers. The notes of the plan of 16 are tested with plans."""

from tests.staleness.examples.story import Story


async def c2_active(story: Story) -> None:
    await story.upload("clothed", "C2", derived_from=[("portrait", 1)])


async def test_13_a_pinned_scene_stays_fresh(story: Story) -> None:
    await story.stage.pin(story.assets["clothed"], 1, scene=story.scenes["A"])
    await c2_active(story)
    assert await story.states("A", "B") == ["fresh"] * 4 + ["stale"] * 4
    assert await story.sentences() == {"4 segments in 1 scene used clothed_v1.png — you are on v2"}
    await story.stage.unpin(story.assets["clothed"], scene=story.scenes["A"])
    assert await story.groups() == {story.root("clothed", 1, 2): (8, 2, 2, 6)}


async def test_13_a_pin_of_the_project_applies_to_scenes_without_their_own(story: Story) -> None:
    await story.stage.pin(story.assets["clothed"], 1, project=story.project)
    await story.stage.pin(story.assets["rain"], 1, scene=story.scenes["A"])
    await c2_active(story)
    await story.upload("rain", "R2")
    assert await story.states("A") == ["fresh"] * 4
    assert await story.groups() == {story.root("rain", 1, 2): (4, 1, 4, 0)}


async def test_14_a_scene_pinned_to_a_version_that_it_does_not_use_is_stale(story: Story) -> None:
    await c2_active(story)
    await story.redo("A", "B", clothed=2)
    await story.stage.pin(story.assets["clothed"], 1, scene=story.scenes["B"])
    assert await story.groups() == {story.root("clothed", 2, 1): (4, 1, 1, 3)}
    assert await story.sentences() == {"4 segments in 1 scene used clothed_v2.png — pinned to v1"}
    assert await story.states("A") == ["fresh"] * 4


async def test_15_a_pinned_version_is_up_to_date_by_definition(story: Story) -> None:
    await story.stage.pin(story.assets["clothed"], 1, scene=story.scenes["A"])
    await story.upload("portrait", "P2")
    assert await story.states("A") == ["fresh"] * 4
    assert await story.groups() == {story.root("portrait", 1, 2): (4, 1, 0, 4)}


async def test_16_a_pin_of_a_source_decides_which_variants_are_out_of_date(story: Story) -> None:
    await story.generate("clothed", "C9", [("portrait", 1)])
    await story.redo("A", "B", clothed=2)
    await story.stage.pin(story.assets["portrait"], 1, scene=story.scenes["A"])
    await story.upload("portrait", "P2")
    assert await story.states("A", "B") == ["fresh"] * 4 + ["stale"] * 4
    assert await story.groups() == {story.root("portrait", 1, 2): (4, 1, 0, 4)}

    await story.generate("clothed", "C10", [("portrait", 2)])
    assert await story.groups() == {story.root("clothed", 2, 3): (8, 2, 2, 6)}
    # Made from P2, the new variant is out of date where P1 is expected: the pin requires other sources.
    await story.redo("A", "B", clothed=3)
    assert await story.states("B") == ["fresh"] * 4
    assert await story.groups() == {story.root("portrait", 2, 1): (4, 1, 0, 4)}
    assert await story.sentences() == {"4 segments in 1 scene used portrait_v2.png — pinned to v1"}


async def test_17_a_waived_cause_is_not_inherited(story: Story) -> None:
    await c2_active(story)
    await story.stage.waive(story.segment("A/1"), story.assets["clothed"])
    assert await story.states("A") == ["waived", "fresh", "fresh", "fresh"]
    assert await story.groups() == {story.root("clothed", 1, 2): (4, 1, 1, 3)}
    assert (await story.report()).waived == 1


async def test_17_a_cause_counts_again_when_its_waiver_is_withdrawn(story: Story) -> None:
    await c2_active(story)
    for waiver in await story.stage.waive(story.segment("A/1"), story.assets["clothed"]):
        await story.stage.withdraw(waiver)
    assert await story.groups() == {story.root("clothed", 1, 2): (8, 2, 2, 6)}


async def test_18_a_waiver_ends_with_the_next_real_change(story: Story) -> None:
    await c2_active(story)
    await story.stage.waive(story.segment("A/1"), story.assets["clothed"])
    await story.upload("clothed", "C3", derived_from=[("portrait", 1)])
    assert await story.groups() == {story.root("clothed", 1, 3): (8, 2, 2, 6)}
    await story.activate("clothed", 2)
    assert await story.states("A") == ["waived", "fresh", "fresh", "fresh"]


async def test_19_a_derived_cause_is_waived_by_its_root(story: Story) -> None:
    await c2_active(story)
    await story.stage.waive(story.segment("A/2"), story.assets["clothed"])
    assert await story.states("A") == ["stale", "waived", "fresh", "fresh"]
