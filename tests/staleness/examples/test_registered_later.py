"""Inputs that are named by a digest which is registered as a version later, or never."""

from tests.staleness.examples.story import Story

from genlock.model import Kind


async def test_a_digest_that_no_asset_has_makes_the_segment_unknown(story: Story) -> None:
    await story.render("A/1", rain="R2", bare=True)
    assert await story.states("A") == ["unknown", "stale", "stale", "stale"]  # the frames before them changed
    await story.render("A/2")
    assert await story.states("A/1", "A/2") == ["unknown", "unknown"]
    assert await story.causes("A/2") == set()


async def test_a_segment_is_judged_from_the_registration_on(story: Story) -> None:
    take = await story.render("A/1", rain="R2", bare=True)
    await story.render("A/2")
    uploaded = await story.upload("rain", "R2")
    assert await story.states("A/1") == ["fresh"]
    assert await story.causes("A/2") == {("superseded", story.root("rain", 1, 2))}
    used = await story.stage.usage(uploaded.asset, uploaded.version)
    assert {(usage.take, usage.uses) for usage in used} == {(take, 1)}
    await story.upload("rain", "R3")
    assert await story.states("A/1") == ["stale"]
    root = story.root("rain", 2, 3)
    assert await story.causes("A/1") == {("superseded", root)}
    assert (await story.groups())[root] == (4, 1, 1, 3)
    predicted = await story.stage.impact(uploaded.asset, 2)
    assert (predicted.becomes_stale, predicted.becomes_fresh) == (0, 1)


async def test_a_registered_but_inactive_version_makes_the_segment_stale(story: Story) -> None:
    await story.render("A/1", rain="R2", bare=True)
    await story.upload("rain", "R2", activate=False)
    assert await story.causes("A/1") == {("superseded", story.root("rain", 2, 1))}


async def test_a_variant_registered_later_is_the_root_of_the_chain(story: Story) -> None:
    """The frames of a chain lead back to the variant, whether it was registered before or after they were rendered."""
    await story.render("A/1", variant=None, rain=1)
    digest = "C9"
    await story.stage.record(
        story.segment("A/1"), [*story.uses(1), story.bare(Kind.VARIANT, digest)], last_frame="start"
    )
    await story.render("A/2")
    assert await story.states("A/1", "A/2") == ["unknown", "unknown"]
    await story.upload("clothed", digest)
    assert await story.states("A/1", "A/2") == ["fresh", "fresh"]
    await story.upload("clothed", "C10", derived_from=[("portrait", 1)])
    root = story.root("clothed", 2, 3)
    assert await story.causes("A/1") == {("superseded", root)}
    assert await story.causes("A/2") == {("derived", root)}


async def test_earlier_takes_are_linked(story: Story) -> None:
    bare = await story.render("A/1", rain="R2", bare=True)
    await story.render("A/1")
    uploaded = await story.upload("rain", "R2")
    assert await story.stage.usage(uploaded.asset, uploaded.version) == frozenset()
    used = await story.stage.usage(uploaded.asset, uploaded.version, selected=False)
    assert {usage.take for usage in used} == {bare}
    await story.stage.select(story.segment("A/1"), bare)
    assert await story.states("A/1") == ["fresh"]


async def test_archived_segments_are_linked_when_they_are_restored(story: Story) -> None:
    take = await story.render("A/1", rain="R2", bare=True)
    segment = story.segment("A/1")
    await story.stage.archive("segment", segment)
    uploaded = await story.upload("rain", "R2")
    assert await story.stage.usage(uploaded.asset, uploaded.version) == frozenset()
    await story.stage.restore("segment", segment)
    assert await story.states("A/1") == ["fresh"]
    assert {usage.take for usage in await story.stage.usage(uploaded.asset, uploaded.version)} == {take}


async def test_a_digest_is_linked_to_the_asset_that_registers_it_first(story: Story) -> None:
    await story.render("A/1", rain="R2", bare=True)
    first = await story.stage.upload(Kind.LORA, "storm", "R2", filename="storm_v1.safetensors")
    await story.upload("rain", "R2")
    assert await story.states("A/1") == ["fresh"]
    await story.upload("rain", "R3")
    assert await story.states("A/1") == ["fresh"]
    await story.stage.upload(Kind.LORA, "storm", "R4", filename="storm_v2.safetensors")
    assert await story.causes("A/1") == {("superseded", ("asset", first.asset, 1, 2))}
