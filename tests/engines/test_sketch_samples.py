"""The samples: the same every time, all usable, and equal where their names promise it."""

from pathlib import Path

import pytest
from tests.engines.studio import SketchStudio

from genlock.engines.pictures import read_picture
from genlock.engines.sketch.samples import LORAS, write_samples
from genlock.library.identify import identify_file
from genlock.model import Kind


def test_the_samples_are_the_same_every_time(samples: Path, tmp_path: Path) -> None:
    written = write_samples(tmp_path)
    assert {path.name: path.read_bytes() for path in written} == {
        path.name: path.read_bytes() for path in samples.iterdir()
    }
    assert {path.name for path in write_samples(tmp_path, seed=1)} == {path.name for path in written}
    assert (tmp_path / "rain_v1.safetensors").read_bytes() != (samples / "rain_v1.safetensors").read_bytes()
    assert (tmp_path / "walk_v1.json").read_bytes() == (samples / "walk_v1.json").read_bytes()


@pytest.mark.parametrize("name", LORAS)
def test_a_relabelled_lora_is_equal_and_other_weights_are_not(samples: Path, name: str) -> None:
    first, relabelled, second = (
        identify_file(samples / f"{name}_{version}.safetensors", Kind.LORA) for version in ("v1", "v1_relabelled", "v2")
    )
    assert first.digest != relabelled.digest
    assert first.effective_digest == relabelled.effective_digest
    assert first.effective_digest != second.effective_digest


def test_a_rearranged_workflow_is_equal_and_other_settings_are_not(samples: Path) -> None:
    first, rearranged, second = (
        identify_file(samples / f"{name}.json", Kind.WORKFLOW) for name in ("walk_v1", "walk_v1_moved", "walk_v2")
    )
    assert first.digest != rearranged.digest
    assert first.effective_digest == rearranged.effective_digest
    assert first.effective_digest != second.effective_digest


async def test_the_graph_that_ran_is_still_that_workflow_where_it_had_its_own_lora_nodes(
    sketch: SketchStudio, samples: Path, tmp_path: Path
) -> None:
    result = await sketch.render(seed="99", prompt="another", cfg=2.0)
    ran = tmp_path / "ran.json"
    ran.write_bytes(result.graph)
    again = await sketch.render(graph=result.graph, seed="7", prompt="a third")
    ran_again = tmp_path / "again.json"
    ran_again.write_bytes(again.graph)
    first, other = (identify_file(path, Kind.WORKFLOW) for path in (ran, ran_again))
    assert first.effective_digest == other.effective_digest


def test_every_picture_is_a_picture_and_no_two_are_alike(samples: Path) -> None:
    pictures = [read_picture(path.read_bytes(), path.name) for path in sorted(samples.glob("*.png"))]
    assert len(pictures) == len({picture.tobytes() for picture in pictures}) == 6


@pytest.mark.parametrize("workflow", ["walk_v1", "walk_v2", "walk_v1_moved"])
async def test_every_sample_renders(sketch: SketchStudio, samples: Path, workflow: str) -> None:
    graph = (samples / f"{workflow}.json").read_bytes()
    for model in ("tiny_v1", "tiny_v2"):
        await sketch.render(graph=graph, model=samples / f"{model}.safetensors")
    for lora in LORAS:
        for version in ("v1", "v2"):
            await sketch.render(graph=graph, loras=((samples / f"{lora}_{version}.safetensors", 1.0),))


@pytest.mark.parametrize("workflow", ["dress_v1", "dress_v2"])
async def test_every_picture_workflow_renders(sketch: SketchStudio, samples: Path, workflow: str) -> None:
    result = await sketch.render(
        graph=(samples / f"{workflow}.json").read_bytes(),
        produces="image",
        starts={"source_image": samples / "portrait_v1.png"},
    )
    assert set(result.outputs) == {"image", "thumbnail"}
