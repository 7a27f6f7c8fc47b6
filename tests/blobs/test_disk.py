"""Specific to the store on disk: paths, permissions, full disks, file systems without links."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from genlock.blobs.disk import DiskStore
from genlock.blobs.os_errors import unavailable
from genlock.digest import digest_of
from genlock.errors import Unavailable


def test_a_blob_lies_under_its_first_two_digits_and_is_read_only(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "blobs")
    digest = store.put(b"hello").digest
    hexadecimal = digest.removeprefix("sha256:")
    path = tmp_path / "blobs" / hexadecimal[:2] / hexadecimal[2:]
    assert path.read_bytes() == b"hello"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.stat().st_nlink == 1
    assert stat.S_IMODE((tmp_path / "blobs").stat().st_mode) == 0o700


def test_an_existing_blob_keeps_its_inode_and_its_bytes(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    path = store.path_of(store.put(b"hello").digest)
    os.utime(path, (0, 0))
    before = path.stat()
    store.put(b"hello")
    after = path.stat()
    assert (before.st_ino, before.st_size, before.st_mode) == (after.st_ino, after.st_size, after.st_mode)
    assert after.st_mtime > before.st_mtime, "retention counts from the last upload"


def test_copies_have_no_link_to_the_store(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "blobs")
    digest = store.put(b"hello").digest
    store.copy_out(digest, tmp_path / "out")
    (tmp_path / "out").write_bytes(b"edited")
    assert store.read_verified(digest) == b"hello"


def test_strange_files_in_the_folders_are_not_blobs(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    digest = store.put(b"hello").digest
    (tmp_path / "ab" / ".DS_Store").write_bytes(b"")
    (tmp_path / "ab" / ("g" * 62)).write_bytes(b"")
    (tmp_path / "lost+found").mkdir()
    assert list(DiskStore(tmp_path).digests()) == [digest]


FILL = """
import resource, signal, sys
from pathlib import Path
from genlock.blobs.disk import DiskStore
from genlock.errors import Unavailable

store = DiskStore(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
try:
    with store.begin() as draft:
        for _ in range(5):
            draft.write(bytes(1_000_000))
except Unavailable as error:
    print(error.code, error.message, "|", error.hint)
"""


def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    """The kernel's own refusal: a limit on the size of files stops the write in the middle of a chunk."""
    done = subprocess.run([sys.executable, "-c", FILL, tmp_path], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.startswith("disk_full There is no room left for storing an upload")
    assert "Free space" in done.stdout
    assert list((tmp_path / "incoming").iterdir()) == []
    assert list(DiskStore(tmp_path).digests()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_way_of_being_full_reads_the_same(number: int) -> None:
    assert unavailable(OSError(number, os.strerror(number)), "storing an upload").code == "disk_full"


def test_other_troubles_name_the_reason() -> None:
    error = unavailable(OSError(errno.EROFS, os.strerror(errno.EROFS)), "storing an upload")
    assert (error.code, error.http_status) == ("disk_trouble", 503)
    assert "Read-only file system" in error.message


def test_a_store_that_is_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"a file where the folder should be")
    with pytest.raises(Unavailable, match="opening the store"):
        DiskStore(tmp_path / "blobs")


def test_a_target_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "blobs")
    digest = store.put(b"hello").digest
    with pytest.raises(Unavailable, match="writing out"):
        store.copy_out(digest, tmp_path / "missing folder" / "out")


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As exFAT answers. The system call is replaced, since no such file system can be mounted here."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    store = DiskStore(tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    assert store.put(b"hello").is_new is True
    assert store.put(b"hello").is_new is False
    path = store.path_of(digest_of(b"hello"))
    path.chmod(0o644)
    path.write_bytes(b"wrong")
    assert store.put(b"hello").is_new is False
    assert store.read_verified(digest_of(b"hello")) == b"hello"
    assert list((tmp_path / "incoming").iterdir()) == []
