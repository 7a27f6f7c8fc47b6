"""Nodes that did not act are not inputs, opened files are, and what may have been read unseen is named."""

from collections.abc import Generator
from typing import Any

import pytest
from tests.comfyui.server import ComfyServer
from tests.comfyui.workflows import Graph, node
from tests.extension.watched import Watched, digest_of_file, serving_extension, used, video

pytestmark = pytest.mark.long

PREFIX = "genlock/rooftop/night/1"


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Generator[ComfyServer]:
    """Start a ComfyUI with the extension and nodes that read files, and a folder of frames."""
    with serving_extension(tmp_path_factory.mktemp("comfyui"), "reader") as started:
        frames = started.base / "input" / "frames"
        frames.mkdir()
        for number in range(3):
            (frames / f"{number}.png").write_bytes(f"frame {number}".encode())
        yield started


def through(class_type: str, seed: int, **inputs: Any) -> Graph:
    """Return a graph whose sampler gets its model through a node."""
    graph = video(PREFIX, seed=seed)
    graph["60"] = node(class_type, model=("2", 0), **inputs)
    graph["3"]["inputs"]["model"] = ["60", 0]
    return graph


def reasons(capture: dict[str, Any]) -> list[str]:
    return capture["record"]["capture"]["reasons"]


def test_files_that_a_node_opens_by_itself_are_inputs(watched: Watched) -> None:
    capture = watched.run(through("TestOpensFolder", 1, directory="frames"))
    folder = watched.comfy.base / "input" / "frames"
    opened = {name: digest for name, digest in used(capture).items() if name.startswith("frames/")}
    assert opened == {f"frames/{path.name}": digest_of_file(path) for path in folder.iterdir()}
    assert reasons(capture) == []


def test_a_folder_that_is_read_unseen_is_named_and_the_segment_is_unknown(watched: Watched) -> None:
    capture = watched.run(through("TestHidesFolder", 2, directory="frames"))
    expected = "node 60 (TestHidesFolder): it reads the folder 'frames', and which files it reads is not observed"
    assert reasons(capture) == [expected]
    take = watched.take(1)
    assert (take["state"], take["take"]["evidence"]) == ("unknown", "matched_by_name")
    assert expected in take["take"]["missing"]


def test_a_lora_that_a_text_names_and_no_node_loads_is_named(watched: Watched) -> None:
    capture = watched.run(through("TestNamesLora", 3, text="rain <lora:mara_v2:0.8> <lora:mara_v1:1> <lora:none:1>"))
    (reason,) = reasons(capture)
    assert reason.startswith("node 60 (TestNamesLora): it names the LoRA 'mara_v2'")


def test_a_branch_that_a_switch_did_not_take_is_no_input(watched: Watched) -> None:
    graph = video(PREFIX, seed=4)
    graph["61"] = node("LoraLoaderModelOnly", model=("1", 0), lora_name="mara_v2.safetensors", strength_model=1.0)
    graph["62"] = node("TestSwitch", first=("2", 0), other=("61", 0))
    graph["3"]["inputs"]["model"] = ["62", 0]
    for seed in (4, 5):  # the second time the loaders and the switch answer from the cache
        graph["10"]["inputs"]["seed"] = seed
        capture = watched.run(graph)
        assert capture["state"] == "recorded", capture["why"]
        assert capture["record"]["idle_nodes"] == ["61"]
        assert capture["record"]["idle_inputs"] == {"62": ["other"]}
        assert "mara_v2.safetensors" not in used(capture)
        assert reasons(capture) == []
        inputs = watched.take(1)["receipt"]["document"]["inputs"]
        assert [line["name"] for line in inputs if line["role"] == "lora"] == ["mara_v1"]


def test_a_branch_of_an_earlier_run_that_is_still_cached_is_no_input(watched: Watched) -> None:
    other = video(PREFIX, "mara_v2.safetensors", seed=6)
    assert watched.run(other)["state"] == "recorded"
    graph = video(PREFIX, seed=7)
    graph["61"] = {**other["2"]}
    graph["62"] = node("TestSwitch", first=("2", 0), other=("61", 0))
    graph["3"]["inputs"]["model"] = ["62", 0]
    capture = watched.run(graph)
    assert capture["record"]["idle_nodes"] == ["61"]
    assert "mara_v2.safetensors" not in used(capture)
