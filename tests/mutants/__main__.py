"""``python -m tests.mutants [NUMBER …]``: seed faults, or all, into a copy of the source; a test must catch each."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fixtures_postgres import server_url
from tests.mutants.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]
# The worked examples on the database first: they catch most faults within seconds, histories need minutes.
TESTS = (
    "tests/staleness/examples",
    "tests/staleness/test_origins.py",
    "tests/staleness/machine/test_decisions.py",
    "tests/staleness/machine/test_groups.py",
    "tests/staleness/machine/test_what_if.py",
    "tests/staleness/machine/test_histories.py::test_sql_is_the_oracle_in_short_histories",
)
EXCEPT = ("-m", "not long", "-k", "not (examples and oracle)")


def seeded(fault: Fault, folder: Path) -> Path:
    """Copy the source and apply the fault to it."""
    source = folder / "src"
    shutil.copytree(ROOT / "src", source)
    file = source / "genlock" / fault.file
    text = file.read_text(encoding="utf-8")
    if fault.before not in text:
        raise SystemExit(f"{fault.file} has no {fault.before!r} any more: rewrite this fault.")
    file.write_text(text.replace(fault.before, fault.after, 1), encoding="utf-8")
    return source


def caught(fault: Fault, url: str) -> bool:
    """Return whether a test fails on the faulty source."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ) | {
            "PYTHONPATH": str(seeded(fault, Path(folder))),
            "GENLOCK_TEST_DATABASE_URL": url,
            "GENLOCK_TEST_MUTANTS": "1",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *EXCEPT, *TESTS]
        finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if finished.returncode not in (0, 1):
        raise SystemExit(finished.stdout + finished.stderr)
    return finished.returncode == 1


def main() -> None:
    """Seed the faults; exit with 1 if one is not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("number", nargs="*", type=int, help=f"which faults, 1 to {len(FAULTS)}; all without it")
    numbers = parser.parse_args().number or range(1, len(FAULTS) + 1)
    survivors: list[Fault] = []
    with server_url() as url:
        for number in numbers:
            fault = FAULTS[number - 1]
            is_caught = caught(fault, url)
            print(f"{number:3d}/{len(FAULTS)}  {'caught  ' if is_caught else 'SURVIVED'}  {fault.file}: {fault.means}")
            survivors += [] if is_caught else [fault]
    print(f"{len(numbers) - len(survivors)} passed, {len(survivors)} failed")
    if survivors:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
