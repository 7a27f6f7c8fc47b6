"""Workflows as ComfyUI's page saves them, on the command line."""

import json
import threading
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.graphs.editor_files import OBJECT_INFO, node, workflow

SAVED = workflow(
    [node(1, "Image", ["x.png", "image"]), node(2, "SaveVideo", ["out"], links={"images": 1})], [[1, 1, 0, 2, 0]]
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Write a workflow as the page saves it, next to a server's definitions."""
    (tmp_path / "object_info").write_text(json.dumps(OBJECT_INFO | {"Unused": {"input": {}}}))
    path = tmp_path / "saved_v1.json"
    path.write_text(json.dumps(SAVED))
    return path


@pytest.fixture
def comfyui_url(saved: Path) -> Generator[str]:
    """Serve the definitions as ComfyUI does."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(saved.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("from_url", [True, False])
def test_both_forms_are_kept_and_downloaded(
    genlock: Run, film: str, saved: Path, tmp_path: Path, comfyui_url: str, from_url: bool
) -> None:
    mine = ("--project", film)
    source = comfyui_url if from_url else str(saved.parent / "object_info")

    added = genlock("asset", "add", str(saved), "--kind", "workflow", "--comfyui", source, *mine)

    assert added.code == 0, added.err
    shown = genlock("workflow", "show", "saved", *mine)
    assert "as ComfyUI's page saved it: saved_v1.json, with the definitions" in " ".join(shown.out.split())
    editor, api = tmp_path / "editor.json", tmp_path / "api.json"
    assert genlock("workflow", "download", "saved@1", str(editor), *mine).code == 0
    assert genlock("workflow", "download", "saved@1", str(api), "--api", *mine).code == 0
    assert editor.read_bytes() == saved.read_bytes()
    assert json.loads(api.read_bytes())["2"]["inputs"] == {"filename_prefix": "out", "images": ["1", 0]}


def test_a_refusal_names_what_is_missing_and_the_remedy(genlock: Run, film: str, saved: Path) -> None:
    mine = ("--kind", "workflow", "--project", film)
    without = genlock("asset", "add", str(saved), *mine)
    away = genlock("asset", "add", str(saved), *mine, "--comfyui", "http://127.0.0.1:9")
    unreadable = genlock("asset", "add", str(saved), *mine, "--comfyui", str(saved.parent / "none.json"))

    assert without.code and "--comfyui URL" in without.err
    assert away.code and "ComfyUI at http://127.0.0.1:9 does not answer" in away.err
    assert unreadable.code and "none.json cannot be read" in unreadable.err
