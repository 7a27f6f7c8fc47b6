"""With *review* a plan waits for a user, and continues within a second of their decision."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import pytest
from tests.regeneration.processes import SLOW
from tests.regeneration.studio import Studio

from genlock.db.connection import scalar
from genlock.engines.registry import configured_engines
from genlock.errors import Conflict
from genlock.model import Kind
from genlock.regeneration import actions
from genlock.regeneration.model import Plan, PlanState
from genlock.regeneration.review import continue_plans
from genlock.regeneration.worker import Pace, run_worker
from genlock.settings import Settings
from genlock.staleness.model import State

DEAF = Pace(heartbeat_s=5, silent_s=120, poll_s=60, patrol_s=60, grace_s=1)
"""A worker that looks at nothing for a minute, unless it is notified."""
NOTIFIED_S = 30.0
"""Half of that: a worker that is quicker was notified. How quickly is not measured here."""


async def test_a_user_accepts_the_new_takes(studio: Studio) -> None:
    segments = await studio.shoot("A")
    await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)])
    plan = await studio.run(await studio.plan(review=True))
    assert (plan.state, plan.totals.rendered) == (PlanState.REVIEW, 4)
    assert [await studio.takes(segment) for segment in segments] == [(2, 1)] * 4
    async with studio.db.transaction() as conn:
        plan = await actions.accept(conn, plan.id, studio.actor)
    assert plan.state is PlanState.SUCCEEDED
    assert [await studio.takes(segment) for segment in segments] == [(2, 2)] * 4
    # Each continued the previous take of the plan, though that was not selected.
    assert await studio.states() == [State.FRESH] * 4


async def test_with_review_a_plan_waits_until_a_user_activates_its_version(engine_studio: Studio) -> None:
    studio = engine_studio
    await studio.shoot("A", 2)
    await studio.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_v2.png")
    plan = await studio.run(await studio.plan(review=True))
    assert (plan.state, plan.totals.rendered) == (PlanState.REVIEW, 1)
    assert await studio.active("clothed") == 1
    with pytest.raises(Conflict, match="waits until a version"):
        async with studio.db.transaction() as conn:
            await actions.accept(conn, plan.id, studio.actor)
    await studio.activate("clothed", 2)
    await continue_plans(studio.db)
    await studio.work()
    plan = await studio.read(plan)
    assert (plan.state, plan.totals.rendered) == (PlanState.REVIEW, 3)
    async with studio.db.transaction() as conn:
        await actions.accept(conn, plan.id, studio.actor)
    assert await studio.states() == [State.FRESH] * 2


async def test_a_plan_continues_when_its_version_is_activated(engine_studio: Studio) -> None:
    studio = engine_studio
    await studio.shoot("A", 2)
    await studio.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_v2.png")
    plan = await studio.run(await studio.plan(review=True))
    assert plan.state is PlanState.REVIEW
    async with _worker(studio):
        await asyncio.sleep(0.5)  # the worker has noticed that the plan waits
        await studio.activate("clothed", 2)
        resumed_s = await _seconds_between(studio, "asset.activated", "plan.resumed", plan)
        started_s = await _seconds_to_claim(studio, plan, studio.segments["A"][0])
    assert resumed_s < NOTIFIED_S
    assert started_s < NOTIFIED_S


async def test_a_running_plan_uses_an_activated_version_while_other_steps_render(engine_studio: Studio) -> None:
    studio = engine_studio
    await studio.shoot("A", 1)
    await studio.shoot("B", 3, start="portrait", **SLOW)
    await studio.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_v2.png")
    plan = await studio.start(await studio.plan(review=True))
    async with _worker(studio, concurrency=2):
        async with asyncio.timeout(120):
            while not any(step.version for step in await studio.steps(plan)):  # noqa: ASYNC110 - in the worker
                await asyncio.sleep(0.05)
        await studio.activate("clothed", 2)
        started_s = await _seconds_to_claim(studio, plan, studio.segments["A"][0])
        assert (await studio.read(plan)).state is PlanState.RUNNING
    assert started_s < NOTIFIED_S


async def test_a_plan_ends_when_its_takes_are_selected(studio: Studio) -> None:
    segments = await studio.shoot("A", 2)
    await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)])
    plan = await studio.run(await studio.plan(review=True))
    async with _worker(studio):
        await studio.select(segments[0], 2)
        await asyncio.sleep(0.5)
        assert (await studio.read(plan)).state is PlanState.REVIEW
        await studio.select(segments[1], 2)
        assert await _seconds_between(studio, "take.selected", "plan.finished", plan) < NOTIFIED_S
    assert (await studio.read(plan)).state is PlanState.SUCCEEDED


async def test_changes_without_a_worker_are_noticed_at_its_start(engine_studio: Studio) -> None:
    studio = engine_studio
    await studio.shoot("A", 1)
    await studio.upload(Kind.SOURCE_IMAGE, "portrait", "portrait_v2.png")
    plan = await studio.run(await studio.plan(review=True))
    await studio.activate("clothed", 2)
    # The queue is fetched first and listened to afterwards: what is queued in between waits for the next poll.
    async with _worker(studio, pace=replace(DEAF, poll_s=1)):
        await _seconds_to_claim(studio, plan, studio.segments["A"][0])


@asynccontextmanager
async def _worker(studio: Studio, concurrency: int = 1, pace: Pace = DEAF) -> AsyncGenerator[None]:
    stop = asyncio.Event()
    engines = configured_engines(Settings())
    work = asyncio.create_task(
        run_worker(studio.db, studio.store, stop=stop, engines=engines, pace=pace, concurrency=concurrency)
    )
    try:
        yield
    finally:
        stop.set()
        await work


async def _seconds_between(studio: Studio, first: str, then: str, plan: Plan) -> float:
    """Return the seconds from the last event ``first`` to the plan's event ``then``; wait up to 30 s for it."""
    query = """
        SELECT extract(epoch FROM reaction.at - trigger.at)::float8
          FROM (SELECT id, at FROM events WHERE verb = %(first)s ORDER BY id DESC LIMIT 1) AS trigger
          JOIN events reaction ON reaction.id > trigger.id
                              AND reaction.verb = %(then)s AND reaction.subject = %(plan)s
    """
    async with asyncio.timeout(30):
        while True:
            async with studio.db.transaction() as conn:
                seconds = await scalar(conn, query, first=first, then=then, plan=f"plan/{plan.id}")
            if seconds is not None:
                return seconds
            await asyncio.sleep(0.05)


async def _seconds_to_claim(studio: Studio, plan: Plan, segment_id: int) -> float:
    """Return the seconds from the last activation to the start of a segment's step; wait up to 30 s for it."""
    query = "SELECT at FROM events WHERE verb = 'asset.activated' ORDER BY id DESC LIMIT 1"
    async with studio.db.transaction() as conn:
        activated: datetime = await scalar(conn, query)
    async with asyncio.timeout(30):
        while True:
            (step,) = [step for step in await studio.steps(plan) if step.segment_id == segment_id]
            if step.started_at is not None:
                return (step.started_at - activated).total_seconds()
            await asyncio.sleep(0.05)
