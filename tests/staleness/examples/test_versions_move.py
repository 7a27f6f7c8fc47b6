"""Worked examples 1–12: versions change, variants are generated again, contents are equal.

The states of 3, 4, 5, 8, 9 and 12: "redone" is a take recorded by hand with the expected inputs, "restored" the old
take selected again. The content of their plans is tested with plans; the events of 2 are tested with events.
"""

from tests.staleness.examples.story import Story
from tests.staleness.worlds import SeenUsage


async def c2_active(story: Story) -> None:
    await story.upload("clothed", "C2", derived_from=[("portrait", 1)])


async def test_01_a_new_variant_makes_its_chains_stale(story: Story) -> None:
    await story.upload("clothed", "C2", derived_from=[("portrait", 1)], activate=False)
    assert await story.nothing_is_stale()
    predicted = await story.stage.impact(story.assets["clothed"], 2)

    await story.activate("clothed", 2)
    root = story.root("clothed", 1, 2)
    assert await story.states("A", "B") == ["stale"] * 8
    for scene in "AB":
        assert await story.causes(f"{scene}/1") == {("superseded", root)}
        for place in (2, 3, 4):
            assert await story.causes(f"{scene}/{place}") == {("derived", root)}
    report = await story.report()
    assert [group.sentence for group in report.groups] == [
        "8 segments across 2 scenes used clothed_v1.png — you are on v2"
    ]
    assert await story.groups() == {root: (8, 2, 2, 6)}
    assert (report.segments, report.scenes, report.superseded, report.derived) == (8, 2, 2, 6)
    assert (report.chain, report.unmatched, report.waived) == (0, 0, 0)
    assert (predicted.becomes_stale, predicted.becomes_fresh) == (8, 0)
    assert predicted.reports == {story.project: report}


async def test_01_the_path_leads_from_the_version_through_the_chain(story: Story) -> None:
    await c2_active(story)
    a1, a2, a3, _ = story.segments["A"]
    (cause,) = await story.stage.causes(a3)
    assert cause.path == (
        ("version", story.assets["clothed"], 1),
        ("segment", a1, 1),
        ("segment", a2, 2),
        ("segment", a3, 3),
    )
    assert cause.role == "seed_frame"


async def test_02_a_revert_makes_everything_fresh(story: Story) -> None:
    await c2_active(story)
    predicted = await story.stage.impact(story.assets["clothed"], 1)
    assert (predicted.becomes_stale, predicted.becomes_fresh) == (0, 8)
    await story.activate("clothed", 1)
    assert await story.nothing_is_stale()


async def test_03_redoing_in_order_makes_everything_fresh_and_keeps_the_old_takes(story: Story) -> None:
    await c2_active(story)
    await story.redo("A", "B", clothed=2)
    assert await story.nothing_is_stale()
    for segment in story.named("AB"):
        first, second = await story.stage.takes(segment)
        assert first != second == await story.stage.selected(segment)


async def test_03_a_redone_segment_breaks_the_next_link(story: Story) -> None:
    await c2_active(story)
    await story.render("A/1", clothed=2)
    assert await story.states("A") == ["fresh", "stale", "stale", "stale"]
    assert await story.causes("A/2") == {("chain", ("chain", None, None, None))}
    assert await story.causes("A/3") == {("derived", ("chain", None, None, None))}


async def test_04_the_old_takes_are_fresh_again_after_a_revert(story: Story) -> None:
    await c2_active(story)
    await story.redo("A", "B", clothed=2)
    await story.activate("clothed", 1)
    assert await story.groups() == {story.root("clothed", 2, 1): (8, 2, 2, 6)}
    await story.restore("A", "B")
    assert await story.nothing_is_stale()


async def test_05_a_new_version_of_a_source_makes_its_variant_out_of_date(story: Story) -> None:
    await story.upload("portrait", "P2")
    root = story.root("portrait", 1, 2)
    for scene in "AB":
        for place in (1, 2, 3, 4):
            assert await story.causes(f"{scene}/{place}") == {("derived", root)}
    assert await story.groups() == {root: (8, 2, 0, 8)}
    assert await story.sentences() == {"8 segments across 2 scenes used portrait_v1.png — you are on v2"}
    a1, a2, *_ = story.segments["A"]
    (cause,) = await story.stage.causes(a2)
    portrait, clothed = story.assets["portrait"], story.assets["clothed"]
    assert cause.path == (("version", portrait, 1), ("version", clothed, 1), ("segment", a1, 1), ("segment", a2, 2))


async def test_06_a_new_version_of_the_variant_is_the_only_root(story: Story) -> None:
    await story.upload("portrait", "P2")
    await story.upload("clothed", "C2", derived_from=[("portrait", 2)])
    assert await story.groups() == {story.root("clothed", 1, 2): (8, 2, 2, 6)}


async def test_07_the_same_bytes_with_a_new_derivation_are_fresh(story: Story) -> None:
    await story.upload("portrait", "P2")
    again = await story.upload("clothed", "C1", derived_from=[("portrait", 2)])
    assert (again.outcome, again.version) == ("exists", 1)
    assert await story.nothing_is_stale()


async def made_by_an_engine(story: Story) -> None:
    """Set up example 8: the chains start with a variant that an engine made from P1."""
    await story.generate("clothed", "C9", [("portrait", 1)])
    await story.redo("A", "B", clothed=2)
    assert await story.nothing_is_stale()


async def test_08_a_generated_variant_is_regenerated_first(story: Story) -> None:
    await made_by_an_engine(story)
    await story.upload("portrait", "P2")
    assert await story.groups() == {story.root("portrait", 1, 2): (8, 2, 0, 8)}
    await story.generate("clothed", "C10", [("portrait", 2)])
    assert await story.groups() == {story.root("clothed", 2, 3): (8, 2, 2, 6)}
    await story.redo("A", "B", clothed=3)
    assert await story.nothing_is_stale()


async def test_09_an_identical_generated_variant_makes_its_segments_fresh(story: Story) -> None:
    await made_by_an_engine(story)
    await story.upload("portrait", "P2")
    again = await story.generate("clothed", "C9", [("portrait", 2)])
    assert (again.outcome, again.version) == ("exists", 2)
    assert await story.nothing_is_stale()


async def test_10_a_lora_with_other_metadata_is_an_equivalent_version(story: Story) -> None:
    again = await story.upload("rain", "R1", wrapping="trained in May")
    assert (again.outcome, again.version) == ("equivalent", 2)
    assert await story.nothing_is_stale()
    assert len(await story.stage.usage(story.assets["rain"], 1)) == 8
    assert await story.stage.usage(story.assets["rain"], 2) == frozenset[SeenUsage]()


async def test_11_a_lora_of_every_segment_is_one_group_of_direct_causes(story: Story) -> None:
    await story.upload("rain", "R2")
    root = story.root("rain", 1, 2)
    for scene in "AB":
        for place in (1, 2, 3, 4):
            assert await story.causes(f"{scene}/{place}") == {("superseded", root)}
    assert await story.groups() == {root: (8, 2, 8, 0)}
    assert await story.sentences() == {"8 segments across 2 scenes used rain_v1 — you are on v2"}


async def test_12_two_roots_are_two_groups_and_each_segment_counts_once(story: Story) -> None:
    await c2_active(story)
    await story.upload("rain", "R2")
    assert await story.groups() == {
        story.root("clothed", 1, 2): (8, 2, 2, 6),
        story.root("rain", 1, 2): (8, 2, 8, 0),
    }
    report = await story.report()
    assert (report.segments, report.scenes, report.superseded, report.derived) == (8, 2, 8, 6)
    await story.redo("A", "B", clothed=2, rain=2)
    assert await story.nothing_is_stale()
