"""`make help` lists every target, and the targets that pages and CI rely on exist."""

import re
import subprocess

from tests.house.tree import ROOT

REQUIRED = {"setup", "demo", "up", "test", "test-all", "check", "bench", "docs"}


def _targets() -> dict[str, str]:
    """Return each target with its line of help."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][a-z0-9-]*):(?:[^=\n#]*)(?:##[ \t]*(.*))?$", text, re.MULTILINE)
    return {name: description.strip() for name, description in targets}


def test_every_target_has_a_line_of_help() -> None:
    targets = _targets()
    assert targets.keys() >= REQUIRED
    assert not [name for name, description in targets.items() if not description]


def test_every_target_is_phony() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY:(.*)$", text, re.MULTILINE)[0].split())
    assert phony == set(_targets())


def test_make_help_lists_them_all() -> None:
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^  make (\S+)", printed, re.MULTILINE))
    assert listed == set(_targets())
