"""Worked examples 27–29, 32 and 33: edits, loops, several derivations, several projects, one LoRA twice.

That there is one event per project (32) is tested with events.
"""

import pytest
from tests.staleness.examples.story import Story
from tests.staleness.worlds import SeenUsage, Use

from genlock.errors import Conflict
from genlock.model import Kind


async def test_27_an_edit_inherits_the_causes_of_its_source(story: Story) -> None:
    await story.upload("clothed", "C2", derived_from=[("clothed", 1)])
    await story.redo("A", "B", clothed=2)
    assert await story.nothing_is_stale()
    await story.upload("portrait", "P2")
    assert await story.groups() == {story.root("portrait", 1, 2): (8, 2, 0, 8)}
    (cause,) = await story.stage.causes(story.segment("A/1"))
    portrait, clothed = story.assets["portrait"], story.assets["clothed"]
    assert cause.path[:-1] == (("version", portrait, 1), ("version", clothed, 1), ("version", clothed, 2))


async def test_28_a_version_is_not_superseded_by_its_own_descendant(story: Story) -> None:
    await story.upload("portrait", "P2", derived_from=[("clothed", 1)])
    assert await story.nothing_is_stale()
    await story.upload("clothed", "C2", derived_from=[("portrait", 2)])
    assert await story.groups() == {story.root("clothed", 1, 2): (8, 2, 2, 6)}
    await story.redo("A", "B", clothed=2)
    assert await story.nothing_is_stale()


async def test_28_a_version_cannot_be_its_own_ancestor(story: Story) -> None:
    await story.upload("portrait", "P2", derived_from=[("clothed", 1)])
    with pytest.raises(Conflict):
        await story.upload("clothed", "C1", derived_from=[("portrait", 2)])
    with pytest.raises(Conflict):
        await story.upload("clothed", "C1", derived_from=[("clothed", 1)])
    assert await story.nothing_is_stale()


async def test_29_one_current_derivation_is_enough_and_else_the_newest_is_the_cause(story: Story) -> None:
    await story.upload("pose", "Q1")
    await story.upload("poster", "V1", derived_from=[("portrait", 1)])
    again = await story.upload("poster", "V1", derived_from=[("pose", 1)])
    assert (again.outcome, again.version) == ("exists", 1)
    await story.scene("C", chained=(True,))
    await story.render("C/1", variant="poster")
    await story.upload("portrait", "P2")
    assert await story.states("C") == ["fresh"]
    await story.upload("pose", "Q2")
    assert await story.causes("C/1") == {("derived", story.root("pose", 1, 2))}


async def test_32_each_project_has_its_own_report(story: Story) -> None:
    other = await Story(story.stage, assets=story.assets, project=await story.stage.project("harbour")).elsewhere("X")
    await story.upload("rain", "R2", activate=False)
    predicted = await story.stage.impact(story.assets["rain"], 2)
    await story.activate("rain", 2)
    root = story.root("rain", 1, 2)
    assert await story.groups() == {root: (8, 2, 8, 0)}
    assert await other.groups() == {root: (4, 1, 4, 0)}
    assert predicted.becomes_stale == 12
    assert predicted.reports == {story.project: await story.report(), other.project: await other.report()}


async def test_33_the_same_lora_twice_is_one_take_with_two_inputs(story: Story) -> None:
    await story.scene("C", chained=(True,))
    rain = story.assets["rain"]
    take = await story.stage.record(
        story.segment("C/1"),
        [
            Use(Kind.VARIANT, story.assets["clothed"], 1),
            Use(Kind.LORA, rain, 1, strength=0.8),
            Use(Kind.LORA, rain, 1, strength=0.3),
            Use(Kind.WORKFLOW, story.assets["walk"], 1),
            Use(Kind.MODEL, story.assets["tiny"], 1),
        ],
        last_frame="twice",
    )
    await story.stage.archive("scene", story.scenes["A"])
    await story.stage.archive("scene", story.scenes["B"])
    await story.upload("rain", "R2")
    assert await story.groups() == {story.root("rain", 1, 2): (1, 1, 1, 0)}
    assert await story.sentences() == {"1 segment in 1 scene used rain_v1 — you are on v2"}
    assert await story.stage.usage(rain, 1) == {SeenUsage(take, 2, archived=False)}
