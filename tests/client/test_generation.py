"""Takes recorded by a generation: exactly one on success, none on an exception; inputs are resolved on use."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genlock.client import Genlock
from genlock.digest import digest_of
from genlock.errors import Conflict, Invalid, NotFound
from genlock.sdk.generation import Generation
from genlock.takes.claim import Evidence
from genlock.timeline.model import Project

Video = Callable[[int], Path]
SEED = 2**64 - 1


@pytest.fixture
def scene(gl: Genlock, project: Project, tmp_path: Path) -> str:
    """Create a scene of three chained segments, in a project with its own model, LoRA and prompt."""
    gl.create_segments(gl.create_scene(project, "night"), 3)
    for kind, name in (("other", "noise"), ("prompt", "rain")):
        for number in (1, 2):
            file = tmp_path / f"{name}_v{number}.bin"
            file.write_bytes(f"{project.slug} {name} {number}".encode())
            gl.add_version(gl.ensure_asset(kind, name, project=project), file, activate=number == 1)
    return f"{project.slug}/night"


def settings(g: Generation, seed: int | str = SEED) -> None:
    g.parameters(prompt="a wet roof", negative_prompt="", cfg=5.0, steps=20, width=32, height=32)
    g.parameters(seed=seed, frames=np.int64(4), denoise=np.float32(0.5), mood="blue")


def test_a_generation_records_one_receipt_and_one_take(gl: Genlock, scene: str, video: Video) -> None:
    with gl.generation(f"{scene}/1", engine="diffusers", engine_version="0.35", note="by hand") as g:
        rain = g.use("prompt:rain")
        g.use("other:noise@2", strength_model=0.8)
        settings(g)
        g.output(video(90))
    recorded = g.recorded
    assert recorded.created
    assert (recorded.take.number, recorded.take.selected) == (1, True)
    assert recorded.take.outputs["video"] == digest_of(video(90).read_bytes())
    document = gl.receipt(recorded.receipt.id).document
    assert document["parameters"]["seed"] == "18446744073709551615"
    assert (document["parameters"]["frames"], document["parameters"]["mood"]) == (4, "blue")
    used = {item["name"]: item for item in document["inputs"]}
    assert rain.version
    assert (used["rain"]["version"], used["rain"]["digest"]) == (1, rain.version.digest)
    assert (used["noise"]["version"], used["noise"]["strength_model"]) == (2, 0.8)
    assert document["engine"]["version"] == "0.35"
    assert document["recorder"]["name"] == "genlock.client"
    assert document["observed"]["duration_s"] >= 0
    assert recorded.receipt.evidence is Evidence.RECORDED
    assert len(list(gl.takes(f"{scene}/1"))) == 1
    assert gl.provenance(f"{scene}/1").receipt == gl.receipt(recorded.receipt.id)


def test_an_exception_records_nothing(gl: Genlock, scene: str, video: Video) -> None:
    with pytest.raises(ZeroDivisionError), gl.generation(f"{scene}/1", engine="diffusers") as g:
        g.use("prompt:rain")
        g.output(video(90))
        raise ZeroDivisionError
    assert list(gl.takes(f"{scene}/1")) == []
    with pytest.raises(Conflict):
        _ = g.recorded


def test_without_an_output_nothing_is_recorded(gl: Genlock, scene: str) -> None:
    with pytest.raises(Invalid), gl.generation(f"{scene}/1", engine="diffusers") as g:
        settings(g)
    assert list(gl.takes(f"{scene}/1")) == []


def test_a_take_can_be_recorded_without_selecting_it(gl: Genlock, scene: str, video: Video) -> None:
    for shade, select in ((80, True), (90, False)):
        with gl.generation(f"{scene}/1", engine="diffusers", select=select) as g:
            g.output(video(shade))
    selected = gl.segment(f"{scene}/1").selected_take
    assert selected
    assert selected.number == 1


def test_the_expected_version_of_the_segment_is_used(gl: Genlock, scene: str, project: Project, video: Video) -> None:
    """The scene's pin, else the project's, else the active version."""

    def version() -> int:
        with gl.generation(f"{scene}/1", engine="diffusers") as g:
            used = g.use("prompt:rain")
            g.output(video(90))
        assert used.version
        return used.version.number

    assert version() == 1
    gl.activate("prompt:rain@2", project=project)
    assert version() == 2
    gl.pin(project.slug, "prompt:rain", 1, "the client liked it")
    assert version() == 1
    gl.pin(scene, "prompt:rain", 2, "but here not")
    assert version() == 2
    gl.unpin(scene, "prompt:rain")
    assert version() == 1


def test_a_chained_segment_continues_the_previous_frame(gl: Genlock, scene: str, video: Video, tmp_path: Path) -> None:
    with gl.generation(f"{scene}/2", engine="diffusers") as g, pytest.raises(Conflict) as refused:
        try:
            g.use("seed_frame")
        finally:
            g.output(video(10))
    assert refused.value.code == "nothing_to_continue"
    with gl.generation(f"{scene}/1", engine="diffusers") as first:
        first.output(video(60))
    with gl.generation(f"{scene}/2", engine="diffusers") as g:
        frame = g.continue_from_previous()
        picture = frame.save(tmp_path)
        g.output(video(70))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert digest_of(picture.read_bytes()) == first.recorded.take.outputs["last_frame"] == frame.digest
    line = g.recorded.receipt.document["inputs"][0]
    assert (line["role"], line["take"], line["part"]) == ("seed_frame", first.recorded.take.id, "last_frame")
    with gl.generation(f"{scene}/1", engine="diffusers") as again:
        again.output(video(200))
    assert [cause.kind.value for cause in gl.segment(f"{scene}/2").causes] == ["chain"]


def test_the_first_segment_has_no_seed_frame(gl: Genlock, scene: str) -> None:
    generation = gl.generation(f"{scene}/1", engine="diffusers")
    with pytest.raises(Conflict):
        generation.continue_from_previous()


def test_the_file_that_was_used_is_recorded(gl: Genlock, scene: str, video: Video, tmp_path: Path) -> None:
    (tmp_path / "found.bin").write_bytes(b"overwritten in place")
    with gl.generation(f"{scene}/1", engine="diffusers") as g:
        g.use("prompt:rain", file=tmp_path / "found.bin")
        g.output(video(90))
    line = g.recorded.receipt.document["inputs"][0]
    assert (line["digest"], "version" in line) == (digest_of(b"overwritten in place"), False)
    assert [cause.kind.value for cause in gl.segment(f"{scene}/1").causes] == ["unmatched"]


def test_an_input_can_be_written_to_disk(gl: Genlock, scene: str, project: Project, tmp_path: Path) -> None:
    generation = gl.generation(f"{scene}/1", engine="diffusers")
    (tmp_path / "models").mkdir()
    saved = generation.use("prompt:rain").save(tmp_path / "models")
    assert saved == tmp_path / "models" / "rain_v1.bin"
    assert saved.read_bytes() == f"{project.slug} rain 1".encode()
    assert [path.name for path in saved.parent.iterdir()] == ["rain_v1.bin"]


def test_a_missing_input_is_refused_at_once(gl: Genlock, scene: str, tmp_path: Path) -> None:
    generation = gl.generation(f"{scene}/1", engine="diffusers")
    with pytest.raises(NotFound) as refused:
        generation.use("prompt:rian")
    assert "prompt:rain" in (refused.value.hint or "")
    with pytest.raises(NotFound):
        generation.use("prompt:rain@9")
    with pytest.raises(Invalid):
        generation.output(tmp_path / "nothing.mp4")


@pytest.mark.parametrize("seed", [-1, 2**64, "1e3", "007", 1.5, "", "x"])
def test_an_invalid_seed_is_refused(gl: Genlock, scene: str, seed: int) -> None:
    with pytest.raises(Invalid) as refused:
        gl.generation(f"{scene}/1", engine="diffusers").parameters(seed=seed)
    assert "seed" in refused.value.message


@pytest.mark.parametrize("values", [{"cfg": float("nan")}, {"denoise": float("inf")}, {"mood": {"a": 1}}, {"width": 0}])
def test_an_invalid_parameter_is_refused(gl: Genlock, scene: str, values: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        gl.generation(f"{scene}/1", engine="diffusers").parameters(**values)


def test_an_invalid_strength_is_refused(gl: Genlock, scene: str) -> None:
    with pytest.raises(Invalid):
        gl.generation(f"{scene}/1", engine="diffusers").use("prompt:rain", strength_model=float("nan"))
