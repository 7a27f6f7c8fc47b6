"""The files that an open graph names, as the extension resolves them: only below ComfyUI's folders, within bounds."""

import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from comfyui.asking import Unanswered, ask
from comfyui.config import Config
from comfyui.files import Files
from comfyui.open_graph import MOST_FILES, files_in, with_digests
from tests.conftest import LiveServer


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, list[str]]:
    for name in ("loras", "vae", "input", "output"):
        (tmp_path / name / "sub").mkdir(parents=True)
    return {name: [str(tmp_path / name)] for name in ("loras", "vae", "input", "output")}


@pytest.fixture
def files() -> Generator[Files]:
    opened = Files()
    yield opened
    opened.close()


def write(folders: dict[str, list[str]], category: str, name: str, content: bytes = b"weights") -> Path:
    path = Path(folders[category][0]) / name
    path.write_bytes(content)
    return path


def graph(**inputs: Any) -> dict[str, Any]:
    return {"2": {"class_type": "Loader", "inputs": inputs}}


def test_names_are_resolved_by_category(folders: dict[str, list[str]]) -> None:
    rain, coat = write(folders, "loras", "sub/rain.safetensors"), write(folders, "input", "coat.png")
    saved = write(folders, "output", "walk.png")
    named = files_in(
        graph(
            lora="sub/rain.safetensors",
            image="coat.png",
            last="walk.png [output]",
            row={"on": True, "lora": "sub/rain.safetensors"},
            text="a walk. In the rain.",
            gone="gone.safetensors",
            plain="walk.png",
            link=["1", 0],
        ),
        folders,
    )
    assert [(file.input, file.category, file.path, file.name) for file in named] == [
        ("lora", "loras", str(rain), "sub/rain.safetensors"),
        ("image", "input", str(coat), "coat.png"),
        ("last", "output", str(saved), "walk.png"),
        ("row", "loras", str(rain), "sub/rain.safetensors"),
    ]


def test_a_name_of_two_categories_has_no_digest(folders: dict[str, list[str]], files: Files) -> None:
    for category in ("loras", "vae"):
        write(folders, category, "same.safetensors", category.encode())
    named = files_in(graph(name="same.safetensors"), folders)
    assert [(file.name, file.path) for file in named] == [("same.safetensors", None)]
    assert with_digests(named, files, 1) == ([], 0)


@pytest.mark.parametrize(
    "name", ["../secret.txt", "sub/../../secret.txt", "{root}/secret.txt", "../input/../secret.txt"]
)
def test_a_name_that_leads_out_of_the_folders_is_not_a_file(
    tmp_path: Path, folders: dict[str, list[str]], name: str
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    assert files_in(graph(name=name.format(root=tmp_path)), folders) == []


def test_what_is_no_graph_names_no_file_and_many_are_bounded(folders: dict[str, list[str]]) -> None:
    write(folders, "loras", "a.bin")
    graphs: list[dict[str, Any]] = [
        {},
        {"1": 5},
        {"1": {"inputs": []}},
        {"1": {"inputs": {"a": None, "b": "x\0.bin", "c": "." * 9999}}},
    ]
    for strange in graphs:
        assert files_in(strange, folders) == []
    many = {str(number): {"inputs": {"name": "a.bin"}} for number in range(MOST_FILES + 5)}
    assert len(files_in(many, folders)) == MOST_FILES


def test_files_have_the_digests_of_their_bytes_now(folders: dict[str, list[str]], files: Files) -> None:
    path = write(folders, "loras", "rain.safetensors", b"v1")
    named = files_in(graph(lora="rain.safetensors"), folders)
    for content in (b"v1", b"version 2"):
        path.unlink()
        path.write_bytes(content)
        ((entry,), pending) = with_digests(named, files, 10)
        assert (entry["digest"], pending) == ("sha256:" + hashlib.sha256(content).hexdigest(), 0)
        assert (entry["node"], entry["input"], entry["category"]) == ("2", "lora", "loras")
    path.unlink()
    assert with_digests(named, files, 10) == ([], 0)


def test_a_file_that_is_not_hashed_in_time_is_pending(folders: dict[str, list[str]], files: Files) -> None:
    with write(folders, "loras", "large.bin").open("wb") as large:
        large.truncate(512 * 2**20)
    entries, pending = with_digests(files_in(graph(lora="large.bin"), folders), files, 0)
    assert (entries, pending) == ([], 1)


def test_genlock_is_asked_with_the_token_and_its_absence_is_reported(live_server: LiveServer) -> None:
    config = Config(live_server.url, live_server.token)
    status, answer = ask(config, "GET", "/api/v1/me")
    assert (status, answer["role"]) == (200, "admin")
    assert ask(config._replace(token="gl_wrong"), "GET", "/api/v1/me")[0] == 401
    status, answer = ask(config, "POST", "/api/v1/captures:check", {"graph": {}})
    assert (status, answer["code"]) == (422, answer["code"])
    for wrong in (Config(), Config("http://127.0.0.1:1", "gl_x")):
        with pytest.raises(Unanswered):
            ask(wrong, "GET", "/api/v1/me")
