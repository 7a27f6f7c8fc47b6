"""Two server processes over one database and one store: a decision of one is valid for the other."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from tests.server.test_process import client, command, running


def test_a_claim_sent_to_two_processes_at_once_is_one_take(tmp_path: Path, database: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    blobs = ["--blobs", str(tmp_path / "blobs")]
    with (
        running(command(first, database, *blobs)),
        running(command(second, database, *blobs)),
        client(first) as ada,
        client(second) as grace,
    ):
        ada.post("/api/v1/projects", json={"slug": "a", "name": "A"}).raise_for_status()
        ada.post("/api/v1/projects/1/scenes", json={"name": "s"}).raise_for_status()
        grace.post("/api/v1/scenes/1/segments", json={"count": 1}).raise_for_status()
        for number in range(5):
            answers = at_once([ada, grace], json.dumps({"engine": {"name": "x"}, "parameters": {"seed": str(number)}}))
            assert sorted(answer.status_code for answer in answers) == [200, 201]
            assert len({answer.json()["receipt"]["id"] for answer in answers}) == 1
        assert grace.get("/api/v1/segments/1/takes").json()["total"] == 5


def at_once(asking: list[httpx.Client], claim: str) -> list[httpx.Response]:
    """Return the answers to one claim that several clients send at the same moment."""
    together = threading.Barrier(len(asking))

    def record(client: httpx.Client) -> httpx.Response:
        files: list[Any] = [("claim", (None, claim)), ("video", ("v", b"bytes"))]
        together.wait()
        return client.post("/api/v1/segments/1/takes", files=files)

    with ThreadPoolExecutor(len(asking)) as pool:
        return list(pool.map(record, asking))


def test_an_event_of_one_server_is_streamed_by_the_other(tmp_path: Path, database: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with (
        running(command(first, database)),
        running(command(second, database)),
        client(first) as ada,
        client(second) as grace,
        grace.stream("GET", "/api/v1/events/stream") as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == ": connected"
        ada.post("/api/v1/projects", json={"slug": "a", "name": "A"}).raise_for_status()
        assert "event: project.created" in lines
