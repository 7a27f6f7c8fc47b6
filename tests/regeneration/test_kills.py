"""Workers that die, stall or lose the database: every step is recorded once, and the plan finishes by itself."""

import asyncio
import signal
from pathlib import Path

import psycopg
import pytest
from tests.regeneration.processes import SLOW, jobs, recorded, until, worker
from tests.regeneration.studio import Studio

from genlock.model import Kind
from genlock.regeneration.model import Plan, PlanState, StepState
from genlock.staleness.model import State


async def _stale(studio: Studio, count: int = 2, **parameters: int) -> Plan:
    """Start a plan of a chain that was rendered with an outdated variant."""
    await studio.shoot("A", count, **parameters)
    await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)])
    return await studio.start(await studio.plan())


async def _finished(studio: Studio, plan: Plan) -> bool:
    return (await studio.read(plan)).state is not PlanState.RUNNING


async def _is_rendering(studio: Studio, plan: Plan, position: int = 1) -> bool:
    step = (await studio.steps(plan))[position - 1]
    return step.state is StepState.RUNNING and step.progress > 0


async def _require_done_once(studio: Studio, plan: Plan) -> None:
    done = await studio.read(plan)
    assert done.state is PlanState.SUCCEEDED
    assert all(receipts == 1 for _, receipts in await recorded(studio, plan.id))
    assert [await studio.takes(segment) for segment in studio.segments["A"]] == [(2, 2)] * len(studio.segments["A"])
    assert await studio.states("A") == [State.FRESH] * len(studio.segments["A"])

    async def queue_is_empty() -> bool:
        return await jobs(studio) == 0

    await until(queue_is_empty)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("claimed", marks=pytest.mark.long),
        pytest.param("rendering", marks=pytest.mark.long),
        "stored",  # between blob and row
        pytest.param("recording", marks=pytest.mark.long),  # in the transaction, before its commit
        "recorded",  # after the commit, before the job is done in the queue
    ],
)
async def test_a_killed_worker_is_replaced_by_another(studio: Studio, tmp_path: Path, point: str) -> None:
    plan = await _stale(studio)
    async with worker(studio, tmp_path, "--die-at", point) as dying:
        assert await asyncio.wait_for(dying.wait(), 60) == -signal.SIGKILL
    assert (await studio.read(plan)).state is PlanState.RUNNING
    async with worker(studio, tmp_path):
        await until(lambda: _finished(studio, plan))
        await _require_done_once(studio, plan)
    first = (await studio.steps(plan))[0]
    assert first.attempt == (1 if point == "recorded" else 2)


@pytest.mark.long
async def test_a_stalled_worker_that_resumes_is_fenced_off(studio: Studio, tmp_path: Path) -> None:
    plan = await _stale(studio, 2, **SLOW)
    async with worker(studio, tmp_path) as stalled:
        await until(lambda: _is_rendering(studio, plan))
        stalled.send_signal(signal.SIGSTOP)
        async with worker(studio, tmp_path):
            await until(lambda: _finished(studio, plan))
            stalled.send_signal(signal.SIGCONT)
            # It continues to work: the next plan may be done by either worker.
            again = await studio.start(await studio.plan(segments=[studio.segments["A"][0]], force=True))
            await until(lambda: _finished(studio, again))
        assert stalled.returncode is None
    assert all(receipts == 1 for _, receipts in await recorded(studio, plan.id))
    assert (await studio.read(plan)).state is PlanState.SUCCEEDED
    assert [(await studio.takes(segment))[0] for segment in studio.segments["A"]] == [3, 2]
    assert (await studio.steps(plan))[0].attempt == 2


@pytest.mark.long
async def test_two_workers_share_the_steps_and_do_none_twice(studio: Studio, tmp_path: Path) -> None:
    for name in ("A", "B", "C", "D"):
        await studio.shoot(name, 3, frames=60)
    await studio.upload(Kind.VARIANT, "clothed", "clothed_v2.png", made_from=[("portrait", 1)])
    plan = await studio.start(await studio.plan())
    async with worker(studio, tmp_path, "--name", "one"), worker(studio, tmp_path, "--name", "two"):
        await until(lambda: _finished(studio, plan))
    await _require_done_once(studio, plan)
    steps = await studio.steps(plan)
    assert {step.worker for step in steps} == {"one", "two"}
    assert [step.attempt for step in steps] == [1] * 12


@pytest.mark.long
async def test_lost_connections_do_not_lose_a_render(studio: Studio, tmp_path: Path) -> None:
    plan = await _stale(studio, 2, **SLOW)
    async with worker(studio, tmp_path) as steady:
        await until(lambda: _is_rendering(studio, plan))
        for _ in range(5):
            async with await psycopg.AsyncConnection.connect(studio.db.conninfo, autocommit=True) as owner:
                await owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'genlock-worker' AND datname = current_database()"
                )
            await asyncio.sleep(0.2)
        await until(lambda: _finished(studio, plan))
        await _require_done_once(studio, plan)
        assert steady.returncode is None


@pytest.mark.long
async def test_a_terminated_worker_gives_its_step_back(studio: Studio, tmp_path: Path) -> None:
    plan = await _stale(studio, 1, **SLOW)
    async with worker(studio, tmp_path, "--grace-s", "0") as polite:
        await until(lambda: _is_rendering(studio, plan))
        polite.terminate()
        assert await asyncio.wait_for(polite.wait(), 30) == 0
    assert (await studio.steps(plan))[0].state is StepState.QUEUED
    async with worker(studio, tmp_path):
        await until(lambda: _finished(studio, plan))
        await _require_done_once(studio, plan)


@pytest.mark.long
async def test_a_worker_whose_server_died_finishes_the_queue_and_ends(studio: Studio, tmp_path: Path) -> None:
    plan = await _stale(studio, 3, **SLOW)
    async with worker(studio, tmp_path, supervised=True) as orphan:
        await until(lambda: _is_rendering(studio, plan))
        assert orphan.stdin is not None
        orphan.stdin.close()
        assert await asyncio.wait_for(orphan.wait(), 60) == 0
    await _require_done_once(studio, plan)


@pytest.mark.long
async def test_cancelling_stops_a_render_in_another_process(studio: Studio, tmp_path: Path) -> None:
    plan = await _stale(studio, 2, **SLOW)
    async with worker(studio, tmp_path) as busy:
        await until(lambda: _is_rendering(studio, plan))
        await studio.cancel(plan)
        # The worker continues with another step, and the cancelled render is never recorded.
        await studio.shoot_elsewhere("B", 1)
        assert busy.returncode is None
    assert [(await studio.takes(segment))[0] for segment in studio.segments["A"]] == [1, 1]
    assert [receipts for _, receipts in await recorded(studio, plan.id)] == [0, 0]
