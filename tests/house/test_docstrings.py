"""Docstrings of functions begin with a verb in the imperative: "Return the active version."

`python -m tests.house.docstrings` lists the findings.
"""

import pytest
from tests.house import docstrings
from tests.house.tree import ROOT

SAMPLE = '''
"""The module."""
class Shelf:
    """A shelf."""
    def size(self):
        """The number of books."""
    @property
    def title(self):
        """The title."""
    async def add(self):
        """Adds a book."""
@pytest.fixture
def book():
    """A book."""
def test_a_book():
    """A book that is open."""
def remove():
    """Remove a book; return whether it existed."""
'''
NOT_YET = (  # rooms that are not in the imperative yet
    *(f"src/genlock/{room}/" for room in ("capture", "engines/comfyui", "graphs")),
    "comfyui/",
    *(f"tests/{room}/" for room in ("capture", "comfyui", "extension", "graphs")),
)


def test_every_function_is_described_by_a_verb() -> None:
    listed = [str(finding) for finding in docstrings.findings()]
    listed = [finding for finding in listed if not finding.startswith(NOT_YET)]
    assert not listed, "write these in the imperative:\n" + "\n".join(listed)


def test_functions_and_methods_are_read_but_no_properties_fixtures_and_tests() -> None:
    path = ROOT / "src" / "genlock" / "sample.py"  # not written: only its name counts
    assert [finding.line for finding in docstrings.findings_of(path, SAMPLE)] == [5, 10]


@pytest.mark.parametrize(
    "docstring",
    [
        "The id.",
        "An id.",
        "Whether it holds.",
        "False: it holds.",
        "``Invalid`` if it fails.",
        "12 bytes.",
        "Holds it.",
    ],
)
def test_nouns_statements_and_values_are_refused(docstring: str) -> None:
    assert docstrings.replacement_for(docstring)


@pytest.mark.parametrize("docstring", ["Return the id.", "Process it.", "Pass it on.", "Raise ``Invalid``.", "Act."])
def test_verbs_are_allowed(docstring: str) -> None:
    assert docstrings.replacement_for(docstring) is None
