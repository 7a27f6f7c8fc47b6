"""``python -m benchmarks [SCALE …]``: generate, measure, print the table, write ``bench-report.json``."""

import argparse
import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks import command_line, importing, inside, lists, questions, recording, table
from benchmarks import floors as bottoms
from benchmarks.clock import Row
from benchmarks.environment import database, filled, folder, serving
from benchmarks.keys import draw_keys

UNITS = {"k": 1000, "M": 1_000_000}


def main() -> None:
    """Measure each requested scale."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures Genlock.")
    parser.add_argument("scale", nargs="*", help="how many receipts: 10k, 100k, 1M ($SCALE, else 10k)")
    parser.add_argument("--data", type=Path, help="a folder for generated data, which the next run uses again")
    parser.add_argument(
        "--database-url", help="a PostgreSQL server where databases may be created, instead of the embedded one"
    )
    given = parser.parse_args()
    scales = [_number(scale) for scale in given.scale or os.environ.get("SCALE", "10k").split(",")]
    with folder(given.data) as home, database(home, given.database_url, print) as admin:
        for scale in scales:
            print(f"{scale:,} receipts", flush=True)
            url = filled(admin, scale, print)
            rows, floors = _measure(home / str(scale), url)
            measured = table.as_json(rows, floors)
            report = table.store(scale, measured)
            print("\n" + table.show(scale, measured) + "\n", flush=True)
            if len(report) > 1:
                print(table.growth(report) + "\n", flush=True)


def _number(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)


def _measure(home: Path, url: str) -> tuple[list[Row], dict[str, Row]]:
    keys = draw_keys(url)
    rows: list[Row] = []
    with serving(home, url) as server, server.client() as http:
        floors = bottoms.floors(url, http, home)
        floors["import httpx"] = command_line.import_floor()
        outputs = questions.stored_outputs(http)
        with questions.writer(server, keys, outputs):
            rows += _printed(questions.reads(http, keys))
            rows += _printed(iter([questions.activations(http, keys)]))
        rows += _printed(iter([questions.single(http, keys, outputs), questions.batches(http, keys, outputs)]))
        rows += _printed(recording.scenes(http, keys.assets, outputs))
        rows += _printed(lists.lists(http, keys, outputs))
        memory = Row("memory of the server process", 300, unit="MB", floor="")
        memory.value = server.memory_mb()
        rows.append(memory)
    rows.append(asyncio.run(inside.activation_transaction(url, keys)))
    rows += asyncio.run(inside.reports_alone(url, keys))
    rows.append(inside.register_file(home, floors["sha256"].value or 1))
    rows.append(inside.stat_again(home))
    rows.append(inside.second_start(home / "up"))
    rows += _printed(command_line.starts(home / "up"))
    with folder(None) as empty:
        rows += _printed(importing.imports(empty))
    return rows, floors


def _printed(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        print(f"  {row.name}: {row.p50 or 0:.1f} {row.unit}", flush=True)
        yield row


if __name__ == "__main__":
    main()
