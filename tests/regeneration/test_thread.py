"""The main job on real files: render a chain, change an input, render exactly the stale segments again."""

from tests.regeneration.studio import Studio

from genlock.model import Kind
from genlock.regeneration.model import PlanState
from genlock.staleness.model import State


async def test_a_rendered_chain_becomes_stale_and_is_rendered_again(studio: Studio) -> None:
    segments = await studio.shoot("A")
    assert await studio.states() == [State.FRESH] * 4

    await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)])
    assert await studio.states() == [State.STALE] * 4

    plan = await studio.plan()
    assert (plan.state, plan.totals.render, plan.totals.restore) == (PlanState.DRAFT, 4, 0)
    plan = await studio.run(plan)
    assert plan.state is PlanState.SUCCEEDED
    assert plan.totals.rendered == 4
    assert plan.progress == 1
    assert await studio.states() == [State.FRESH] * 4
    assert [await studio.takes(segment) for segment in segments] == [(2, 2)] * 4
