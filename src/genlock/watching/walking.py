"""Walks folders and returns the files that may be versions, with their stamps. Thousands of files take milliseconds.

Links are followed, and paths are resolved; links out of the allowed roots are reported, not read. So are files whose
name is not UTF-8: it fits into no response, log or database.
"""

import os
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from genlock.errors import Denied, Invalid, NotFound
from genlock.library.stamps import FileStamp, stamp_from
from genlock.model import Kind
from genlock.regular_file import open_folder_below
from genlock.watching.folders import SKIPPED, kind_of

NOT_UTF8 = "Its name is not UTF-8: rename it."
"""Why a path that ``escaped_if_not_utf8`` returns is skipped."""


@dataclass(frozen=True, slots=True)
class FileOnDisk:
    """A file that may be a version: its path, the folders above it, its kind, its stamp."""

    path: str
    folders: tuple[str, ...]
    kind: Kind
    stamp: FileStamp

    @property
    def filename(self) -> str:
        """The last component of its path."""
        return os.path.basename(self.path)  # noqa: PTH119 - thousands of them, and no path is made of it


@dataclass
class Walked:
    """The files by path; links out of the roots; what could not be read, with the reason."""

    files: dict[str, FileOnDisk] = field(default_factory=dict[str, FileOnDisk])
    outside: list[str] = field(default_factory=list[str])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])


def walk(folders: Sequence[Path], roots: Sequence[Path] | None = None) -> Walked:
    """Return the files below ``folders`` that may be versions, restricted to ``roots`` if they are given. Blocks.

    Raise ``NotFound`` for a missing folder: a disk that is not mounted must not look like deleted files.
    """
    result = Walked()
    allowed = None if roots is None else tuple(root.resolve() for root in roots)
    visited: set[str] = set()
    for folder in folders:
        start = folder.resolve()
        if not start.is_dir():
            raise NotFound(
                f"There is no folder {str(folder)!r}.",
                hint="Check its name, and that its disk is there.",
                code="no_folder",
            )
        # The names of the folder and its parents may name the category: …/models/loras can be scanned on its own.
        _walk(str(start), _shown(folder), allowed, visited, result)
    return result


def _shown(folder: Path) -> tuple[str, ...]:
    parts = folder.absolute().parts[1:]
    lowered = [part.lower() for part in parts]
    # Only from the last `models` on: a distant parent called `clip` or `.cache` is irrelevant.
    at = len(lowered) - 1 - lowered[::-1].index("models") if "models" in lowered else max(len(parts) - 1, 0)
    return parts[at:]


def _walk(
    real: str, shown: tuple[str, ...], allowed: tuple[Path, ...] | None, visited: set[str], result: Walked
) -> None:
    waiting = [(real, shown)]
    while waiting:
        real, shown = waiting.pop()
        if real in visited:
            continue
        visited.add(real)
        if (name := escaped_if_not_utf8(real)) is not None:
            result.unreadable[name] = NOT_UTF8
            continue
        if allowed is not None and not any(Path(real).is_relative_to(root) for root in allowed):
            result.outside.append(real)
            continue
        try:
            with _listed(real, allowed) as entries:
                waiting += _list_files(real, entries, shown, allowed, result)
        except Denied as error:  # a component has just become a link
            result.unreadable[real] = error.message
        except OSError as error:
            result.unreadable[real] = error.strerror or str(error)


@contextmanager
def _listed(real: str, allowed: tuple[Path, ...] | None) -> Generator[list[os.DirEntry[str]]]:
    """Open a folder and return its entries by name; with ``allowed``, without following links below those folders."""
    if allowed is None:
        with os.scandir(real) as entries:
            yield sorted(entries, key=lambda entry: entry.name)
        return
    # The descriptor stays open meanwhile: entries are read relative to it.
    with open_folder_below(Path(real), allowed) as folder, os.scandir(folder) as entries:
        yield sorted(entries, key=lambda entry: entry.name)


def _list_files(
    real: str,
    entries: Sequence[os.DirEntry[str]],
    shown: tuple[str, ...],
    allowed: tuple[Path, ...] | None,
    result: Walked,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Add the files of a folder to the result, and yield the folders in it."""
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in SKIPPED:
            continue
        link_path = f"{real.rstrip('/')}/{entry.name}"
        try:
            status = entry.stat()
            path = os.path.realpath(link_path) if entry.is_symlink() else link_path
        except FileNotFoundError:
            continue  # a dangling link, or a file that was just deleted
        except OSError as error:
            result.unreadable[escaped_if_not_utf8(link_path) or link_path] = error.strerror or str(error)
            continue
        if stat.S_ISDIR(status.st_mode):
            yield path, (*shown, entry.name)
            continue
        kind = kind_of(shown, entry.name)
        if kind is None or not stat.S_ISREG(status.st_mode):
            continue
        if (name := escaped_if_not_utf8(path)) is not None:
            result.unreadable[name] = NOT_UTF8
            continue
        if path != link_path and allowed is not None and not any(Path(path).is_relative_to(root) for root in allowed):
            result.outside.append(escaped_if_not_utf8(link_path) or link_path)
            continue
        result.files.setdefault(path, FileOnDisk(path, shown, kind, stamp_from(status, entry.name)))


def escaped_if_not_utf8(path: str) -> str | None:
    """Return a path that is not UTF-8 with the invalid bytes as ``\\xff``; ``None`` if it is UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    return None


def allowed_folders(folders: Sequence[Path], roots: Sequence[Path]) -> tuple[Path, ...]:
    """Return the resolved ``folders``. Raise ``Invalid`` unless they are absolute, ``Denied`` (403) outside of
    ``roots``.
    """
    resolved = tuple(root.resolve() for root in roots)
    for folder in folders:
        if "\x00" in str(folder) or not folder.is_absolute():
            raise Invalid(
                f"{str(folder)[:200]!r} is not an absolute path.", hint="Name the folder from the root of the disk."
            )
        if not any(folder.resolve().is_relative_to(root) for root in resolved):
            raise Denied(
                f"{str(folder)[:200]!r} is not below a folder that this server may scan.",
                hint="An administrator lists such folders in GENLOCK_SCAN_FOLDERS or GENLOCK_REGISTER_ROOTS.",
                code="outside_roots",
            )
    return tuple(folders)
