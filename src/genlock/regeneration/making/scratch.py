"""Scratch folders of workers: each is locked by its worker, and the kernel drops the lock however the worker ends.

    /tmp/genlock-scratch-x7k2/.lock     held: its worker lives, also in another container that shares /tmp
                                        free: its worker was killed, and the next one removes the folder

A pid would not do: it means different processes in two containers, and pids are reused.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "genlock-scratch-"
_LOCK = ".lock"
_GRACE_S = 24 * 3600
"""The age at which a folder is removed where locks are not available."""


@contextmanager
def scratch_folder(root: Path | None = None) -> Generator[Path]:
    """Create a folder for a worker's files below ``root`` (the system's temporary folder); remove it at the end.

    Folders of workers that were killed are removed first.
    """
    root = root or Path(tempfile.gettempdir())
    for folder in sorted(root.glob(f"{_PREFIX}*")):
        _remove_if_abandoned(folder)
    folder, descriptor = _create_locked(root)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _create_locked(root: Path) -> tuple[Path, int]:
    """Create a folder with a lock that this process holds, and return it with the lock's descriptor."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            return folder, descriptor  # no locks on this file system: other workers use its age
        if os.fstat(descriptor).st_nlink:
            return folder, descriptor
        os.close(descriptor)  # another worker removed it before it was locked


def _remove_if_abandoned(folder: Path) -> None:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # created by another user, without a lock, or removed by another worker just now
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:
            if time.time() - os.fstat(descriptor).st_mtime < _GRACE_S:
                return
        if not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
