"""Folders of this machine, looked at and sent to a server that cannot see them."""

import os
import time
from itertools import count
from pathlib import Path

import pytest

from genlock.client import Genlock
from genlock.errors import Denied
from genlock.sdk.scanning import memory_of
from genlock.watching.model import Scan, ScannedFile, ScanOutcome, sentence_of

_numbers = count(1)


@pytest.fixture
def name() -> str:
    """The name of an asset that no other test has."""
    return f"scanned{next(_numbers)}"


def lora(folder: Path, name: str, content: bytes) -> Path:
    """A file that was written a while ago: by the times a file has, which is what is gone by."""
    path = folder / "models" / "loras" / f"{name}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def look(gl: Genlock, folder: Path) -> Scan:
    """Look until nothing remains; the last look, with the news of all."""
    news: list[ScannedFile] = []
    while True:
        scan = gl.send_folders(folder, memory=memory_of(folder, "http://there"))
        news += scan.news
        if not scan.remaining:
            return scan.model_copy(update={"news": tuple(news)})
        time.sleep(0.2)


def test_new_and_changed_files_are_sent_and_known_ones_are_not(gl: Genlock, tmp_path: Path, name: str) -> None:
    path = lora(tmp_path, name, b"rain 1")
    first = gl.send_folders(tmp_path, memory=memory_of(tmp_path, "http://there"))
    assert (first.files, first.settling, first.news) == (1, 1, ()), "it may still be being written"
    (news,) = look(gl, tmp_path).news
    assert (news.outcome, news.name, news.version, news.active) == (ScanOutcome.CREATED, name, 1, True)
    again = look(gl, tmp_path)
    assert (again.unchanged, again.news) == (1, ())

    before = path.stat()
    path.write_bytes(b"rain 2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (news,) = look(gl, tmp_path).news
    assert (news.version, news.replaced, news.active) == (2, 1, True)
    assert sentence_of(news) == f"lora:{name}@2 is new and active, in the place of v1."
    path.touch()
    assert look(gl, tmp_path).news == ()
    path.write_bytes(b"rain 1")
    (news,) = look(gl, tmp_path).news
    assert (news.outcome, news.version, news.active) == (ScanOutcome.EXISTS, 1, True)
    path.unlink()
    (news,) = look(gl, tmp_path).news
    assert news.outcome is ScanOutcome.GONE


def test_what_a_person_chose_stays_and_names_are_told_apart(gl: Genlock, tmp_path: Path, name: str) -> None:
    path = lora(tmp_path, name, b"rain 1")
    asset = gl.ensure_asset("lora", name)
    for content in (b"rain 1", b"rain 2"):
        path.write_bytes(content)
        gl.add_version(asset, path)
    path.write_bytes(b"rain 1")
    other = path.parent / "wan" / path.name
    other.parent.mkdir()
    other.write_bytes(b"of wan")
    found = {one.name: one for one in look(gl, tmp_path).news}
    assert (found[name].outcome, found[name].version, found[name].active) == (ScanOutcome.EXISTS, 1, False)
    assert found[f"{name} (wan)"].outcome is ScanOutcome.CREATED
    assert gl.asset(f"lora:{name}").active_version == 2


def test_what_is_refused_is_told_once(gl: Genlock, tmp_path: Path, name: str) -> None:
    path = lora(tmp_path, name, b"half").rename(tmp_path / "models" / "loras" / f"{name}.safetensors")
    (news,) = look(gl, tmp_path).news
    assert news.outcome is ScanOutcome.REFUSED and news.why and path.name in news.why
    assert look(gl, tmp_path).news == ()


def test_a_memory_that_is_lost_or_broken_costs_a_reading(gl: Genlock, tmp_path: Path, name: str) -> None:
    lora(tmp_path, name, b"rain 1")
    look(gl, tmp_path)
    memory = memory_of(tmp_path, "http://there")
    memory.write_text("{")
    (news,) = look(gl, tmp_path).news
    assert (news.outcome, news.version) == (ScanOutcome.EXISTS, 1)
    assert look(gl, tmp_path).news == ()


def test_the_server_looks_only_where_it_may(gl: Genlock, tmp_path: Path) -> None:
    with pytest.raises(Denied) as denied:
        gl.scan(tmp_path)
    assert denied.value.code == "outside_roots"
