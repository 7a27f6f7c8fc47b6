"""What was staged and is not used any more makes room, and nothing that is in use does."""

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
    """A file of ten bytes, not used for so long."""
    path = Path(folders[category][0]) / "genlock" / (DIGITS[number] * 16) / "a.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"0123456789")
    at = time.time() - unused_s
    os.utime(path, (at, at))
    return path


def name_of(path: Path) -> str:
    return f"genlock/{path.parent.name}/{path.name}"


def test_what_was_unused_longest_goes_and_what_is_in_use_stays(tmp_path: Path, folders: dict[str, list[str]]) -> None:
    old, older, oldest = (staged(folders, "loras", number, number * JUST_USED_S) for number in (2, 3, 4))
    elsewhere = staged(folders, "vae", 5, 5 * JUST_USED_S)
    others = Path(folders["loras"][0]) / "genlock" / ("a" * 32) / "of a worker.safetensors"
    others.parent.mkdir()
    others.write_bytes(b"0" * 100)
    new = staged(folders, "loras", 1, 0)
    made = Tidying(tmp_path / "staged.json", lambda: {name_of(elsewhere)})
    made.make_room(folders, "loras", name_of(new), 30)
    assert [path.exists() for path in (new, old, older, oldest, elsewhere, others)] == [
        True,
        True,
        *[False] * 2,
        True,
        True,
    ]
    assert not oldest.parent.exists()


def test_when_what_was_asked_for_is_remembered(tmp_path: Path, folders: dict[str, list[str]]) -> None:
    first, second = (staged(folders, "loras", number, number * JUST_USED_S) for number in (2, 3))
    Tidying(tmp_path / "staged.json", set).make_room(folders, "loras", name_of(second), 100)
    Tidying(tmp_path / "staged.json", set).make_room(folders, "loras", name_of(second), 10)
    assert (first.exists(), second.exists()) == (False, True)
    (tmp_path / "staged.json").write_text("[")
    Tidying(tmp_path / "staged.json", set).make_room(folders, "loras", name_of(second), 0)
    assert second.exists(), "it was just asked for, whatever the limit"


def test_nothing_goes_that_need_not() -> None:
    now = 10 * JUST_USED_S
    there = [StagedFile(Path(str(number)), f"{number}", 10, number) for number in range(3)]
    assert files_to_remove(there, 30, set(), now) == []
    assert [one.name for one in files_to_remove(there, 29, {"0"}, now)] == ["1"]
    assert files_to_remove(there, 0, set(), JUST_USED_S - 1) == []


def test_the_names_in_the_queue() -> None:
    graph = {"2": {"inputs": {"lora_name": "genlock\\ab\\a.safetensors", "model": ["1", 0]}}, "3": {}}
    assert names_in([(0, "id", graph, {}, [])]) == {"genlock/ab/a.safetensors"}
