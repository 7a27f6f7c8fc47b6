"""Rules for every file: its length, packages without code, no registry's host and no path of a machine."""

import ast
import re

import pytest
from tests.house import tree

LONGEST = 400
SOURCES = (".py", ".pyi", ".ts", ".js", ".css", ".html", ".sql", ".sh")
TEXTS = (*SOURCES, ".md", ".toml", ".txt", ".json", ".yml", ".yaml", ".svg", ".cfg", ".ini", "")

# Written in two halves, so that this file does not match.
REGISTRIES = ("py" + "pi.org", "pythonh" + "osted.org", "npm" + "js.org", "npm" + "js.com", "registry" + ".yarnpkg")
MACHINES = re.compile(r"(?<![\w.}/])/(?:" + "|".join(("ro" + "ot", "wo" + "rk", "ho" + "me", "Us" + "ers")) + r")/\w")


def test_no_source_file_is_longer_than_the_limit() -> None:
    long = {
        tree.short(path): lines
        for path in tree.named(*SOURCES)
        if (lines := path.read_text(encoding="utf-8").count("\n")) > LONGEST
    }
    assert not long, f"split these by concept: {long}"


def test_packages_hold_one_docstring() -> None:
    for path in tree.named(".py"):
        if path.name != "__init__.py" or "src" not in path.parts:
            continue
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1, f"{tree.short(path)} holds more than one docstring"
        assert ast.get_docstring(ast.Module(body, [])), f"{tree.short(path)} has no docstring"


@pytest.mark.parametrize("what", ["registry", "machine"])
def test_nothing_names_a_registry_or_a_machine(what: str) -> None:
    violations: list[str] = []
    for path in tree.named(*TEXTS):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if what == "registry":
                wrong = any(host in line for host in REGISTRIES)
            else:
                wrong = MACHINES.search(line) is not None
            if wrong:
                violations.append(f"{tree.short(path)}:{number}: {line.strip()[:100]}")
    assert not violations, "\n".join(violations)


def test_no_module_is_a_catch_all() -> None:
    catch_alls = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "service"}
    assert not [tree.short(path) for path in tree.named(".py") if path.stem in catch_alls]
