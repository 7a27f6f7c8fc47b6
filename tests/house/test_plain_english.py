"""Names, docstrings, comments, messages and pages are in plain English: none of the words in `words.py`.

`python -m tests.house.english` counts the findings of each room, and lists them for the rooms it is given.
"""

import ast

import pytest
from tests.house import english
from tests.house.tree import ROOT

SAMPLE = '''
"""Return what whoever calls was told of."""
# a room
# of its own
class Shelf: ...
def json_said(one, *, found):
    seen = [these for these in found if found]
    self.known = f"{one} was told {found}"
    query("""
        SELECT moved  -- made anew
          FROM kept
    """)
'''


@pytest.fixture(scope="module")
def findings() -> dict[str, list[english.Finding]]:
    return english.findings()


def test_every_room_is_in_plain_english(findings: dict[str, list[english.Finding]]) -> None:
    listed = [str(finding) for room in findings for finding in findings[room]]
    assert not listed, "write these plainly:\n" + "\n".join(sorted(listed))


def test_names_and_prose_of_a_python_file_are_read() -> None:
    path = ROOT / "src" / "genlock" / "sample.py"  # not written: only its place counts
    nodes = tuple(ast.walk(ast.parse(SAMPLE)))
    names = {name for _, name in english.bound_names(nodes) if english.plain_name(name)}
    assert names == {"Shelf", "json_said", "one", "found", "seen", "these", "known"}
    prose = english.python_prose(path, SAMPLE, nodes)
    matches = [(finding.line, finding.text) for line, text in prose for finding in english.phrases(path, line, text)]
    assert sorted(matches) == [
        (2, "told of"),
        (2, "was told"),
        (2, "whoever"),
        (4, "of its own"),
        (8, "was told"),
        (10, "anew"),
    ]


def test_a_phrase_may_run_over_the_end_of_a_line() -> None:
    (finding,) = english.phrases(ROOT / "README.md", 1, "# Page\n\nA file of\nits own.\n")
    assert (finding.line, finding.text) == (3, "of its own")


@pytest.mark.parametrize("name", ["unknown", "foundation", "is_known", "moved_assets", "housekeeping", "stone"])
def test_ordinary_names_are_allowed(name: str) -> None:
    assert english.plain_name(name) is None
