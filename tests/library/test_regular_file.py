"""Opening files in folders that others write to: everything but the folder's own regular files is refused."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from genlock import regular_file
from genlock.errors import Denied, GenlockError, Invalid
from genlock.regular_file import open_below, open_folder_below, open_regular

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
NOBODY = 65_534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file two levels down, next to a secret."""
    (tmp_path / "models" / "loras").mkdir(parents=True)
    (tmp_path / "models" / "loras" / "rain.bin").write_bytes(b"rain")
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path / "models"


def read(path: Path, *roots: Path) -> bytes:
    with open_below(path, roots) as source:
        return source.read()


def test_a_file_below_a_root_is_opened_also_where_the_root_itself_is_a_link(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    assert read(root / "loras" / "rain.bin", root) == b"rain"
    assert read(root / "loras" / "rain.bin", root.parent / "link") == b"rain"


@pytest.mark.parametrize("path", ["../secret", "loras/../../secret", "/etc/hostname"])
def test_what_is_not_below_a_root_is_refused(root: Path, path: str) -> None:
    with pytest.raises(Denied) as refused:
        read(root / path, root)
    assert refused.value.code == "outside_roots"


def test_links_are_refused_wherever_they_lead(root: Path) -> None:
    (root / "file").symlink_to(root / "loras" / "rain.bin")
    (root / "folder").symlink_to(root / "loras")
    (root / "nowhere").symlink_to(root / "nothing")
    (root / "round").symlink_to(root / "round")
    for path in (root / "file", root / "folder" / "rain.bin", root / "nowhere", root / "round"):
        with pytest.raises(Denied, match="symbolic link") as refused:
            read(path, root)
        assert refused.value.code == "linked_file"
    with pytest.raises(Denied, match="symbolic link"), open_folder_below(root / "folder", [root]):
        pass


def test_only_regular_files_are_opened(root: Path) -> None:
    os.mkfifo(root / "pipe")
    for path in (root / "pipe", root / "loras", root):
        with pytest.raises(Invalid, match="not a regular file"):
            read(path, root)
        with pytest.raises(Invalid, match="not a regular file"):
            open_regular(path)
    with pytest.raises(Invalid, match="not a regular file"):
        open_regular(Path("/dev/zero"))


def test_what_is_not_there_is_an_ordinary_error(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(root / "loras" / "snow.bin", root)
    with pytest.raises(NotADirectoryError):
        read(root / "loras" / "rain.bin" / "below", root)


def test_a_pipe_that_takes_the_place_of_a_checked_file_does_not_block(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It appears between the check and the opening."""
    path = root / "loras" / "rain.bin"
    stat = regular_file.os.stat

    def replace_after_stat(*args: object, **options: object) -> os.stat_result:
        status = stat(*args, **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
        path.unlink()
        os.mkfifo(path)
        return status

    with monkeypatch.context() as patched:
        patched.setattr(regular_file.os, "stat", replace_after_stat)
        with pytest.raises(Invalid, match="not a regular file"):
            read(path, root)


@needs_root
def test_a_hard_link_to_a_file_of_another_user_is_refused(root: Path) -> None:
    foreign, own = root.parent / "foreign", root.parent / "own"
    foreign.write_bytes(b"secret")
    own.write_bytes(b"mine")
    for owned in (root, own):
        os.chown(owned, NOBODY, NOBODY)
    (root / "foreign.bin").hardlink_to(foreign)
    (root / "own.bin").hardlink_to(own)
    with pytest.raises(Denied, match="hard link") as refused:
        read(root / "foreign.bin", root)
    assert refused.value.code == "linked_file"
    assert read(root / "own.bin", root) == b"mine"
    assert read(root / "loras" / "rain.bin", root) == b"rain", "another user's file with one name was put there by them"


@pytest.mark.parametrize("swap", ["file", "folder"])
def test_a_race_never_leads_outside(root: Path, swap: str) -> None:
    """Another program exchanges a part of the path for a link again and again."""
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "rain.bin").write_bytes(b"secret")
    path = root / "loras" / "rain.bin"
    part, link_target = (path, outside / "rain.bin") if swap == "file" else (path.parent, outside)
    link, aside, ended = root / "link", root / "aside", threading.Event()
    link.symlink_to(link_target)

    def exchange() -> None:
        while not ended.is_set():
            for old, new in ((part, aside), (link, part), (part, link), (aside, part)):
                old.rename(new)

    exchanging = threading.Thread(target=exchange)
    exchanging.start()
    outcomes: set[str] = set()
    try:
        for _ in range(3000):
            outcomes.add(outcome(lambda: read(path, root)))
    finally:
        ended.set()
        exchanging.join()
    assert "secret" not in outcomes
    assert "rain" in outcomes and len(outcomes) > 1, outcomes


def outcome(reading: Callable[[], bytes]) -> str:
    try:
        return reading().decode()
    except (GenlockError, OSError) as error:
        return type(error).__name__
