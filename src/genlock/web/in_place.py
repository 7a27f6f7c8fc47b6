"""Files that are registered where they lie: only below the configured roots."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from genlock.errors import Denied, Invalid, NotFound


def allowed_path(path: str, roots: Sequence[Path]) -> Path:
    """The file that ``path`` leads to, links followed. ``Denied`` (403) when that is not below one of ``roots``."""
    if "\x00" in path or not Path(path).is_absolute():
        raise Invalid(
            f"{path[:200]!r} is not an absolute path.", hint="Send the path from the root of the server's disk."
        )
    try:
        found = Path(path).resolve()
        inside = any(found.is_relative_to(root.resolve()) for root in roots)
    except (OSError, RuntimeError) as error:
        raise Invalid(f"{path[:200]!r} leads nowhere.", hint="Check the path and its links.") from error
    if not inside:
        raise Denied(
            "This path is not below a folder whose files may be registered where they lie.",
            hint="An administrator lists such folders in GENLOCK_REGISTER_ROOTS; or upload the file.",
            code="outside_roots",
        )
    return found


def open_in_place(path: str) -> BinaryIO:
    """The file of a version that lies at ``path``; ``NotFound`` (``bytes_gone``) if it is there no more."""
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise NotFound(
            f"The file of this version is no longer at {path}: {error.strerror}.",
            hint="Put it back, or upload it: the version is the same.",
            code="bytes_gone",
        ) from error
