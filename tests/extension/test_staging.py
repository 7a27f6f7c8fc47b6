"""Files are fetched from Genlock under a name derived from their content: complete, verified and read-only."""

import hashlib
from pathlib import Path

import pytest
from comfyui.config import Config
from comfyui.environment import shown_flags
from comfyui.place import place_in
from comfyui.routes import name_in
from comfyui.staging import Unstaged, stage, staged_name
from comfyui.start import notice_of
from tests.capture.runs import video
from tests.conftest import LiveServer

from genlock.blobs.disk import DiskStore


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, list[str]]:
    for name in ("loras", "more"):
        (tmp_path / name).mkdir()
    return {"loras": [str(tmp_path / "loras"), str(tmp_path / "more")]}


@pytest.fixture
def stored(live_server: LiveServer) -> str:
    """Return the digest of some bytes that Genlock has."""
    with live_server.client() as client:
        asset = client.post("/api/v1/assets", json={"kind": "other", "name": "rain"}).json()
        answer = client.post(f"/api/v1/assets/{asset['id']}/versions", files={"file": ("rain.bin", video())})
        return answer.json()["version"]["digest"]


def everything(folders: dict[str, list[str]]) -> list[Path]:
    return [path for path in Path(folders["loras"][0]).rglob("*") if path.is_file()]


def test_a_file_is_staged_once_and_read_only(
    live_server: LiveServer, stored: str, folders: dict[str, list[str]]
) -> None:
    config = Config(live_server.url, live_server.token, "")
    first = stage(config, folders, "loras", stored, "rain.safetensors")
    assert first["name"] == f"genlock/{stored[7:23]}/rain.safetensors"
    (path,) = everything(folders)
    assert path == Path(folders["loras"][0]) / first["name"]
    assert "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest() == stored
    assert path.stat().st_mode & 0o222 == 0
    again = stage(config, folders, "loras", stored, "rain.safetensors")
    assert (first["outcome"], again["outcome"]) == ("staged", "exists")
    path.chmod(0o644)
    path.write_bytes(b"somebody wrote to it")
    with pytest.raises(Unstaged, match="other bytes"):
        stage(config, folders, "loras", stored, "rain.safetensors")


def test_an_unchanged_file_is_not_read_again(
    live_server: LiveServer, stored: str, folders: dict[str, list[str]]
) -> None:
    config = Config(live_server.url, live_server.token, "")
    first = stage(config, folders, "loras", stored, "rain.safetensors")
    (path,) = everything(folders)
    path.chmod(0o644)
    path.write_bytes(b"somebody wrote to it")
    queries: list[tuple[str, str]] = []

    def is_known(*file: str) -> bool:
        queries.append((file[0], file[1]))
        return True

    again = stage(config, folders, "loras", stored, "rain.safetensors", is_known)
    assert (queries, again["name"], again["outcome"]) == ([(str(path), stored)], first["name"], "exists")


def test_a_failed_staging_leaves_no_file(
    live_server: LiveServer, stored: str, folders: dict[str, list[str]], store: DiskStore
) -> None:
    good = Config(live_server.url, live_server.token, "")
    nowhere = "sha256:" + "0" * 64
    for config, category, digest in (
        (good, "loras", nowhere),
        (good, "no such folder", stored),
        (good, "../loras", stored),
        (good._replace(token="gl_nobody"), "loras", stored),
        (good._replace(url="http://127.0.0.1:1"), "loras", stored),
        (Config(), "loras", stored),
    ):
        with pytest.raises(Unstaged):
            stage(config, folders, category, digest, "rain.safetensors")
        assert everything(folders) == []


@pytest.mark.parametrize(
    ("digest", "name"),
    [
        *(("sha256:" + "1" * 64, name) for name in ("", "..", ".hidden", "a/b", "a\\b", "a\0b", "c:x", "x" * 201)),
        ("sha256:" + "1" * 63, "a"),
        ("sha256:" + "G" * 64, "a"),
        ("../../etc", "a"),
    ],
)
def test_names_that_could_lead_elsewhere_are_refused(digest: str, name: str) -> None:
    with pytest.raises(Unstaged):
        staged_name(digest, name)


def test_a_path_is_named_as_a_graph_chooses_it() -> None:
    categories = {"vae": ["/m/vae"], "loras": ["/m/loras", "/more"]}
    assert name_in("/more/a/b.pt", categories) == {"category": "loras", "name": "a/b.pt"}
    assert name_in("/m/loras2/b.pt", categories) is None


def test_secrets_in_flags_are_not_recorded() -> None:
    flags = ["--cpu", "--api-key", "abc", "--some-token=abc", "--port", "8188"]
    assert shown_flags(flags) == ["--cpu", "--api-key", "…", "--some-token=…", "--port", "8188"]


def test_the_place_comes_from_a_single_node() -> None:
    inputs = {"project": "rooftop", "scene": " night ", "segment": 3}
    node = {"class_type": "GenlockPlace", "inputs": inputs}
    place = {"project": "rooftop", "scene": "night", "segment": "3"}
    assert place_in({"1": node, "2": node, "3": {"class_type": "Other", "inputs": {}}}, {}) == place
    linked = {"class_type": "GenlockPlace", "inputs": {**inputs, "segment": ["7", 0]}}
    assert place_in({"1": linked}, {"1": {"segment": "4"}}) == {**place, "segment": "4"}
    assert place_in({"1": linked}, {}) is None
    assert place_in({"1": node, "2": {**node, "inputs": {**inputs, "segment": 4}}}, {}) is None
    assert place_in({"1": {**node, "inputs": {**inputs, "scene": ""}}}, {}) is None


def test_a_notice_has_the_receipt_and_the_warnings() -> None:
    answer = {"run": "a", "capture": {"state": "recorded", "receipt_id": 7, "place": None}, "warnings": ["one"]}
    notice = notice_of({"prompt_id": "p"}, answer, ["rain.safetensors"], "http://genlock")
    assert (notice["receipt_id"], notice["state"], notice["prompt_id"]) == (7, "recorded", "p")
    assert notice["for_review"] is None
    reviewed = {"capture": {"state": "recorded", "for_review": True, "why": "Take 2 is for review."}}
    shown = notice_of({"prompt_id": "p"}, reviewed, [], "")
    assert (shown["for_review"], shown["why"]) == (True, "Take 2 is for review.")
    assert notice["warnings"] == [
        "one",
        "rain.safetensors was replaced on disk: this run used the one that was loaded before",
    ]
