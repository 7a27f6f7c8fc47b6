"""Worked examples 1–12: versions move, variants are made again, contents turn out equal.

The state halves of 3, 4, 5, 8, 9 and 12: "redone" is a take recorded by hand with what is wanted, "restored" the old
take selected again. What their plans say is tested with plans; the events of 2 are tested with events.
"""

from tests.staleness.examples.story import Story
from tests.staleness.worlds import SeenUsage


async def c2_active(story: Story) -> None:
    await story.upload("clothed", "C2", derived_from=[("portrait", 1)])


async def test_01_a_new_variant_makes_its_chains_stale(story: Story) -> None:
    await story.upload("clothed", "C2", derived_from=[("portrait", 1)], activate=False)
    assert await story.nothing_is_stale()
    said_before = await story.stage.impact(story.assets["clothed"], 2)

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
    assert (said_before.becomes_stale, said_before.becomes_fresh) == (8, 0)
    assert said_before.reports == {story.project: report}


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
    said = await story.stage.impact(story.assets["clothed"], 1)
    assert (said.becomes_stale, said.becomes_fresh) == (0, 8)
    await story.activate("clothed", 1)
    assert await story.nothing_is_stale()


async def test_03_redone_in_order_everything_is_fresh_and_the_old_takes_stay(story: Story) -> None:
    await c2_active(story)
    await story.redo("A", "B", clothed=2)
    assert await story.nothing_is_stale()
    for segment in story.named("AB"):
        first, second = await story.stage.takes(segment)
        assert first != second == await story.stage.selected(segment)


async def test_03_on_the_way_what_is_redone_breaks_the_next_link(story: Story) -> None:
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


async def test_05_what_a_variant_was_made_from_moves(story: Story) -> None:
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


async def test_06_the_variant_made_anew_is_the_only_root(story: Story) -> None:
    await story.upload("portrait", "P2")
    await story.upload("clothed", "C2", derived_from=[("portrait", 2)])
    assert await story.groups() == {story.root("clothed", 1, 2): (8, 2, 2, 6)}


async def test_07_made_anew_with_the_same_bytes(story: Story) -> None:
    await story.upload("portrait", "P2")
    again = await story.upload("clothed", "C1", derived_from=[("portrait", 2)])
    assert (again.outcome, again.version) == ("exists", 1)
    assert await story.nothing_is_stale()


async def made_by_an_engine(story: Story) -> None:
    """8's start: the chains begin with a variant that an engine made from P1."""
    await story.generate("clothed", "C9", [("portrait", 1)])
    await story.redo("A", "B", clothed=2)
    assert await story.nothing_is_stale()


async def test_08_a_generated_variant_is_made_again_first(story: Story) -> None:
    await made_by_an_engine(story)
    await story.upload("portrait", "P2")
    assert await story.groups() == {story.root("portrait", 1, 2): (8, 2, 0, 8)}
    await story.generate("clothed", "C10", [("portrait", 2)])
    assert await story.groups() == {story.root("clothed", 2, 3): (8, 2, 2, 6)}
    await story.redo("A", "B", clothed=3)
    assert await story.nothing_is_stale()


async def test_09_a_generated_variant_that_comes_out_the_same_cuts_off(story: Story) -> None:
    await made_by_an_engine(story)
    await story.upload("portrait", "P2")
    again = await story.generate("clothed", "C9", [("portrait", 2)])
    assert (again.outcome, again.version) == ("exists", 2)
    assert await story.nothing_is_stale()


async def test_10_other_metadata_is_no_other_lora(story: Story) -> None:
    again = await story.upload("rain", "R1", wrapping="trained in May")
    assert (again.outcome, again.version) == ("equivalent", 2)
    assert await story.nothing_is_stale()
    assert len(await story.stage.usage(story.assets["rain"], 1)) == 8
    assert await story.stage.usage(story.assets["rain"], 2) == frozenset[SeenUsage]()


async def test_11_a_lora_that_every_segment_uses(story: Story) -> None:
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
