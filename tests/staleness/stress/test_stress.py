"""Four concurrent processes, thousands of operations: no stale take is missed, none is marked without a reason."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.staleness.machine.compare import compare
from tests.staleness.machine.studio import ACTOR, Studio

from genlock.db.connection import Database
from genlock.takes import editing
from genlock.timeline.model import NewSegments

PROCESSES = 4
OPERATIONS = 2_200
ROOT = Path(__file__).parents[3]


def overlapping(lines: list[dict[str, Any]]) -> int:
    """Return how many recordings ran while another process was activating a version of one of their inputs."""
    activations = [line for line in lines if line["what"] == "activate" and line["outcome"] == "done"]
    return sum(
        any(
            other["process"] != line["process"]
            and set(other["assets"]) & set(line["assets"])
            and other["began"] < line["ended"]
            and line["began"] < other["ended"]
            for other in activations
        )
        for line in lines
        if line["what"] == "record" and line["outcome"] == "done"
    )


@pytest.mark.long
async def test_concurrent_recording_and_activating_match_the_oracle(database: str, db: Database) -> None:
    studio = Studio(db)
    await studio.create()
    async with db.transaction() as conn:
        await editing.insert_segments(conn, studio.scenes[0], NewSegments(count=5), ACTOR)
    tasks = [
        {
            "conninfo": database,
            "seed": seed,
            "operations": OPERATIONS // PROCESSES,
            "assets": studio.assets,
            "scenes": studio.scenes[:2],
            "project": studio.projects[0],
        }
        for seed in range(PROCESSES)
    ]
    command = [sys.executable, "-m", "tests.staleness.stress.worker"]
    processes = [  # started and awaited together; this process runs nothing else meanwhile
        subprocess.Popen([*command, json.dumps(task)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)  # noqa: ASYNC220
        for task in tasks
    ]
    outputs = [process.communicate() for process in processes]
    for process, (_, complaints) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, complaints.decode()
    lines: list[dict[str, Any]] = [
        json.loads(line) | {"process": number} for number, (out, _) in enumerate(outputs) for line in out.splitlines()
    ]
    print(Counter((line["what"], line["outcome"]) for line in lines))
    print("recordings that overlap an activation of one of their inputs:", overlapping(lines))
    assert len(lines) >= 2_000
    assert overlapping(lines) >= 100
    async with db.transaction() as conn:
        await compare(conn)
