"""Bindings of a workflow that is registered: set, corrected and shown, as a history next to the version."""

import json
from pathlib import Path

import pytest
from tests.comfyui import workflows

from genlock.client import Genlock
from genlock.errors import Invalid
from genlock.timeline.model import Project


@pytest.fixture
def walk(gl: Genlock, project: Project, tmp_path: Path) -> str:
    path = tmp_path / "walk.json"
    path.write_text(json.dumps(workflows.image_to_video()))
    gl.add_version(gl.create_asset("workflow", "walk", project=project), path)
    return "workflow:walk"


def test_bindings_are_set_field_by_field_and_each_change_is_kept(gl: Genlock, project: Project, walk: str) -> None:
    before = gl.version(walk, project=project)
    steps = [{"node": "10", "input": "steps"}]
    answer = gl.set_bindings(walk, {"seed": steps, "prompt": []}, note="wrong seed", project=project)
    assert answer.declared == {"seed": steps, "prompt": []}
    assert [(place.node, place.input) for place in answer.bindings.seed] == [("10", "steps")]
    assert answer.bindings.prompt == ()
    corrected = gl.set_bindings(walk, {"seed": None}, project=project)
    assert corrected.declared == {"prompt": []}
    assert [(place.node, place.input) for place in corrected.bindings.seed] == [("10", "seed")]
    assert gl.bindings(walk, project=project) == corrected
    history = list(gl.bindings_history(walk, project=project))
    assert [(change.bindings, change.note) for change in history] == [
        ({"prompt": []}, ""),
        ({"seed": steps, "prompt": []}, "wrong seed"),
    ]
    after = gl.version(walk, project=project)
    assert after.bindings == {"prompt": []}
    assert after.model_copy(update={"bindings": None}) == before.model_copy(update={"bindings": None})


def test_bindings_that_do_not_fit_are_refused_and_not_kept(gl: Genlock, project: Project, walk: str) -> None:
    with pytest.raises(Invalid, match="no node '99'"):
        gl.set_bindings(walk, {"seed": [{"node": "99", "input": "seed"}]}, project=project)
    assert list(gl.bindings_history(walk, project=project)) == []
    assert gl.bindings(walk, project=project).declared is None


def test_a_render_that_cannot_be_bound_is_refused_before_a_plan_is_made(
    gl: Genlock, project: Project, walk: str, lora: Path
) -> None:
    gl.create_segments(gl.create_scene(project, "night"), 1)
    gl.add_version(gl.create_asset("lora", "rain", project=project), lora)
    with pytest.raises(Invalid, match=r"Node \d+ \(\w+\) (loads a file|has no image)") as refused:
        given = [gl.render_input(reference, project=project) for reference in (walk, "lora:rain")]
        gl.render(f"{project.slug}/night/1", engine="comfyui", inputs=given)
    assert refused.value.code == "cannot_bind"
    assert list(gl.plans(project=project)) == []
