"""The server and PostgreSQL, killed in mid-plan: nothing is lost or done twice, and the plan finishes by itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from tests.fixtures_postgres import temporary_folder

from genlock.client import Genlock
from genlock.db.embedded import server as embedded
from genlock.regeneration.model import Plan, PlanState, StepState
from genlock.sdk import local
from genlock.sdk.connection import settings_of
from genlock.settings import Settings
from genlock.staleness.model import State

pytestmark = pytest.mark.long
PATIENCE_S = 180.0
SCENE = "p/A"
PARAMETERS = {
    "prompt": "a quiet walk",
    "negative_prompt": "",
    "seed": "7",
    "cfg": 4.0,
    "steps": 1,
    "sampler": "euler",
    "width": 96,
    "height": 96,
    "frames": 240,
}


@dataclass
class House:
    """A data folder with an embedded PostgreSQL, and the server over it."""

    data: Path
    conninfo: str
    settings: Settings
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list["subprocess.Popen[bytes]"])
    clients: list[Genlock] = field(default_factory=list[Genlock])

    def start(self) -> Genlock:
        """Start the server, which starts a worker; a client of it."""
        with (self.data / "test.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "genlock.server"], stdout=log, stderr=log, env=self.settings.as_environment()
            )
        self.processes.append(process)
        running = local.wait_until_ready(self.settings, process.poll)
        assert running, (self.data / "test.log").read_text()
        token = local.read_token(self.settings)
        assert token
        client = Genlock(running.url, token)
        self.clients.append(client)
        return client

    def kill(self) -> None:
        """Kill the server, as `kill -9` does."""
        self.processes[-1].kill()
        self.processes[-1].wait()

    def ask(self, query: LiteralString, *values: object) -> list[tuple[object, ...]]:
        """Ask the database itself, whoever serves."""
        with psycopg.connect(self.conninfo, options="-c search_path=genlock,queue") as conn:
            return conn.execute(query, values).fetchall()

    def is_done(self, plan: Plan) -> bool:
        """Whether the plan has ended."""
        return self.ask("SELECT state FROM plans WHERE id = %s", plan.id) != [("running",)]

    def require_done_once(self, plan: Plan) -> None:
        """The plan is done, and each of its steps has one receipt."""
        assert self.ask("SELECT state FROM plans WHERE id = %s", plan.id) == [("succeeded",)]
        counts = self.ask(
            "SELECT count(r.id) FROM plan_steps s LEFT JOIN receipts r ON r.step_id = s.id"
            " WHERE s.plan_id = %s GROUP BY s.id",
            plan.id,
        )
        assert counts == [(1,)] * 4
        assert self.ask("SELECT count(*) FROM takes") == [(8,)]


@contextmanager
def _house() -> Generator[House]:
    with ExitStack() as stack:
        data = stack.enter_context(temporary_folder()) / "data"
        data.mkdir(mode=0o711)
        attached = stack.enter_context(embedded.attach(data / "postgres"))
        house = House(data, attached.owner_conninfo, settings_of(None, None, data, port=0, workers=1))
        try:
            yield house
        finally:
            for client in house.clients:
                client.close()
            for process in house.processes:
                process.terminate()
                process.wait()
            # The worker of a killed server goes on by itself; it holds the database until it has ended.
            _until(lambda: len(house.ask(_OTHERS)) == 0)


_OTHERS: LiteralString = "SELECT pid FROM pg_stat_activity WHERE application_name = 'genlock-worker'"


def _until(what: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < until_s, "it did not happen"
        time.sleep(0.05)


def _in_the_middle(gl: Genlock, samples: Path) -> Plan:
    """A plan of a chain of four, started, with a step in the middle of it under way."""
    gl.create_project("p", "P")
    gl.create_scene("p", "A")
    gl.create_segments(SCENE, 4)
    for kind, name, file in (
        ("source_image", "portrait", "portrait_v1.png"),
        ("lora", "rain", "rain_v1.safetensors"),
        ("workflow", "walk", "walk_v1.json"),
        ("model", "tiny", "tiny_v1.safetensors"),
    ):
        gl.create_asset(kind, name)
        gl.add_version(f"{kind}:{name}", samples / file)
    inputs = [gl.render_input(reference) for reference in ("workflow:walk", "model:tiny", "source_image:portrait")]
    inputs.append(gl.render_input("lora:rain", strength_model=0.8))
    first = gl.wait_for(gl.render(SCENE, engine="sketch", inputs=inputs, parameters=PARAMETERS))
    assert first.state is PlanState.SUCCEEDED
    gl.add_version("source_image:portrait", samples / "portrait_v2.png")
    plan = gl.start_plan(gl.plan("p"))

    # The second, or a later one if it was quicker than the question.
    _until(lambda: any(step.state is StepState.RUNNING and step.position > 1 for step in gl.steps(plan)))
    return plan


def test_a_plan_goes_on_while_its_server_is_dead(samples: Path) -> None:
    with _house() as house:
        plan = _in_the_middle(house.start(), samples)
        house.kill()
        _until(lambda: house.is_done(plan))
        house.require_done_once(plan)


def test_a_server_that_is_started_again_finds_its_plan_going_on(samples: Path) -> None:
    with _house() as house:
        plan = _in_the_middle(house.start(), samples)
        house.kill()
        gl = house.start()
        assert gl.wait_for(plan).state is PlanState.SUCCEEDED
        house.require_done_once(plan)
        assert [segment.state for segment in gl.segments("p")] == [State.FRESH] * 4


def test_a_plan_outlives_the_death_of_postgresql(samples: Path) -> None:
    with _house() as house:
        gl = house.start()
        plan = _in_the_middle(gl, samples)
        postmaster = int((house.data / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)

        def is_done() -> bool:
            try:
                return house.is_done(plan)
            except psycopg.OperationalError:
                return False  # it is not up again yet

        _until(is_done)
        house.require_done_once(plan)
        assert gl.get_plan(plan).state is PlanState.SUCCEEDED
