"""The skeleton of a workflow and the claim of a run complement each other: a value is in at least one of them."""

import copy
from collections.abc import Iterator
from typing import Any, cast

import pytest
from tests.capture.corpus.cases import Case, Graph
from tests.capture.corpus.test_corpus import CORPUS, claim_of

from genlock.graphs.meanings import is_editors, word_for
from genlock.library.skeleton import skeleton_digest


def _changes(graph: Graph, nodes: frozenset[str]) -> Iterator[tuple[str, Graph]]:
    """Yield ``graph`` with one value of an acting node changed, for each of its values at any depth."""
    for key in sorted(nodes):
        class_type = graph[key]["class_type"]
        for name, value in graph[key]["inputs"].items():
            if is_editors(class_type, name) or word_for(class_type, name) == "output_prefix":
                continue  # the name of an output file does not affect its content
            for path, other in _others(value):
                changed = copy.deepcopy(graph)
                at: Any = changed[key]["inputs"]
                for part in (name, *path)[:-1]:
                    at = at[part]
                at[(name, *path)[-1]] = other
                yield f"{key}.{'.'.join(map(str, (name, *path)))}", changed


def _others(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, list) and len(cast("list[Any]", value)) == 2 and isinstance(value[1], int):
        return  # a link
    if isinstance(value, dict | list):
        entries = (
            cast("dict[str, Any]", value) if isinstance(value, dict) else dict(enumerate(cast("list[Any]", value)))
        )
        for part, entry in entries.items():
            yield from _others(entry, (*path, part))
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int | float):
        yield path, value + 1
    elif isinstance(value, str):
        stem, dot, extension = value.rpartition(".")
        yield path, f"{stem}2{dot}{extension}" if dot else f"{value}2"


_NO_EFFECT = {
    ("rows that are counted", "2.lora_name_3"): "the row is not counted: its file is not loaded",
    ("rows with switches beside them", "2.lora_name_2"): "the row is switched off",
}


@pytest.mark.parametrize("case", CORPUS, ids=[case.name for case in CORPUS])
def test_a_value_that_the_skeleton_leaves_out_is_in_the_claim(case: Case) -> None:
    """Else a value could change without any change of a state. An unknown prompt counts as missing."""
    reading, claim = claim_of(case, case.graph)
    missing = {"prompt" for value in reading.unresolved if value.word.endswith("prompt")}
    before = skeleton_digest(case.graph)
    ignored: list[str] = []
    for place, changed in _changes(case.graph, reading.nodes):
        key, name = place.split(".")[:2]
        is_missing = word_for(case.graph[key]["class_type"], name) in missing
        if skeleton_digest(changed) == before and claim_of(case, changed) == (reading, claim) and not is_missing:
            ignored.append(place)
    assert set(ignored) == {place for name, place in _NO_EFFECT if name == case.name}
