"""Worked examples 20–26, 30 and 31, and the states of 34–36: chains, unmatched files, missing values.

That a plan leaves A/2 out (34), is refused or reports the change (35, 36) is tested with plans.
"""

from tests.staleness.examples.story import CHAIN, Story
from tests.staleness.worlds import SeenUsage


async def c2_active(story: Story) -> None:
    await story.upload("clothed", "C2", derived_from=[("portrait", 1)])


async def test_20_another_take_breaks_the_following_link(story: Story) -> None:
    await story.render("A/1", seed="2")
    assert await story.states("A") == ["fresh", "stale", "stale", "stale"]
    assert await story.causes("A/2") == {("chain", CHAIN)}
    assert await story.causes("A/3") == await story.causes("A/4") == {("derived", CHAIN)}
    assert await story.groups() == {CHAIN: (3, 1, 1, 2)}
    assert await story.sentences() == {"3 segments in 1 scene continue a take that was replaced"}


async def test_21_selecting_the_old_take_again_repairs_the_link(story: Story) -> None:
    (first,) = await story.stage.takes(story.segment("A/1"))
    await story.render("A/1", seed="2")
    await story.stage.select(story.segment("A/1"), first)
    assert await story.nothing_is_stale()


async def test_22_a_new_take_with_the_same_last_frame_breaks_no_link(story: Story) -> None:
    await story.scene("C", chained=(True, True))
    await story.render("C/1", last_frame="the same")
    await story.render("C/2")
    await story.render("C/1", seed="2", last_frame="the same")
    assert await story.nothing_is_stale()


async def test_of_several_frames_the_first_is_continued(story: Story) -> None:
    other = await story.stage.selected(story.segment("B/1"))
    assert other is not None
    await story.render("A/2", frames_of=(other,), last_frame="two frames")
    await story.render("A/3")
    await story.render("A/4")
    assert await story.nothing_is_stale()
    await story.render("B/1", seed="2")
    assert await story.states("A") == ["fresh", "fresh", "fresh", "fresh"]
    await story.render("A/1", seed="2")
    assert await story.causes("A/2") == {("chain", CHAIN)}
    assert await story.groups() == {CHAIN: (6, 2, 2, 4)}


async def test_23_a_broken_link_does_not_hide_derived_causes(story: Story) -> None:
    await story.render("A/1", seed="2")
    await c2_active(story)
    root = story.root("clothed", 1, 2)
    assert await story.causes("A/1") == {("superseded", root)}
    assert await story.causes("A/2") == {("chain", CHAIN), ("derived", root)}
    for name in ("A/3", "A/4"):
        assert await story.causes(name) == {("derived", CHAIN), ("derived", root)}
    assert await story.groups() == {root: (8, 2, 2, 6), CHAIN: (3, 1, 1, 2)}


async def test_24_an_unchained_segment_starts_a_new_run(story: Story) -> None:
    await story.scene("C")
    await story.stage.set_chained(story.segment("C/3"), False)
    for place, starts in enumerate((True, False, True, False), start=1):
        await story.render(f"C/{place}", starts=starts)
    assert await story.nothing_is_stale()
    await story.render("C/1", seed="2")
    assert await story.states("C") == ["fresh", "stale", "fresh", "fresh"]
    assert await story.causes("C/2") == {("chain", CHAIN)}


async def test_25_a_file_that_no_version_has_is_unmatched(story: Story) -> None:
    (first,) = await story.stage.takes(story.segment("A/1"))
    await story.render("A/1", rain="R2")
    assert await story.causes("A/1") == {("unmatched", story.unmatched("rain"))}
    assert await story.causes("A/2") == {("chain", CHAIN), ("derived", story.unmatched("rain"))}
    assert await story.groups() == {story.unmatched("rain"): (4, 1, 1, 3), CHAIN: (3, 1, 1, 2)}
    assert "4 segments in 1 scene used rain in a form no version has" in await story.sentences()
    report = await story.report()
    assert (report.segments, report.unmatched, report.chain, report.derived) == (4, 1, 1, 3)
    await story.stage.select(story.segment("A/1"), first)
    assert await story.nothing_is_stale()


async def test_25_with_an_unchanged_frame_only_the_unmatched_file_counts(story: Story) -> None:
    await story.scene("C", chained=(True, True))
    await story.render("C/1", last_frame="the same")
    await story.render("C/2")
    await story.render("C/1", rain="R2", last_frame="the same")
    assert await story.causes("C/2") == {("derived", story.unmatched("rain"))}


async def test_26_an_unmatched_file_that_is_registered_later_is_judged(story: Story) -> None:
    await story.render("A/1", rain="R2")
    await story.upload("rain", "R2", activate=False)
    assert await story.causes("A/1") == {("superseded", story.root("rain", 2, 1))}
    assert ("derived", story.root("rain", 2, 1)) in await story.causes("A/2")
    await story.activate("rain", 2)
    assert await story.causes("A/1") == set()
    assert ("superseded", story.root("rain", 1, 2)) in await story.causes("A/2")


async def test_30_missing_values_make_a_segment_unknown(story: Story) -> None:
    await story.scene("D")
    for place in (1, 2, 3, 4):
        await story.render(f"D/{place}", seed=None if place == 1 else "1", evidence="matched_by_digest")
    assert await story.states("D") == ["unknown"] * 4
    assert (await story.report()).groups == ()
    await c2_active(story)
    assert await story.states("D") == ["stale"] * 4


async def test_31_an_archived_segment_is_not_the_previous_one(story: Story) -> None:
    a2 = story.segment("A/2")
    await story.stage.archive("segment", a2)
    assert await story.causes("A/3") == {("chain", CHAIN)}
    assert await story.causes("A/4") == {("derived", CHAIN)}
    assert await story.groups() == {CHAIN: (2, 1, 1, 1)}
    of_the_cut = await story.stage.usage(story.assets["rain"], 1)
    of_all = await story.stage.usage(story.assets["rain"], 1, selected=False)
    (take,) = await story.stage.takes(a2)
    assert len(of_the_cut) == 7
    assert of_all - of_the_cut == {SeenUsage(take, 1, archived=True)}
    await story.stage.restore("segment", a2)
    assert await story.nothing_is_stale()


async def test_31_the_variant_is_judged_where_the_chain_is_interrupted(story: Story) -> None:
    await story.stage.archive("segment", story.segment("A/2"))
    await c2_active(story)
    root = story.root("clothed", 1, 2)
    assert await story.causes("A/3") == {("chain", CHAIN), ("superseded", root)}
    assert await story.causes("A/4") == {("derived", CHAIN), ("derived", root)}


async def test_31_archived_scenes_and_projects_leave_the_report(story: Story) -> None:
    await c2_active(story)
    await story.stage.archive("scene", story.scenes["A"])
    assert await story.groups() == {story.root("clothed", 1, 2): (4, 1, 1, 3)}
    await story.stage.restore("scene", story.scenes["A"])
    await story.stage.archive("project", story.project)
    assert await story.groups() == {}
    await story.stage.restore("project", story.project)
    assert await story.groups() == {story.root("clothed", 1, 2): (8, 2, 2, 6)}


async def test_34_a_segment_rendered_alone_stays_derived(story: Story) -> None:
    await c2_active(story)
    await story.render("A/2")
    root = story.root("clothed", 1, 2)
    assert await story.causes("A/2") == {("derived", root)}
    assert await story.causes("A/3") == {("chain", CHAIN), ("derived", root)}


async def test_35_a_take_rendered_as_planned_is_stale_after_a_later_change(story: Story) -> None:
    await c2_active(story)
    await story.upload("clothed", "C3", derived_from=[("portrait", 1)])
    await story.redo("A", "B", clothed=2)
    assert await story.groups() == {story.root("clothed", 2, 3): (8, 2, 2, 6)}


async def test_36_a_take_that_is_not_selected_changes_no_state(story: Story) -> None:
    await c2_active(story)
    await story.render("A/1", clothed=2)
    await story.render("A/2")
    selected = await story.render("A/3")
    before = await story.states("A")
    added = await story.render("A/3", select=False)
    assert await story.stage.selected(story.segment("A/3")) == selected
    assert added in await story.stage.takes(story.segment("A/3"))
    assert await story.states("A") == before == ["fresh", "fresh", "fresh", "stale"]
