"""The worked examples with plans, each on real files through plans, the queue and a worker.

The numbers are those of the examples; scenes A and B are chains of four.
"""

from io import BytesIO

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.regeneration.studio import Studio

from genlock.errors import Conflict
from genlock.model import Kind
from genlock.regeneration.model import Plan, PlanState, StepKind, StepState
from genlock.staleness.model import State

FRESH_8 = [State.FRESH] * 8


async def _shoot(studio: Studio) -> None:
    await studio.shoot("A")
    await studio.shoot("B")
    assert await studio.states() == FRESH_8


async def _new_clothes(studio: Studio) -> None:
    """Do example 1."""
    assert await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)]) == 2


async def _redone(studio: Studio) -> Plan:
    """Do example 3."""
    await _shoot(studio)
    await _new_clothes(studio)
    return await studio.run(await studio.plan(groups=[f"asset-{studio.assets['clothed']}-1-2"]))


def _again(studio: Studio) -> None:
    """Write a second portrait with the same pixels and other bytes."""
    picture = Image.open(studio.samples / "portrait_v1.png")
    metadata = PngInfo()
    metadata.add_text("comment", "exported again")
    content = BytesIO()
    picture.save(content, "PNG", pnginfo=metadata)
    (studio.samples / "portrait_again.png").write_bytes(content.getvalue())


async def test_3_a_group_is_rendered_in_chain_order(studio: Studio) -> None:
    plan = await _redone(studio)
    assert (plan.state, plan.totals.rendered, plan.totals.saved) == (PlanState.SUCCEEDED, 8, 0)
    assert await studio.states() == FRESH_8
    for name in ("A", "B"):
        assert [await studio.takes(segment) for segment in studio.segments[name]] == [(2, 2)] * 4
    steps = {step.segment_id: step for step in await studio.steps(plan)}
    for name in ("A", "B"):
        chain = [steps[segment] for segment in studio.segments[name]]
        assert [step.after for step in chain] == [(), *((step.id,) for step in chain[:-1])]
        finished = [step.finished_at for step in chain if step.finished_at]
        started = [step.started_at for step in chain if step.started_at]
        assert len(finished) == 4
        assert all(before <= after for before, after in zip(finished, started[1:], strict=False))
    (first,) = steps[studio.segments["A"][0]].substitutes
    assert (first.role, first.asset.name, first.from_, first.to) == ("variant", "clothed", 1, 2)


async def test_4_activating_the_previous_version_restores_every_take_without_a_render(studio: Studio) -> None:
    await _redone(studio)
    await studio.activate("clothed", 1)
    assert (await studio.report()).groups[0].id == f"asset-{studio.assets['clothed']}-2-1"
    plan = await studio.plan()
    assert (plan.totals.restore, plan.totals.render, plan.totals.gpu_seconds) == (8, 0, None)
    plan = await studio.run(plan)
    assert (plan.state, plan.totals.restored) == (PlanState.SUCCEEDED, 8)
    assert await studio.states() == FRESH_8
    assert [await studio.takes(segment) for segment in studio.segments["A"]] == [(2, 1)] * 4


async def test_5_a_variant_uploaded_by_hand_blocks_its_dependents(studio: Studio) -> None:
    await _shoot(studio)
    await studio.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_v2.png")
    plan = await studio.plan()
    assert (plan.totals.blocked, plan.totals.render, plan.totals.steps) == (9, 0, 9)
    clothed, *rest = await studio.steps(plan)
    assert clothed.asset_id == studio.assets["clothed"]
    assert clothed.why == "clothed v1 was uploaded by hand: upload a new version made from portrait v2."
    assert all(step.kind is StepKind.BLOCKED and step.why for step in rest)
    with pytest.raises(Conflict, match="blocked"):
        await studio.start(plan)


async def test_8_a_variant_rendered_by_an_engine_is_rendered_first(engine_studio: Studio) -> None:
    studio = engine_studio
    await _shoot(studio)
    await studio.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_v2.png")
    plan = await studio.plan()
    assert (plan.totals.render, plan.totals.blocked) == (9, 0)
    clothed, *rest = await studio.steps(plan)
    assert clothed.asset_id == studio.assets["clothed"]
    (from_portrait,) = clothed.substitutes
    assert (from_portrait.role, from_portrait.from_, from_portrait.to) == ("source_image", 1, 2)
    assert [step.after for step in rest if step.segment_id == studio.segments["A"][0]] == [(clothed.id,)]
    plan = await studio.run(plan)
    assert (plan.state, plan.totals.rendered) == (PlanState.SUCCEEDED, 9)
    assert await studio.active("clothed") == 2
    assert await studio.states() == FRESH_8
    assert (await studio.report()).totals.segments == 0
    assert plan.notes == ()


async def test_9_an_identical_result_cuts_off_the_following_steps(engine_studio: Studio) -> None:
    studio = engine_studio
    await _shoot(studio)
    _again(studio)
    await studio.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_again.png")
    assert await studio.states() == [State.STALE] * 8
    plan = await studio.run(await studio.plan())
    assert (plan.totals.rendered, plan.totals.saved, plan.state) == (1, 8, PlanState.SUCCEEDED)
    assert await studio.active("clothed") == 1
    assert await studio.states() == FRESH_8
    assert [await studio.takes(segment) for segment in studio.segments["B"]] == [(1, 1)] * 4
    skipped = [step for step in await studio.steps(plan) if step.segment_id]
    assert all(step.state is StepState.SKIPPED and step.saved and step.take_id for step in skipped)


async def test_12_a_plan_of_a_group_applies_the_other_change_too(studio: Studio) -> None:
    await _shoot(studio)
    await _new_clothes(studio)
    await studio.upload(Kind.LORA, "rain", "rain_v2.safetensors")
    report = await studio.report()
    assert [group.segments for group in report.groups] == [8, 8]
    plan = await studio.plan(groups=[f"asset-{studio.assets['rain']}-1-2"])
    first = next(step for step in await studio.steps(plan) if step.segment_id == studio.segments["A"][0])
    assert {(substitute.asset.name, substitute.from_, substitute.to) for substitute in first.substitutes} == {
        ("rain", 1, 2),
        ("clothed", 1, 2),
    }
    plan = await studio.run(plan)
    assert plan.totals.rendered == 8
    assert await studio.states() == FRESH_8


async def test_13_a_pinned_segment_is_left_out_and_reported(studio: Studio) -> None:
    await _shoot(studio)
    await studio.pin("clothed", 1, scene="A")
    await _new_clothes(studio)
    plan = await studio.plan(groups=[f"asset-{studio.assets['clothed']}-1-2"])
    assert plan.totals.render == 4
    assert await studio.left_out(plan) == dict.fromkeys(studio.segments["A"], "pinned")


async def test_16_a_version_rendered_for_some_segments_is_noted_to_make_others_stale(engine_studio: Studio) -> None:
    studio = engine_studio
    await _shoot(studio)
    await studio.pin("portrait", 1, scene="A")
    await studio.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_v2.png")
    assert await studio.states("A") == [State.FRESH] * 4
    assert await studio.states("B") == [State.STALE] * 4
    plan = await studio.plan()
    assert plan.totals.render == 5
    (note,) = plan.notes
    assert (note.code, note.asset_id, note.segments) == ("will_be_stale", studio.assets["clothed"], 4)
    assert note.message.startswith("4 segments in 1 scene outside this plan use clothed v1 and will be stale")
    await studio.run(plan)
    assert await studio.states("B") == [State.FRESH] * 4
    assert await studio.states("A") == [State.STALE] * 4
    assert [group.id for group in (await studio.report()).groups] == [f"asset-{studio.assets['clothed']}-1-2"]
    # Segments of A stay stale: clothed v2 was made from a portrait that the pin of A excludes.
    blocked = await studio.plan(scenes=[studio.scenes["A"]])
    assert blocked.totals.blocked == blocked.totals.steps == 4
    assert "pin" in ((await studio.steps(blocked))[0].why or "")


async def test_17_a_waived_segment_is_left_out(studio: Studio) -> None:
    await _shoot(studio)
    await _new_clothes(studio)
    await studio.waive(studio.segments["A"][0], "clothed")
    plan = await studio.plan()
    assert plan.totals.render == 4
    assert (await studio.left_out(plan))[studio.segments["A"][0]] == "waived"


async def test_34_no_input_of_a_segment_has_changed_yet(studio: Studio) -> None:
    await _shoot(studio)
    await _new_clothes(studio)
    second = studio.segments["A"][1]
    plan = await studio.plan(segments=[second])
    assert plan.totals.steps == 0
    assert (await studio.left_out(plan))[second] == "upstream"
    forced = await studio.run(await studio.plan(segments=[second], force=True))
    assert forced.totals.rendered == 1
    assert await studio.takes(second) == (2, 2)
    assert (await studio.states("A"))[1] is State.STALE


async def test_35_a_change_after_the_draft_refuses_the_start(studio: Studio) -> None:
    await _shoot(studio)
    await _new_clothes(studio)
    plan = await studio.plan()
    await studio.upload(Kind.VARIANT, "clothed", "street_v1.png", made_from=[("portrait", 1)])
    with pytest.raises(Conflict, match="clothed changed from v2 to v3"):
        await studio.start(plan)
    plan = await studio.run(plan, as_planned=True)
    assert (plan.state, plan.totals.rendered, plan.as_planned) == (PlanState.SUCCEEDED, 8, True)
    assert [group.id for group in (await studio.report()).groups] == [f"asset-{studio.assets['clothed']}-2-3"]
    (note,) = plan.notes
    assert (note.code, note.asset_id) == ("moved", studio.assets["clothed"])


async def test_36_a_take_that_a_user_selected_stays_selected(studio: Studio) -> None:
    await _shoot(studio)
    third = studio.segments["A"][2]
    # A second take of A/3, so that there is another one to select.
    await studio.run(await studio.plan(segments=[third], force=True, seed="new"))
    await studio.select(third, 1)
    await _new_clothes(studio)
    plan = await studio.plan()
    await studio.start(plan)
    await studio.select(third, 2)
    await studio.work()
    plan = await studio.read(plan)
    assert await studio.takes(third) == (3, 2)
    assert [(note.code, note.segment_id) for note in plan.notes] == [("not_selected", third)]
    assert plan.totals.rendered == 8
