"""Files registered in place instead of being copied into the store: only below configured folders, without links.

Registering resolves links once and records the resolved path (``resolve_below``). Afterwards links are never
followed: only the recorded path itself is opened (``open_in_place``).
"""

import io
from collections.abc import Sequence
from pathlib import Path

from genlock.errors import Denied, Invalid, NotFound, Tampered
from genlock.regular_file import open_below


def resolve_below(path: str, roots: Sequence[Path]) -> Path:
    """Resolve the links of ``path``. Raise ``Denied`` (403) if the file is outside of ``roots``."""
    if "\x00" in path or not Path(path).is_absolute():
        raise Invalid(
            f"{path[:200]!r} is not an absolute path.", hint="Send the path from the root of the server's disk."
        )
    try:
        target = Path(path).resolve()
        is_inside = any(target.is_relative_to(root.resolve()) for root in roots)
    except (OSError, RuntimeError) as error:
        raise Invalid(f"{path[:200]!r} cannot be followed.", hint="Check the path and its links.") from error
    if not is_inside:
        raise Denied(
            "This path is not below a folder whose files may be registered in place.",
            hint="An administrator lists such folders in GENLOCK_REGISTER_ROOTS; or upload the file.",
            code="outside_roots",
        )
    return target


def open_in_place(path: Path, roots: Sequence[Path] | None) -> io.BufferedReader:
    """Open the file of a version at ``path``; without ``roots`` anywhere, for callers that verify what they read.

    Raise ``NotFound`` (``bytes_gone``) if it no longer exists, ``Tampered`` if it is not a regular file, such as a
    link.
    """
    try:
        return open_below(path, roots)
    except OSError as error:
        raise NotFound(
            f"The file of this version is no longer at {path}: {error.strerror}.",
            hint="Put it back, or upload it: the version is the same.",
            code="bytes_gone",
        ) from error
    except (Invalid, Denied) as error:
        if error.code == "outside_roots":
            raise
        raise replaced(path, error.message) from error


def replaced(path: Path, why: str) -> Tampered:
    """Return the error for a file that was replaced after it was registered."""
    return Tampered(
        f"The file of this version at {path} was replaced: {why}",
        hint="Put the original file back, or register what is there now as a new version.",
    )
