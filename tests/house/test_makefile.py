"""`make help` is complete, and what the issue of the house asks for is there."""

import re
import subprocess

from tests.house.tree import ROOT

PROMISED = {"setup", "demo", "up", "test", "test-all", "check", "bench", "docs"}


def _targets() -> dict[str, str]:
    """Each target with its line of help."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.findall(r"^([a-z][a-z0-9-]*):(?:[^=\n#]*)(?:##[ \t]*(.*))?$", text, re.MULTILINE)
    return {name: said.strip() for name, said in found}


def test_every_target_has_a_line_of_help() -> None:
    targets = _targets()
    assert targets.keys() >= PROMISED
    assert not [name for name, said in targets.items() if not said]


def test_every_target_is_phony() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY:(.*)$", text, re.MULTILINE)[0].split())
    assert phony == set(_targets())


def test_make_help_lists_them_all() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^  make (\S+)", said, re.MULTILINE))
    assert listed == set(_targets())
