"""The digest of a file is that of the bytes that were held, or there is none, whatever happens to the path."""

import gc
import hashlib
import json
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from comfyui.files import TOO_FRESH, WRITTEN, Files, Held, hash_descriptor
from comfyui.stamps import FRESH_NS, stamp_of, unwritten

V1, V2 = b"weights, first" * 1000, b"weights, other" * 1000


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> Generator[Files]:
    opened = Files(tmp_path / "digests.json")
    yield opened
    opened.close()


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    path = tmp_path / "rain.safetensors"
    path.write_bytes(V1)
    return path


def settled(held: Held) -> tuple[str | None, str | None]:
    assert held.settled.wait(30)
    return held.digest, held.missing


def rename_over(path: Path) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(V2)
    temporary.replace(path)


def move_aside(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def write_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(V2)


def write_and_restore_times(path: Path) -> None:
    before = path.stat()
    write_in_place(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def truncate(path: Path) -> None:
    os.truncate(path, 10)


HARMLESS: list[Callable[[Path], None]] = [rename_over, move_aside, Path.unlink]
HARMFUL: list[Callable[[Path], None]] = [write_in_place, write_and_restore_times, append, truncate]


@pytest.mark.parametrize("change", HARMLESS)
def test_changes_to_the_path_do_not_change_the_digest(lora: Path, change: Callable[[Path], None]) -> None:
    held = Held(str(lora), os.open(lora, os.O_RDONLY))
    change(lora)
    assert hash_descriptor(held, lambda: held.reason_now() is None) == digest(V1)


@pytest.mark.parametrize("change", HARMFUL)
def test_changes_to_the_bytes_remove_the_digest(lora: Path, files: Files, change: Callable[[Path], None]) -> None:
    held = files.hold(str(lora))
    assert settled(held) == (digest(V1), None)
    change(lora)
    assert held.reason_now() == WRITTEN


@pytest.mark.parametrize("change", [*HARMFUL, *HARMLESS])
def test_a_change_of_bytes_between_two_chunks_is_noticed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    lora, content = tmp_path / "large", V1 * 200
    lora.write_bytes(content)
    held = Held(str(lora), os.open(lora, os.O_RDONLY))
    time.sleep(FRESH_NS / 1e9)  # so that its times show the change
    checks = 0

    def change_once() -> bool:
        nonlocal checks
        checks += 1
        if checks == 2:
            change(lora)
        return held.reason_now() is None

    result = hash_descriptor(held, change_once)
    assert result == (digest(content) if change in HARMLESS else None)


def test_a_file_that_was_just_written_is_held_once_its_times_show_changes(lora: Path, files: Files) -> None:
    lora.write_bytes(V1)
    held = files.hold(str(lora))
    assert held.stamp.age_ns() >= FRESH_NS
    assert settled(held) == (digest(V1), None)


def test_a_file_that_keeps_changing_has_no_digest(lora: Path, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def written_meanwhile(seconds: float) -> None:
        lora.write_bytes(V1)

    monkeypatch.setattr(time, "sleep", written_meanwhile)
    lora.write_bytes(V1)
    held = files.hold(str(lora))
    monkeypatch.undo()
    assert settled(held) == (None, TOO_FRESH)


def test_equal_files_share_a_descriptor_and_release_it(lora: Path, files: Files) -> None:
    def open_descriptors() -> int:
        gc.collect()
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = open_descriptors()
    first, second = files.hold(str(lora)), files.hold(str(lora))
    assert first is second
    settled(first)
    assert open_descriptors() == before + 1
    del first, second
    until = time.monotonic() + 10
    while open_descriptors() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert open_descriptors() == before


def test_digests_are_stored_by_stamp_once_the_file_is_old_enough(lora: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    long_ago = time.time_ns() - 10**10
    os.utime(lora, ns=(long_ago, long_ago))
    first = Files(memory)
    settled(first.hold(str(lora)))
    first.close()
    assert not memory.exists(), "its change time is too young to be trusted"
    memory.write_text(json.dumps({stamp_of(str(lora)).key: "sha256:" + "0" * 64}))
    second = Files(memory)
    assert settled(second.hold(str(lora))) == ("sha256:" + "0" * 64, None), "what is remembered is not read again"
    second.close()


def test_an_unreadable_memory_is_replaced(lora: Path, tmp_path: Path) -> None:
    for content in (b"\xff", b"[]", b"{"):
        (tmp_path / "memory.json").write_bytes(content)
        opened = Files(tmp_path / "memory.json")
        assert settled(opened.hold(str(lora))) == (digest(V1), None)
        opened.close()


def test_a_digest_finds_its_file_until_the_file_changes(lora: Path, files: Files) -> None:
    settled(files.hold(str(lora)))
    assert files.find(digest(V1)) == str(lora)
    assert files.digests() == {digest(V1): str(lora)}
    rename_over(lora)
    assert files.find(digest(V1)) is None
    assert files.digests() == {}


def test_a_path_is_the_same_until_its_file_is_replaced(lora: Path, files: Files) -> None:
    assert not files.always_the_same(str(lora)), "never seen"
    files.hold(str(lora))
    files.hold(str(lora))
    assert files.always_the_same(str(lora))
    rename_over(lora)
    files.hold(str(lora))
    assert not files.always_the_same(str(lora))


def test_an_unexplained_new_change_time_is_suspicious(lora: Path) -> None:
    before = stamp_of(str(lora))
    later = before._replace(ctime_ns=before.ctime_ns + 1)
    assert not unwritten(before, later, str(lora))
    assert unwritten(before, later._replace(links=0), str(lora))
    move_aside(lora)
    assert unwritten(before, later, str(lora))
