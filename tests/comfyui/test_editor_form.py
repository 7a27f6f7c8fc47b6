"""A real ComfyUI writes the editor's form of a render, with its values, into the file that it generates."""

import json
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from tests.comfyui.server import ComfyServer
from tests.graphs.editor_files import node, workflow

from genlock.engines.comfyui.binding import written
from genlock.engines.comfyui.engine import ComfyUIEngine
from genlock.engines.model import DEFINITIONS, EDITOR, EngineInput, RenderSpec
from genlock.graphs.editor_conversion import convert_editor_file
from genlock.graphs.node_definitions import read_definitions

pytestmark = pytest.mark.long


def _saved() -> dict[str, Any]:
    return workflow(
        [
            node(1, "EmptyImage", [64, 64, 4, 0], gives=["IMAGE"]),
            node(2, "CreateVideo", [8.0], links={"images": 1}, gives=["VIDEO"]),
            node(3, "SaveVideo", ["walk", "mp4", "h264"], links={"video": 2}),
            node(4, "MarkdownNote", ["Drawn by a person"]),
        ],
        [[1, 1, 0, 2, 0], [2, 2, 0, 3, 0]],
    )


@pytest.fixture
def object_info(comfyui_server: ComfyServer) -> Any:
    """Return the definitions of the server's nodes."""
    return httpx.get(f"{comfyui_server.url}/object_info", timeout=60).json()


async def test_the_take_opens_as_its_creator_drew_it(
    comfyui_server: ComfyServer, object_info: Any, tmp_path: Path
) -> None:
    reported: list[float] = []

    def report(progress: float, message: str) -> None:
        reported.append(progress)

    graph = written(convert_editor_file(_saved(), read_definitions(object_info), "walk.json"))
    files = {"workflow": graph, f"workflow{EDITOR}": _saved(), f"workflow{DEFINITIONS}": object_info}
    paths: dict[str, Path] = {}
    for number, (key, content) in enumerate(files.items()):
        paths[key] = tmp_path / f"{number}.json"
        paths[key].write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    (tmp_path / "work").mkdir()
    spec = RenderSpec(
        run="editor-form",
        workdir=tmp_path / "work",
        inputs=(EngineInput(key="workflow", role="workflow"),),
        parameters={"fps": 12},
    )

    rendered = await ComfyUIEngine(comfyui_server.url).render(spec, paths, report)

    assert reported[-1] == 1.0
    with av.open(rendered.outputs["video"].path) as video:
        opened = json.loads(video.metadata["workflow"])
    assert [entry["type"] for entry in opened["nodes"]] == ["EmptyImage", "CreateVideo", "SaveVideo", "MarkdownNote"]
    assert opened["nodes"][1]["widgets_values"] == [12]
    again = convert_editor_file(opened, read_definitions(object_info), "opened.json")
    ran = json.loads(rendered.graph)
    assert {key: again[key]["inputs"] for key in ran} == {key: entry["inputs"] for key, entry in ran.items()}
