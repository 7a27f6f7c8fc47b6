"""What ``stat`` says of a file, and whether somebody wrote into it since.

A write moves the times. So does a rename or a removal, which leaves the bytes alone: those are told apart by where the
path leads now and by the number of links.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

FRESH_NS = 20_000_000
"""Two writes within one tick of the kernel's clock leave equal times; ticks are 10 ms or less."""
SETTLED_NS = 2_000_000_000
"""The coarsest clock that a common file system writes its times with."""


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
        """What stays the same as long as the content does and nobody renames the file."""
        return f"{self.device}-{self.inode}-{self.size}-{self.mtime_ns}-{self.ctime_ns}"

    def age_ns(self, now_ns: int | None = None) -> int:
        """How long ago something last changed, by this machine's clock; negative if that lies in the future."""
        return (time.time_ns() if now_ns is None else now_ns) - max(self.mtime_ns, self.ctime_ns)


def stamp_of(file: int | str) -> Stamp:
    """The stamp of an open descriptor, or of what a path leads to; ``OSError`` if there is nothing."""
    found = os.fstat(file) if isinstance(file, int) else os.stat(file)
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_nlink)


def leads_to(path: str, stamp: Stamp) -> bool:
    """Whether ``path`` still names the very file that ``stamp`` is of."""
    try:
        now = stamp_of(path)
    except OSError:
        return False
    return (now.device, now.inode) == (stamp.device, stamp.inode)


def unwritten(before: Stamp, now: Stamp, path: str) -> bool:
    """Whether nobody wrote into the file between two stamps of one descriptor. In doubt, somebody did."""
    if before[:4] != now[:4]:
        return False
    # The change time alone moved: a rename or removal, which can be seen, or a write that put the other time back.
    return before.ctime_ns == now.ctime_ns or before.links != now.links or not leads_to(path, before)
