"""Folders of this machine, scanned and sent to a server that cannot read them."""

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
    """Return the name of an asset that no other test has."""
    return f"scanned{next(_numbers)}"


def lora(folder: Path, name: str, content: bytes) -> Path:
    """Write a file whose times say that it was written a while ago, so that it counts as finished."""
    path = folder / "models" / "loras" / f"{name}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def scan_all(gl: Genlock, folder: Path) -> Scan:
    """Scan until nothing remains; return the last scan with the changes of all."""
    changes: list[ScannedFile] = []
    while True:
        scan = gl.send_folders(folder, memory=memory_of(folder, "http://there"))
        changes += scan.changes
        if not scan.remaining:
            return scan.model_copy(update={"changes": tuple(changes)})
        time.sleep(0.2)


def test_new_and_changed_files_are_sent_and_known_ones_are_not(gl: Genlock, tmp_path: Path, name: str) -> None:
    path = lora(tmp_path, name, b"rain 1")
    first = gl.send_folders(tmp_path, memory=memory_of(tmp_path, "http://there"))
    assert (first.files, first.settling, first.changes) == (1, 1, ()), "it may still be being written"
    (change,) = scan_all(gl, tmp_path).changes
    assert (change.outcome, change.name, change.version, change.active) == (ScanOutcome.CREATED, name, 1, True)
    again = scan_all(gl, tmp_path)
    assert (again.unchanged, again.changes) == (1, ())

    before = path.stat()
    path.write_bytes(b"rain 2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (change,) = scan_all(gl, tmp_path).changes
    assert (change.version, change.replaced, change.active) == (2, 1, True)
    assert sentence_of(change) == f"lora:{name}@2 is new and active, in the place of v1."
    path.touch()
    assert scan_all(gl, tmp_path).changes == ()
    path.write_bytes(b"rain 1")
    (change,) = scan_all(gl, tmp_path).changes
    assert (change.outcome, change.version, change.active) == (ScanOutcome.EXISTS, 1, True)
    path.unlink()
    (change,) = scan_all(gl, tmp_path).changes
    assert change.outcome is ScanOutcome.GONE


def test_an_activated_version_stays_active_and_equal_file_names_are_distinguished(
    gl: Genlock, tmp_path: Path, name: str
) -> None:
    path = lora(tmp_path, name, b"rain 1")
    asset = gl.ensure_asset("lora", name)
    for content in (b"rain 1", b"rain 2"):
        path.write_bytes(content)
        gl.add_version(asset, path)
    path.write_bytes(b"rain 1")
    other = path.parent / "wan" / path.name
    other.parent.mkdir()
    other.write_bytes(b"of wan")
    changes = {change.name: change for change in scan_all(gl, tmp_path).changes}
    assert (changes[name].outcome, changes[name].version, changes[name].active) == (ScanOutcome.EXISTS, 1, False)
    assert changes[f"{name} (wan)"].outcome is ScanOutcome.CREATED
    assert gl.asset(f"lora:{name}").active_version == 2


def test_a_refused_file_is_reported_once(gl: Genlock, tmp_path: Path, name: str) -> None:
    path = lora(tmp_path, name, b"half").rename(tmp_path / "models" / "loras" / f"{name}.safetensors")
    (change,) = scan_all(gl, tmp_path).changes
    assert change.outcome is ScanOutcome.REFUSED and change.why and path.name in change.why
    assert scan_all(gl, tmp_path).changes == ()


def test_a_lost_or_broken_memory_only_costs_a_full_read(gl: Genlock, tmp_path: Path, name: str) -> None:
    lora(tmp_path, name, b"rain 1")
    scan_all(gl, tmp_path)
    memory = memory_of(tmp_path, "http://there")
    memory.write_text("{")
    (change,) = scan_all(gl, tmp_path).changes
    assert (change.outcome, change.version) == (ScanOutcome.EXISTS, 1)
    assert scan_all(gl, tmp_path).changes == ()


def test_the_server_scans_only_permitted_folders(gl: Genlock, tmp_path: Path) -> None:
    with pytest.raises(Denied) as denied:
        gl.scan(tmp_path)
    assert denied.value.code == "outside_roots"
