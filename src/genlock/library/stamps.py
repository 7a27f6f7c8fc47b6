"""The stamp of a file: the part of ``stat`` that identifies an unchanged file without reading it."""

import os
from pathlib import Path

from genlock.errors import NotFound
from genlock.model import Model
from genlock.regular_file import require_regular

SETTLED_NS = 2_000_000_000
"""Two seconds: the coarsest timestamps of a common file system."""


class FileStamp(Model):
    """Device, inode, size and both times. Equal settled stamps mean equal bytes."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int

    def is_settled(self, now_ns: int, for_ns: int = SETTLED_NS) -> bool:
        """Return whether the last change is so old that another one would have changed the times.

        An unsettled stamp must not be stored: a second write within one tick of the clock does not change it.
        """
        return now_ns - max(self.mtime_ns, self.ctime_ns) > for_ns


def stamp_of(path: Path) -> FileStamp:
    """Return the stamp of the file at ``path``, links followed. Raise ``NotFound`` or ``Invalid`` for no file."""
    try:
        return stamp_from(path.stat(), path.name)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise no_file(path.name) from error


def no_file(name: str) -> NotFound:
    """Return the error for a file that does not exist."""
    return NotFound(f"There is no file {name!r}.", hint="See that the path is right.")


def stamp_from(status: os.stat_result, name: str) -> FileStamp:
    """Return the stamp in a ``stat`` result. Raise ``Invalid`` for folders, devices and pipes."""
    require_regular(status, name)
    return FileStamp(
        device=status.st_dev,
        inode=status.st_ino,
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
    )
