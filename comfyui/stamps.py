"""The ``stat`` values of a file, and whether it was written to since.

A write changes the times. So does a rename or a removal, which leaves the bytes unchanged: the file that the path names
now and the number of links distinguish them.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

FRESH_NS = 20_000_000
"""Two writes within one tick of the kernel's clock get equal times; ticks are 10 ms or less."""
SETTLED_NS = 2_000_000_000
"""The coarsest resolution of file times on a common file system."""


class Stamp(NamedTuple):
    """Device, inode, size in bytes, both times in nanoseconds, and the number of links."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    links: int

    @property
    def key(self) -> str:
        """A key that is stable while the content is unchanged and the file is not renamed."""
        return f"{self.device}-{self.inode}-{self.size}-{self.mtime_ns}-{self.ctime_ns}"

    def age_ns(self, now_ns: int | None = None) -> int:
        """Return how long ago the file last changed, by this machine's clock; negative for a time in the future."""
        return (time.time_ns() if now_ns is None else now_ns) - max(self.mtime_ns, self.ctime_ns)


def stamp_of(file: int | str) -> Stamp:
    """Return the stamp of a descriptor or of the file at a path; raise ``OSError`` if there is none."""
    status = os.fstat(file) if isinstance(file, int) else os.stat(file)
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_nlink)


def leads_to(path: str, stamp: Stamp) -> bool:
    """Return whether ``path`` still names the file of ``stamp``."""
    try:
        now = stamp_of(path)
    except OSError:
        return False
    return (now.device, now.inode) == (stamp.device, stamp.inode)


def unwritten(before: Stamp, now: Stamp, path: str) -> bool:
    """Return whether the file was certainly not written to between two stamps of one descriptor."""
    if before[:4] != now[:4]:
        return False
    # Only the change time differs: a rename or removal, which is visible, or a write that restored the other time.
    return before.ctime_ns == now.ctime_ns or before.links != now.links or not leads_to(path, before)
