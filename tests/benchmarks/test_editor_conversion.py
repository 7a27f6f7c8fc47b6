"""The measure of conversions tells equal, wrong and refused workflows apart."""

import json
from pathlib import Path

import pytest
from benchmarks.editor_conversion import first_difference, measure
from tests.graphs.editor_files import DEFINITIONS, OBJECT_INFO, node, workflow

from genlock.graphs.editor_conversion import convert_editor_file


def test_each_workflow_is_equal_wrong_or_refused(tmp_path: Path) -> None:
    saved = {
        "equal": workflow([node(1, "Sampler", [42, "fixed", 12])], []),
        "wrong": workflow([node(1, "Sampler", [42, "fixed", 12])], []),
        "refused": workflow([node(1, "Unknown", [])], []),
        "left_out": workflow([node(1, "Unknown", [])], []),
    }
    exported = convert_editor_file(saved["equal"], DEFINITIONS, "equal")
    (tmp_path / "ui").mkdir()
    (tmp_path / "api").mkdir()
    (tmp_path / "object_info.json").write_text(json.dumps(OBJECT_INFO))
    (tmp_path / "index.json").write_text(json.dumps([{"template": "left_out", "scored": False}]))
    for name, value in saved.items():
        (tmp_path / "ui" / f"{name}.json").write_text(json.dumps(value))
        text = json.dumps(exported)
        (tmp_path / "api" / f"{name}.json").write_text(text.replace("42", "43") if name == "wrong" else text)

    outcomes = {outcome.name: (outcome.result, outcome.reason) for outcome in measure(tmp_path)}

    assert {name: result for name, (result, _) in outcomes.items()} == {
        "equal": "equal",
        "refused": "refused",
        "wrong": "wrong",
    }
    assert outcomes["wrong"][1] == "node 1 (Sampler), seed: 43 is 42"


@pytest.mark.parametrize(
    ("exported", "difference"),
    [
        ({}, "node 1 (A) is only in the conversion"),
        ({"1": {"class_type": "B", "inputs": {}}}, "node 1: B is A"),
        ({"1": {"class_type": "A", "inputs": {"x": 1}}}, "node 1 (A), x: 1 is 'nothing'"),
    ],
)
def test_the_first_difference_is_named(exported: dict[str, dict[str, object]], difference: str) -> None:
    assert first_difference(exported, {"1": {"class_type": "A", "inputs": {}}}) == difference
