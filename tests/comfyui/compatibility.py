"""``make test-comfyui``: run all ComfyUI tests against one build, and write the result to ``docs/compatibility.md``.

    COMFYUI_VERSION, else the version built last ─▶ pytest ─▶ counts by group ─▶ one row of the table in the page

A newer row of the same version on the same platform replaces the older one. Exits with pytest's status.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from tests.comfyui.builds import Build, last_build

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
GROUPS = {
    "rendering": ("tests/comfyui",),
    "extension": ("tests/extension",),
    "imports": ("tests/capture/test_real_comfyui.py",),
    "engine": ("tests/engines",),
}
"""The columns of the table, with the tests that each counts."""
_HEAD = ("ComfyUI", "on", "platform", *GROUPS, "failed")
_RULE = "|" + " --- |" * len(_HEAD)


@dataclass
class Count:
    """How many tests passed, and how many ran."""

    passed: int = 0
    ran: int = 0

    def __str__(self) -> str:
        """Return it as the table shows it."""
        return f"{self.passed} of {self.ran}" if self.ran else "–"


@dataclass(frozen=True)
class Result:
    """What one run of the tests gave: counts by group, and the names of the tests that failed."""

    counts: Mapping[str, Count]
    failed: tuple[str, ...]


def main() -> None:
    """Run the tests and write the row."""
    parser = argparse.ArgumentParser(description="Run all ComfyUI tests against one build.")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page with the table")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest")
    arguments = parser.parse_args()
    named = os.environ.get("COMFYUI_VERSION")
    build = Build(named) if named else last_build()
    if not build.is_built():
        sys.exit(f"ComfyUI {build.version} is not built here: run `make comfyui`, or `make comfyui COMFYUI=FOLDER`.")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        targets = [target for group in GROUPS.values() for target in group]
        environment = {**os.environ, "COMFYUI_VERSION": build.version}
        status = subprocess.run([*command, *targets, *arguments.pytest], env=environment).returncode
        if not report.exists():
            sys.exit(status or 1)
        result = result_of(report)
    page: Path = arguments.page
    page.write_text(with_row(page.read_text(encoding="utf-8"), row_of(build.version, result)), encoding="utf-8")
    print(f"ComfyUI {build.version}: {', '.join(f'{name} {count}' for name, count in result.counts.items())}")
    sys.exit(status)


def result_of(report: Path) -> Result:
    """Return the counts in a JUnit report; skipped tests did not run."""
    counts = {name: Count() for name in GROUPS}
    failed: list[str] = []
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname", "").replace(".", "/")
        group = next((name for name, targets in GROUPS.items() if _is_in(module, targets)), None)
        outcomes = {child.tag for child in case}
        if group is None or "skipped" in outcomes:
            continue
        bad = bool(outcomes & {"failure", "error"})
        counts[group].ran += 1
        counts[group].passed += not bad
        if bad:
            failed.append(case.get("name", "?"))
    return Result(counts, tuple(dict.fromkeys(failed)))


def _is_in(module: str, targets: Iterable[str]) -> bool:
    return any(module.startswith(target.removesuffix(".py")) for target in targets)


def row_of(version: str, result: Result) -> str:
    """Return the table's row for a result of today on this machine."""
    where = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, CPU"
    failed = ", ".join(f"`{name}`" for name in result.failed) or "none"
    cells = (version, datetime.now(UTC).date().isoformat(), where, *map(str, result.counts.values()), failed)
    return "| " + " | ".join(cells) + " |"


def with_row(page: str, row: str) -> str:
    """Return the page with a row in its table, newest version first; it replaces that of its version and platform."""
    lines = page.splitlines()
    first = lines.index(_RULE) + 1
    last = next((number for number in range(first, len(lines)) if not lines[number].startswith("|")), len(lines))
    others = [line for line in lines[first:last] if _key(line) != _key(row)]
    rows = sorted([*others, row], key=lambda line: _order(_key(line)[0]), reverse=True)
    return "\n".join([*lines[:first], *rows, *lines[last:]]) + "\n"


def _key(row: str) -> tuple[str, str]:
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    return cells[0], cells[2].partition(",")[0]


def _order(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


if __name__ == "__main__":
    main()
