"""The operating system's errors for a disk that takes no more bytes."""

import errno

FULL_DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space left, quota exceeded, or a limit on file sizes: the user frees space in all three cases."""


def is_full_disk(error: BaseException) -> bool:
    """Return whether an operation failed because the disk is full."""
    return isinstance(error, OSError) and error.errno in FULL_DISK_ERRNOS
