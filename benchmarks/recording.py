"""Measures whether the size of the scene affects recording a take: 10 segments against 10,000."""

import time
from collections.abc import Iterator, Sequence
from json import dumps
from typing import Any

import httpx

from benchmarks.claims import claim
from benchmarks.clock import Row, rate
from benchmarks.scenes import Shape, add_scene, new_project
from benchmarks.wire import Wire, wire

_SIZES = (10, 10_000)
_ROUNDS, _ROUND_S = 8, 0.5


def scenes(http: httpx.Client, assets: dict[str, int], outputs: dict[str, str]) -> Iterator[Row]:
    """Return the rates of recording into scenes full of selected takes, measured in turns, and their ratio."""
    project_id = new_project(http, "recording")
    shared = {role: asset for role, asset in assets.items() if role != "variant"}
    segments = [add_scene(http, project_id, Shape(size), lambda _: shared, [outputs]).segments for size in _SIZES]
    rows = [Row(f"record a take into a scene of {size:,}", 250, unit="/s", floor="commit") for size in _SIZES]
    counts, seconds = [0, 0], [0.0, 0.0]
    with wire(http) as sending:
        for _ in range(_ROUNDS):
            for index, segment_ids in enumerate(segments):
                began = time.perf_counter()
                counts[index] += _record(sending, segment_ids, shared, outputs, until=began + _ROUND_S)
                seconds[index] += time.perf_counter() - began
    for row, count, spent in zip(rows, counts, seconds, strict=True):
        yield rate(row, count, spent)
    ratio = Row(f"time to record into a scene of {_SIZES[1]:,}, of that of {_SIZES[0]}", 1.2, unit="×", floor="")
    ratio.value = (seconds[1] / counts[1]) / (seconds[0] / counts[0])
    yield ratio


def _record(
    sending: Wire, segment_ids: Sequence[int], assets: dict[str, int], outputs: dict[str, str], *, until: float
) -> int:
    """Record into segments all over a scene until a moment; return the number of takes."""
    count = 0
    while time.perf_counter() < until:
        segment = segment_ids[count * 7919 % len(segment_ids)]
        sending.post_field(f"/segments/{segment}/takes", "claim", dumps(_claim(assets, outputs)))
        count += 1
    return count


def _claim(assets: dict[str, int], outputs: dict[str, str]) -> dict[str, Any]:
    return claim(assets, time.time_ns(), outputs)
