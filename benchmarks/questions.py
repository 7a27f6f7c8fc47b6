"""The rows of the table: reads and writes through HTTP."""

import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from json import dumps
from typing import Any

import httpx

from benchmarks.claims import claim
from benchmarks.clock import Row, cycle, rate, repeat
from benchmarks.environment import TIMEOUT_S, Serving
from benchmarks.keys import Keys
from benchmarks.wire import wire

BATCH = 500


def reads(http: httpx.Client, keys: Keys) -> Iterator[Row]:
    """Measure every read, with keys drawn from the skewed data."""

    def get(row: Row, path: Callable[[int], str], *, count: int = 200, seconds: float = 4) -> Row:
        try:
            return repeat(row, lambda number: http.get(path(number)).raise_for_status(), count=count, seconds=seconds)
        except httpx.TimeoutException:
            row.note = f"no answer within {TIMEOUT_S} s"
            row.times_ms = [TIMEOUT_S * 1000]
            return row

    yield get(
        Row("forward: provenance of a segment", 3, 15),
        lambda n: f"/segments/{cycle(keys.segments, n)}/provenance",
        count=400,
    )
    yield get(Row("forward: a receipt", 3, 15), lambda n: f"/receipts/{cycle(keys.receipts, n)}", count=400)
    usage = "/assets/{}/usage?limit=50&takes={}"
    yield get(
        Row("reverse: rare, page of 50 and count", 5, 20), lambda n: usage.format(cycle(keys.rare, n), "selected")
    )
    yield get(Row("reverse: used by everything", 5, 20), lambda n: usage.format(cycle(keys.popular, n), "selected"))
    yield get(
        Row("reverse: used by everything, all takes ever", 5, 20), lambda n: usage.format(cycle(keys.popular, n), "all")
    )
    yield get(
        Row("report of a project with 1k segments", 15, 50),
        lambda n: f"/projects/{cycle(keys.projects, n)}/staleness-report",
    )
    yield get(Row("report of the giant project", 150), lambda _: f"/projects/{keys.giant}/staleness-report", count=20)
    yield get(
        Row("what-if: a version that half of the giant uses", 200),
        lambda _: f"/assets/{keys.wide}/impact?version=2",
        count=15,
    )
    yield get(
        Row("first page of a project (100 segments with states)"),
        lambda n: f"/projects/{cycle(keys.projects, n)}/segments?limit=100",
    )
    yield get(Row("counts of the giant project"), lambda _: f"/projects/{keys.giant}", count=20)


def activations(http: httpx.Client, keys: Keys) -> Row:
    """Measure the whole call that makes half of the giant stale, including its report; reverted after each."""
    row = Row("activate it: the whole call with its report", 200)

    def activate(version: int) -> dict[str, Any]:
        answer = http.post(f"/assets/{keys.wide}/activate", json={"version": version})
        return answer.raise_for_status().json()

    until = time.perf_counter() + 30
    for number in range(9):
        if number > 2 and time.perf_counter() > until:
            break
        began = time.perf_counter()
        answer = activate(2)
        took_ms = (time.perf_counter() - began) * 1000
        stale = answer["report"]["segments"]["becomes_stale"]
        _see(http, keys, stale)
        activate(1)
        if number == 0:
            row.first_ms, row.note = took_ms, f"{stale:,} segments become stale"
        else:
            row.times_ms.append(took_ms)
    return row


def _see(http: httpx.Client, keys: Keys, stale: int) -> None:
    """Check that the next read is exact: the group of this activation has all segments that became stale."""
    group = f"/projects/{keys.giant}/staleness-report/groups/asset-{keys.wide}-1-2/segments?limit=1"
    total = http.get(group).raise_for_status().json()["total"]
    if not stale or total < stale:
        raise AssertionError(f"{stale} segments became stale, and the group has {total}")


def stored_outputs(http: httpx.Client) -> dict[str, str]:
    """Return outputs whose bytes are stored: uploaded once, as versions of an asset."""
    assets = http.get("/assets?kind=other&q=bench+output").raise_for_status().json()["items"]
    asset = assets[0] if assets else http.post("/assets", json={"kind": "other", "name": "bench output"}).json()
    digests: list[str] = []
    for part in ("video", "last_frame"):
        answer = http.post(
            f"/assets/{asset['id']}/versions", files={"file": (f"{part}.bin", f"bytes of a {part}".encode())}
        )
        digests.append(answer.raise_for_status().json()["version"]["digest"])
    return {"video": digests[0], "last_frame": digests[1]}


def single(http: httpx.Client, keys: Keys, outputs: dict[str, str], seconds: float = 4) -> Row:
    """Measure recordings, each one call and one durable transaction, by one client."""
    row = Row("record a receipt, one durable call each", 300, unit="/s", floor="commit")
    with wire(http) as sending:
        number, began, done = time.time_ns(), time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            number, done = number + 1, done + 1
            segment = cycle(keys.writing, done * 7)
            sending.post_field(f"/segments/{segment}/takes", "claim", dumps(claim(keys.assets, number, outputs)))
        return rate(row, done, time.perf_counter() - began)


def batches(http: httpx.Client, keys: Keys, outputs: dict[str, str], count: int = 6) -> Row:
    """Measure recordings in batches."""
    row = Row(f"record receipts in bulk, {BATCH} a call", 3000, unit="/s", floor="copy")
    number, spent = time.time_ns(), 0.0
    with wire(http) as sending:
        for call in range(count + 1):
            takes: list[dict[str, Any]] = []
            for _ in range(BATCH):
                number += 1
                takes.append({"segment_id": cycle(keys.writing, number), "claim": claim(keys.assets, number, outputs)})
            body = dumps({"takes": takes})
            began = time.perf_counter()
            sending.post_json("/takes:batch", body)
            if call:
                spent += time.perf_counter() - began
    return rate(row, count * BATCH, spent)


@contextmanager
def writer(serving: Serving, keys: Keys, outputs: dict[str, str]) -> Generator[None]:
    """Run a writer in a separate process while the block runs."""
    work = [
        {"takes": [{"segment_id": segment, "claim": claim(keys.assets, 0, outputs)}]}
        for segment in keys.writing[:200:5]
    ]
    process = subprocess.Popen(
        (sys.executable, "-m", "benchmarks.writer", f"{serving.url}/api/v1", serving.token, dumps(work))
    )
    try:
        yield
        if process.poll() is not None:
            raise AssertionError("the writer ended while others were measured")
    finally:
        process.kill()
        process.wait()
