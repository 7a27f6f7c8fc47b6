"""What the operating system refuses, said so that a person can act on it."""

from collections.abc import Generator
from contextlib import contextmanager

from genlock.errors import Unavailable
from genlock.full_disk import is_full_disk


def trouble(error: OSError, doing: str) -> Unavailable:
    """The ``Unavailable`` that says what could not be done, and why."""
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
def naming_trouble(doing: str) -> Generator[None]:
    """Turn an ``OSError`` inside the block into the ``Unavailable`` that says what could not be done."""
    try:
        yield
    except OSError as error:
        raise trouble(error, doing) from error
