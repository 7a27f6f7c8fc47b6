"""Measurements without HTTP: the transaction of an activation, reading files, starting, memory."""

import random
import time
from pathlib import Path

from benchmarks.clock import Row, cycle, repeat, repeat_async
from benchmarks.environment import serving
from benchmarks.floors import FILE_BYTES
from benchmarks.keys import Keys
from genlock.db.connection import Database
from genlock.library.identify import identify_file
from genlock.library.stamps import stamp_of
from genlock.model import Actor, Kind, Role
from genlock.staleness import activation, activation_sql
from genlock.staleness.report import report as report_of
from genlock.staleness.what_if import impact

ACTOR = Actor(token_id=None, name="bench", role=Role.ADMIN)
FILES = 2000


async def activation_transaction(url: str, keys: Keys) -> Row:
    """Measure the transaction alone, from its first statement to the end of its commit."""
    row = Row("activate it: the transaction", 20, floor="commit")
    db = Database(url)
    await db.open()
    try:

        async def activate(number: int) -> None:
            async with db.transaction() as conn:
                await activation.activate(conn, keys.wide, 2 - number % 2, ACTOR)

        await repeat_async(row, activate, count=59, seconds=5)
        async with db.transaction() as conn:
            await activation_sql.take_pending(conn)  # else the next server would publish it while it is measured
        return row
    finally:
        await db.close()


async def reports_alone(url: str, keys: Keys) -> list[Row]:
    """Measure reports and the what-if as functions: without HTTP, and without counting what could be restored."""
    small = Row("report of 1k segments, in the process, without restorable")
    giant = Row("report of the giant project, in the process, without restorable")
    what_if = Row("what-if of half the giant, in the process")
    db = Database(url)
    await db.open()
    try:

        async def report(project_id: int) -> None:
            async with db.transaction() as conn:
                await report_of(conn, project_id)

        async def ask(_: int) -> None:
            async with db.transaction() as conn:
                await impact(conn, keys.wide, 2)

        await repeat_async(small, lambda number: report(cycle(keys.projects, number)), count=100, seconds=4)
        await repeat_async(giant, lambda _: report(keys.giant), count=15, seconds=5)
        await repeat_async(what_if, ask, count=10, seconds=6)
    finally:
        await db.close()
    return [small, giant, what_if]


def register_file(scratch: Path, floor_mb_s: float) -> Row:
    """Measure both digests of a large safetensors file in one pass, against plain SHA-256."""
    path = scratch / "model.safetensors"
    header = f'{{"w":{{"dtype":"U8","shape":[{FILE_BYTES}],"data_offsets":[0,{FILE_BYTES}]}}}}'.encode()
    header += b" " * (-len(header) % 8)
    block = random.Random(3).randbytes(2**20)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(FILE_BYTES // len(block)):
            file.write(block)
    rates: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        identify_file(path, Kind.MODEL)
        rates.append(FILE_BYTES / 2**20 / (time.perf_counter() - began))
    row = Row("register a file: of bare sha256", 70, unit="%", floor="sha256")
    row.value = 100 * sorted(rates)[1] / floor_mb_s
    return row


def stat_again(scratch: Path) -> Row:
    """Measure the least cost of finding 2,000 files unchanged: a ``stat`` each."""
    folder = scratch / "models"
    folder.mkdir(exist_ok=True)
    for number in range(FILES):
        (folder / f"{number}.safetensors").touch()

    def stat_all(_: int) -> None:
        for path in folder.iterdir():
            stamp_of(path)

    return repeat(Row(f"stamps of {FILES:,} unchanged files", 2000, floor=""), stat_all, count=5, seconds=3)


def second_start(home: Path) -> Row:
    """Measure a start until ready, embedded PostgreSQL included, in a data folder that was used before."""
    row = Row("ready, second start", 3, unit="s", floor="")
    times: list[float] = []
    for _ in range(3):
        with serving(home, None) as server:
            times.append(server.ready_s)
    row.first_ms, row.value = times[0] * 1000, min(times[1:])
    return row
