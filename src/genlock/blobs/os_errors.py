"""Converts errors of the operating system to ``Unavailable`` with a hint."""

from collections.abc import Generator
from contextlib import contextmanager

from genlock.errors import Unavailable
from genlock.full_disk import is_full_disk


def unavailable(error: OSError, doing: str) -> Unavailable:
    """Return the ``Unavailable`` error for a failed file operation."""
    reason = error.strerror or str(error)
    if is_full_disk(error):
        return Unavailable(
            f"There is no room left for {doing}: {reason}.",
            hint="Free space on the disk of the data folder, then try again. Nothing was kept.",
            code="disk_full",
        )
    return Unavailable(
        f"The disk refused {doing}: {reason}.",
        hint="See that the data folder's disk is healthy, mounted, and writable by the server.",
        code="disk_trouble",
    )


@contextmanager
def os_errors_as_unavailable(doing: str) -> Generator[None]:
    """Convert an ``OSError`` in the block to ``Unavailable``; ``doing`` is the operation, as "storing an upload"."""
    try:
        yield
    except OSError as error:
        raise unavailable(error, doing) from error
