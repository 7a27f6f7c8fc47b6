"""Background loops of a worker: an unexpected error is logged, the loop continues, and no finished render is lost."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from tests.regeneration.processes import SLOW
from tests.regeneration.studio import QUICK, Studio

from genlock.background import alongside, repeat
from genlock.db.connection import Database, execute, rows
from genlock.engines.model import Engine, EngineInfo, Rendered, RenderSpec, Report
from genlock.engines.registry import configured_engines
from genlock.errors import Conflict
from genlock.regeneration.making.health import EngineHealth
from genlock.regeneration.model import PlanState
from genlock.regeneration.worker import run_worker
from genlock.settings import Settings

REFUSED_TOUCH = """
    CREATE FUNCTION genlock.refuse_touch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'no heartbeat today' USING ERRCODE = 'unique_violation', CONSTRAINT = 'by_a_test';
    END $$;
    CREATE TRIGGER refuse_touch BEFORE UPDATE ON genlock.plan_steps
        FOR EACH ROW WHEN (OLD.state = 'running' AND NEW.state = 'running') EXECUTE FUNCTION genlock.refuse_touch();
"""
UNREADABLE = """
    UPDATE genlock.plans SET notes = '[{"from_a_later_version": true}]' WHERE id = %(plan)s
"""


class Moody:
    """An engine whose first answers fail with errors that no engine should raise."""

    name = "moody"

    def __init__(self, failures: int) -> None:
        self._failures = failures

    async def describe(self) -> EngineInfo:
        if self._failures:
            self._failures -= 1
            raise RuntimeError("the driver is confused")
        return EngineInfo(name="moody", parameters=(), roles=(), produces=("video",), version="1", environment={})

    async def render(self, spec: RenderSpec, inputs: Mapping[str, Path], report: Report) -> Rendered:
        raise AssertionError("only probed: no run is ever started")

    async def cancel(self, run: str) -> None:
        """Do nothing: no run is ever started."""


class DeafEngine:
    """The sketch engine, except that stopping it fails."""

    def __init__(self, sketch: Engine) -> None:
        self._sketch = sketch
        self.name = sketch.name

    async def describe(self) -> EngineInfo:
        return await self._sketch.describe()

    async def render(self, spec: RenderSpec, inputs: Mapping[str, Path], report: Report) -> Rendered:
        return await self._sketch.render(spec, inputs, report)

    async def cancel(self, run: str) -> None:
        raise RuntimeError("the line is dead")


def _as_owner(db: Database, statement: LiteralString, **params: int) -> None:
    with psycopg.connect(db.conninfo, autocommit=True) as owner:
        owner.execute(statement, params or None)


async def test_a_render_is_recorded_though_its_heartbeat_is_refused(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    _as_owner(studio.db, REFUSED_TOUCH)
    await studio.scene("A", 1)
    plan = await studio.start_render("A", **SLOW)
    await studio.work()
    assert (await studio.steps(plan))[0].error is None
    assert (await studio.read(plan)).state is PlanState.SUCCEEDED
    assert "no heartbeat today" in caplog.text


async def test_a_render_is_recorded_though_its_engine_cannot_be_stopped(studio: Studio) -> None:
    """The step is asked to stop when the worker ends; the engine does not stop and finishes the render."""
    await studio.scene("A", 1)
    plan = await studio.start_render("A", **SLOW)
    sketch = configured_engines(Settings())["sketch"]
    stop = asyncio.Event()

    def fault(point: str) -> None:
        if point == "rendering":
            stop.set()

    await run_worker(
        studio.db, studio.store, stop=stop, engines={"sketch": DeafEngine(sketch)}, pace=QUICK, fault=fault
    )
    assert (await studio.read(plan)).state is PlanState.SUCCEEDED


async def test_an_engine_that_fails_unexpectedly_is_probed_again(caplog: pytest.LogCaptureFixture) -> None:
    health, engines = EngineHealth(), {"moody": Moody(failures=3)}
    await health.probe(engines, {"moody"})
    assert health.reachable(engines) == ()
    async with alongside(health.watch(engines, 0.01)), asyncio.timeout(20):
        while not health.reachable(engines):  # noqa: ASYNC110 - what is awaited is the loop under test
            await asyncio.sleep(0.01)
    assert "the driver is confused" in caplog.text


async def test_a_plan_that_cannot_be_read_stops_neither_patrol_nor_heartbeat(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    """Both plans have lost their jobs; the first was written by a later release, the second is recovered."""
    for name in ("A", "B"):
        await studio.scene(name, 1)
    unreadable, readable = await studio.start_render("A"), await studio.start_render("B")
    async with studio.db.transaction() as conn:
        await execute(conn, "DELETE FROM procrastinate_jobs")
    _as_owner(studio.db, UNREADABLE, plan=unreadable.id)
    stop = asyncio.Event()
    work = asyncio.create_task(
        run_worker(studio.db, studio.store, stop=stop, engines=configured_engines(Settings()), pace=QUICK)
    )
    try:
        async with asyncio.timeout(60):
            while (await studio.read(readable)).state is PlanState.RUNNING:  # noqa: ASYNC110 - in the worker
                await asyncio.sleep(0.05)
            seen_at = None
            for _ in range(3):
                seen_at = await _next_seen_at(studio, seen_at)
    finally:
        stop.set()
        await work
    assert (await studio.read(readable)).state is PlanState.SUCCEEDED
    assert f"plan {unreadable.id}" in caplog.text


async def test_a_loop_logs_an_unexpected_error_and_continues(caplog: pytest.LogCaptureFixture) -> None:
    rounds, done = 0, asyncio.Event()

    async def action() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise ZeroDivisionError("by nothing")
        if rounds == 2:
            raise Conflict("The table is locked.")
        done.set()

    async with alongside(repeat("count", action, every_s=0.01)), asyncio.timeout(10):
        await done.wait()
    unexpected, foreseen = caplog.records
    assert (unexpected.levelno, foreseen.levelno) == (logging.ERROR, logging.WARNING)
    assert "count" in unexpected.getMessage() and unexpected.exc_info is not None
    assert "The table is locked." in foreseen.getMessage()


async def test_a_loop_that_cannot_continue_ends_the_main_task() -> None:
    async def ends() -> None:
        raise ZeroDivisionError("by nothing")

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(10), alongside(asyncio.Event().wait(), ends()):
            await asyncio.Event().wait()


async def test_a_task_that_is_cancelled_from_outside_stays_cancelled() -> None:
    entered = asyncio.Event()

    async def block() -> None:
        async with alongside(asyncio.Event().wait()):
            entered.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(block())
    await entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def _next_seen_at(studio: Studio, before: object) -> object:
    """Return the time at which a worker was last seen, once it differs from ``before``."""
    while True:
        async with studio.db.transaction() as conn:
            latest = await rows(conn, "SELECT max(seen_at) AS at FROM workers")
        if latest[0]["at"] not in (None, before):
            return latest[0]["at"]
        await asyncio.sleep(0.05)
