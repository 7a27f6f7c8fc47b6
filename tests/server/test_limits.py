"""A server stays within its memory and keeps serving whatever one client sends: real processes, real sockets."""

import re
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from tests.database_pool import DatabasePool
from tests.server.test_process import client, command, running

MIB = 2**20


def peak_bytes(pid: int) -> int:
    """Return the peak resident memory of a process."""
    match = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match
    return int(match.group(1)) * 1024


def reset_peak(pid: int) -> int:
    """Make the resident memory of a process its peak, and return it."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_bytes(pid)


@pytest.fixture(scope="module")
def server(pool: DatabasePool, tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[int, httpx.Client]]:
    """Yield the process id of a server for all tests, and an administrator's client of it."""
    data = tmp_path_factory.mktemp("limits") / "data"
    with pool.borrowed() as database, running(command(data, database)) as process, client(data) as http:
        yield process.pid, http


FLOODS = {
    "items": b'{"takes":[' + b",".join([b"{}"] * (6 * MIB // 3)) + b"]}",
    "fewer items": b'{"takes":[' + b",".join([b"{}"] * 300_000) + b"]}",
    "inputs": b'{"takes":['
    + b",".join(
        [b'{"segment_id":1,"claim":{"engine":{"name":"x"},"inputs":[' + b",".join([b"{}"] * 999) + b"]}}"] * 900
    )
    + b"]}",
    "unknown fields": b'{"takes":[],' + b",".join(b'"%06x":1' % number for number in range(450_000)) + b"}",
    "wrong values": b'{"takes":[{"segment_id":1,"claim":{"engine":{"name":"x"},"observed":{"per_node_s":{'
    + b",".join(b'"%06x":-1' % number for number in range(400_000))
    + b"}}}}]}",
    "lists": b'{"takes":[{"segment_id":1,"claim":{"engine":{"name":"x"},"graph":{"a":['
    + b",".join([b"[]"] * (30 * MIB // 3))
    + b"]}}}]}",
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_body_of_many_wrong_items_costs_little_memory(server: tuple[int, httpx.Client], flood: str) -> None:
    pid, http = server
    http.get("/healthz").raise_for_status()
    before = reset_peak(pid)
    answer = http.post("/api/v1/takes:batch", content=FLOODS[flood], headers={"Content-Type": "application/json"})
    assert answer.status_code in {413, 422}
    assert len(answer.json()["errors"]) <= 100
    assert peak_bytes(pid) - before < 250 * MIB
    assert http.get("/healthz").is_success
