"""Lower bounds: the best that the same machine and cluster can do, measured in the same run."""

import hashlib
import random
import time
from pathlib import Path

import httpx
import psycopg

from benchmarks.clock import Row, repeat

FILE_BYTES = 256 * 2**20
PIECE = 2**20


def floors(url: str, http: httpx.Client, scratch: Path) -> dict[str, Row]:
    """Measure every floor and return them by name: ``probe``, ``commit``, ``copy``, ``sha256``, ``http``."""
    measured = {"http": Row("an HTTP call that asks nothing (GET /me)", floor="")}
    repeat(measured["http"], lambda _: http.get("/me").raise_for_status(), count=300, seconds=3)
    draw = random.Random(1)
    with psycopg.connect(url, autocommit=True, options="-c search_path=genlock") as conn:
        last = conn.execute("SELECT max(id) FROM takes").fetchone()
        most = int(last[0]) if last else 1

        def probe(_: int) -> None:
            conn.execute("SELECT id FROM takes WHERE id = %s", (draw.randint(1, most),), prepare=True).fetchone()

        measured["probe"] = repeat(Row("prepared primary-key probe", floor=""), probe, count=2000, seconds=2)
        conn.execute("CREATE TABLE IF NOT EXISTS bench_scratch (id bigint, said text)")

        def commit(number: int) -> None:
            conn.execute("INSERT INTO bench_scratch VALUES (%s, 'a small commit')", (number,), prepare=True)

        measured["commit"] = repeat(Row("small durable commit", floor=""), commit, count=1000, seconds=3)
        lines = "".join(
            f"{number}\tsome words for a row of ordinary length, as receipts have\n" for number in range(200_000)
        )
        began = time.perf_counter()
        with conn.cursor().copy("COPY bench_scratch FROM STDIN") as copy:
            copy.write(lines)
        measured["copy"] = Row("raw COPY of a narrow table", unit="/s", floor="")
        measured["copy"].value = 200_000 / (time.perf_counter() - began)
        conn.execute("DROP TABLE bench_scratch")
    measured["sha256"] = _sha256(scratch)
    return measured


def _sha256(scratch: Path) -> Row:
    path = scratch / "floor.bin"
    block = random.Random(2).randbytes(PIECE)
    with path.open("wb") as file:
        for _ in range(FILE_BYTES // PIECE):
            file.write(block)
    row = Row("bare hashlib.sha256 of a file", unit="MB/s", floor="")
    rates: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        rates.append(FILE_BYTES / 2**20 / (time.perf_counter() - began))
    row.value = sorted(rates)[1]
    return row
