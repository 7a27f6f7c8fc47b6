"""The server and PostgreSQL, killed in mid-plan: no step is lost or done twice, and the plan finishes by itself."""

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
class Installation:
    """A data folder with an embedded PostgreSQL, and a server that uses it."""

    data: Path
    conninfo: str
    settings: Settings
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list["subprocess.Popen[bytes]"])
    clients: list[Genlock] = field(default_factory=list[Genlock])

    def start(self) -> Genlock:
        """Start the server, which starts a worker; return a client of it."""
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
        """Kill the server with SIGKILL."""
        self.processes[-1].kill()
        self.processes[-1].wait()

    def ask(self, query: LiteralString, *values: object) -> list[tuple[object, ...]]:
        """Query the database directly, whichever server runs."""
        with psycopg.connect(self.conninfo, options="-c search_path=genlock,queue") as conn:
            return conn.execute(query, values).fetchall()

    def is_done(self, plan: Plan) -> bool:
        """Return whether the plan has ended."""
        return self.ask("SELECT state FROM plans WHERE id = %s", plan.id) != [("running",)]

    def require_done_once(self, plan: Plan) -> None:
        """Assert that the plan is done and each of its steps has one receipt."""
        assert self.ask("SELECT state FROM plans WHERE id = %s", plan.id) == [("succeeded",)]
        counts = self.ask(
            "SELECT count(r.id) FROM plan_steps s LEFT JOIN receipts r ON r.step_id = s.id"
            " WHERE s.plan_id = %s GROUP BY s.id",
            plan.id,
        )
        assert counts == [(1,)] * 4
        assert self.ask("SELECT count(*) FROM takes") == [(8,)]


@contextmanager
def _installation() -> Generator[Installation]:
    with ExitStack() as stack:
        data = stack.enter_context(temporary_folder()) / "data"
        data.mkdir(mode=0o711)
        attached = stack.enter_context(embedded.attach(data / "postgres"))
        installation = Installation(data, attached.owner_conninfo, settings_of(None, None, data, port=0, workers=1))
        try:
            yield installation
        finally:
            for client in installation.clients:
                client.close()
            for process in installation.processes:
                process.terminate()
                process.wait()
            # The worker of a killed server continues; it uses the database until it ends.
            _until(lambda: len(installation.ask(_OTHERS)) == 0)


_OTHERS: LiteralString = "SELECT pid FROM pg_stat_activity WHERE application_name = 'genlock-worker'"


def _until(what: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < until_s, "it did not happen"
        time.sleep(0.05)


def _in_the_middle(gl: Genlock, samples: Path) -> Plan:
    """Start a plan of a chain of four and wait until a step in the middle of it is running."""
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

    # The second, or a later one if it was faster than this query.
    _until(lambda: any(step.state is StepState.RUNNING and step.position > 1 for step in gl.steps(plan)))
    return plan


def test_a_plan_continues_while_its_server_is_dead(samples: Path) -> None:
    with _installation() as installation:
        plan = _in_the_middle(installation.start(), samples)
        installation.kill()
        _until(lambda: installation.is_done(plan))
        installation.require_done_once(plan)


def test_a_restarted_server_shows_its_running_plan(samples: Path) -> None:
    with _installation() as installation:
        plan = _in_the_middle(installation.start(), samples)
        installation.kill()
        gl = installation.start()
        assert gl.wait_for(plan).state is PlanState.SUCCEEDED
        installation.require_done_once(plan)
        assert [segment.state for segment in gl.segments("p")] == [State.FRESH] * 4


def test_a_plan_survives_the_death_of_postgresql(samples: Path) -> None:
    with _installation() as installation:
        gl = installation.start()
        plan = _in_the_middle(gl, samples)
        postmaster = int((installation.data / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)

        def is_done() -> bool:
            try:
                return installation.is_done(plan)
            except psycopg.OperationalError:
                return False  # it is not up again yet

        _until(is_done)
        installation.require_done_once(plan)
        assert gl.get_plan(plan).state is PlanState.SUCCEEDED
