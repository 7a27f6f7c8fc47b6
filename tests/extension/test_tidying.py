"""Staged files that are no longer used are removed when space is needed, and none that is in use."""

import os
import time
from pathlib import Path

import pytest
from comfyui.tidying import JUST_USED_S, StagedFile, Tidying, files_to_remove, names_in

DIGITS = "0123456789abcdef"


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, list[str]]:
    return {"loras": [str(tmp_path / "loras"), str(tmp_path / "more")], "vae": [str(tmp_path / "vae")], "none": []}


def staged(folders: dict[str, list[str]], category: str, number: int, unused_s: float) -> Path:
    """Write a staged file of ten bytes that has not been used for ``unused_s``."""
    path = Path(folders[category][0]) / "genlock" / (DIGITS[number] * 16) / "a.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"0123456789")
    at = time.time() - unused_s
    os.utime(path, (at, at))
    return path


def name_of(path: Path) -> str:
    return f"genlock/{path.parent.name}/{path.name}"


def test_the_least_recently_used_files_are_removed_and_none_in_use(
    tmp_path: Path, folders: dict[str, list[str]]
) -> None:
    old, older, oldest = (staged(folders, "loras", number, number * JUST_USED_S) for number in (2, 3, 4))
    elsewhere = staged(folders, "vae", 5, 5 * JUST_USED_S)
    others = Path(folders["loras"][0]) / "genlock" / ("a" * 32) / "of a worker.safetensors"
    others.parent.mkdir()
    others.write_bytes(b"0" * 100)
    new = staged(folders, "loras", 1, 0)
    tidying = Tidying(tmp_path / "staged.json", lambda: {name_of(elsewhere)})
    tidying.make_room(folders, "loras", name_of(new), 30)
    assert [path.exists() for path in (new, old, older, oldest, elsewhere, others)] == [
        True,
        True,
        *[False] * 2,
        True,
        True,
    ]
    assert not oldest.parent.exists()


def test_the_time_of_the_last_request_is_stored(tmp_path: Path, folders: dict[str, list[str]]) -> None:
    first, second = (staged(folders, "loras", number, number * JUST_USED_S) for number in (2, 3))
    Tidying(tmp_path / "staged.json", set).make_room(folders, "loras", name_of(second), 100)
    Tidying(tmp_path / "staged.json", set).make_room(folders, "loras", name_of(second), 10)
    assert (first.exists(), second.exists()) == (False, True)
    (tmp_path / "staged.json").write_text("[")
    Tidying(tmp_path / "staged.json", set).make_room(folders, "loras", name_of(second), 0)
    assert second.exists(), "it was just asked for, whatever the limit"


def test_no_more_files_are_removed_than_necessary() -> None:
    now = 10 * JUST_USED_S
    files = [StagedFile(Path(str(number)), f"{number}", 10, number) for number in range(3)]
    assert files_to_remove(files, 30, set(), now) == []
    assert [file.name for file in files_to_remove(files, 29, {"0"}, now)] == ["1"]
    assert files_to_remove(files, 0, set(), JUST_USED_S - 1) == []


def test_the_file_names_of_queued_prompts_are_collected() -> None:
    graph = {"2": {"inputs": {"lora_name": "genlock\\ab\\a.safetensors", "model": ["1", 0]}}, "3": {}}
    assert names_in([(0, "id", graph, {}, [])]) == {"genlock/ab/a.safetensors"}
