"""What is installed: locked by hash, within bounds that have a reason, under licences that a page lists."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata

from tests.house.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PINNED = re.compile(r"^([\w.-]+)==([\w.]+)(?: ; [^\\\n]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _locked() -> dict[str, set[str]]:
    """Return the versions of each distribution in the lock; Pythons may differ."""
    versions: dict[str, set[str]] = {}
    for name, version, _ in PINNED.findall(LOCK):
        versions.setdefault(_normalised(name), set()).add(version)
    return versions


def _installed() -> dict[str, metadata.Distribution]:
    """Return the installed distributions that are in the lock; an older environment may hold others."""
    listed = {_normalised(distribution.metadata["Name"]): distribution for distribution in metadata.distributions()}
    return {name: listed[name] for name in listed.keys() & _locked().keys()}


def _requirements() -> list[str]:
    extras = PROJECT["optional-dependencies"].values()
    return [*PROJECT["dependencies"], *(requirement for extra in extras for requirement in extra)]


def _rows(page: str, heading: str) -> dict[str, list[str]]:
    """Return the rows of the table below a heading, by the first cell without its backticks."""
    section = (ROOT / page).read_text(encoding="utf-8").partition(heading)[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in rows}


def test_every_line_of_the_lock_has_a_version_and_hashes() -> None:
    assert not [line for line in PINNED.sub("", LOCK).splitlines() if line.strip()]


def test_what_is_installed_is_what_the_lock_says() -> None:
    locked, installed = _locked(), _installed()
    assert {_normalised(requirement) for requirement in re.findall(r"(?m)^[\w-]+", "\n".join(_requirements()))} <= set(
        installed
    )
    assert not [
        f"{name} {distribution.version}"
        for name, distribution in installed.items()
        if distribution.version not in locked[name]
    ]


def test_the_lock_satisfies_every_requirement() -> None:
    check = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout


def test_setup_installs_by_hash_only() -> None:
    dry_run = ["make", "--dry-run", "--always-make", "setup"]
    printed = subprocess.run(dry_run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    installs = [line for line in printed.splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes --requirement constraints.txt" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]


def test_every_upper_bound_has_a_reason() -> None:
    bounds = {
        f"{name}<{bound}"
        for requirement in _requirements()
        for name in re.findall(r"^[\w-]+", requirement)
        for bound in re.findall(r"<([\d.]+)", requirement)
    }
    page = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`[\w-]+<[\d.]+`(?:, )?)+) \| \S", page, re.MULTILINE)
    assert {bound for row in rows for bound in re.findall(r"`([^`]+)`", row)} == bounds


def test_every_installed_distribution_has_a_licence() -> None:
    rows = _rows("docs/reference/licences.md", "## Distributions")
    assert not _installed().keys() - rows.keys(), "run make docs"
    assert not [name for name, (licence, *_) in rows.items() if licence in ("", "not declared")]


def test_every_library_in_a_wheel_has_a_licence() -> None:
    rows = _rows("docs/reference/licences.md", "## Libraries in wheels")
    libraries = {
        (re.sub(r"(-[0-9a-f]{8})+$", "", path.name.partition(".so")[0]), f"`{name}`")
        for name, distribution in _installed().items()
        for path in distribution.files or []
        if ".so" in path.name and any(part.endswith(".libs") for part in path.parts)
    }
    assert {("libx264", "`av`"), ("libx265", "`av`")} <= libraries
    assert not [library for library, carrier in libraries if carrier not in rows.get(library, ["", "", ""])[2]]
    assert all(licence for _, licence, _ in rows.values())
