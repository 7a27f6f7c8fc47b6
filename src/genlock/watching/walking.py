"""Walks folders and says which files may be versions of something, with their stamps. A few thousand take moments.

Links are followed, and paths come out resolved; what leads out of the allowed roots is named, not read. So are
files with a name that is not UTF-8: it fits into no response, log or database.
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
from genlock.watching.folders import LEFT_OUT, kind_of

NO_TEXT = "Its name is not UTF-8: rename it."
"""Why a path that ``shown_if_no_text`` shows is left out."""


@dataclass(frozen=True, slots=True)
class FileOnDisk:
    """A file that may be a version: its path, the folders above it, its kind, its stamp."""

    path: str
    folders: tuple[str, ...]
    kind: Kind
    stamp: FileStamp

    @property
    def filename(self) -> str:
        """The last part of its path."""
        return os.path.basename(self.path)  # noqa: PTH119 - thousands of them, and no path is made of it


@dataclass
class Walked:
    """The files, by path; what leads outside of the roots; what could not be read, with the reason."""

    files: dict[str, FileOnDisk] = field(default_factory=dict[str, FileOnDisk])
    outside: list[str] = field(default_factory=list[str])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])


def walk(folders: Sequence[Path], roots: Sequence[Path] | None = None) -> Walked:
    """The files below ``folders`` that may be versions; those below ``roots`` alone, if there are any. Blocks.

    ``NotFound`` for a folder that is not there: a disk that is away must not look like files that were deleted.
    """
    result = Walked()
    allowed = None if roots is None else tuple(root.resolve() for root in roots)
    been: set[str] = set()
    for folder in folders:
        start = folder.resolve()
        if not start.is_dir():
            raise NotFound(
                f"There is no folder {str(folder)!r}.",
                hint="Check its name, and that its disk is there.",
                code="no_folder",
            )
        # The folder's own name and those above it may say what is in it: …/models/loras is scanned by itself, too.
        _walk(str(start), _shown(folder), allowed, been, result)
    return result


def _shown(folder: Path) -> tuple[str, ...]:
    parts = folder.absolute().parts[1:]
    lowered = [part.lower() for part in parts]
    # Only from the last `models` on: a folder far above it that is called `clip` or `.cache` says nothing.
    at = len(lowered) - 1 - lowered[::-1].index("models") if "models" in lowered else max(len(parts) - 1, 0)
    return parts[at:]


def _walk(real: str, shown: tuple[str, ...], allowed: tuple[Path, ...] | None, been: set[str], result: Walked) -> None:
    waiting = [(real, shown)]
    while waiting:
        real, shown = waiting.pop()
        if real in been:
            continue
        been.add(real)
        if (name := shown_if_no_text(real)) is not None:
            result.unreadable[name] = NO_TEXT
            continue
        if allowed is not None and not any(Path(real).is_relative_to(root) for root in allowed):
            result.outside.append(real)
            continue
        try:
            with _listed(real, allowed) as entries:
                waiting += _list_files(real, entries, shown, allowed, result)
        except Denied as error:  # a part of it became a link just now
            result.unreadable[real] = error.message
        except OSError as error:
            result.unreadable[real] = error.strerror or str(error)


@contextmanager
def _listed(real: str, allowed: tuple[Path, ...] | None) -> Generator[list[os.DirEntry[str]]]:
    """The entries of a folder by name; with ``allowed`` it is opened without following links below those folders."""
    if allowed is None:
        with os.scandir(real) as entries:
            yield sorted(entries, key=lambda entry: entry.name)
        return
    # The descriptor stays open meanwhile: entries are looked at relative to it.
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
        if entry.name.startswith(".") or entry.name.lower() in LEFT_OUT:
            continue
        own_path = f"{real.rstrip('/')}/{entry.name}"
        try:
            status = entry.stat()
            path = os.path.realpath(own_path) if entry.is_symlink() else own_path
        except FileNotFoundError:
            continue  # a link that leads nowhere, or a file that went just now
        except OSError as error:
            result.unreadable[shown_if_no_text(own_path) or own_path] = error.strerror or str(error)
            continue
        if stat.S_ISDIR(status.st_mode):
            yield path, (*shown, entry.name)
            continue
        kind = kind_of(shown, entry.name)
        if kind is None or not stat.S_ISREG(status.st_mode):
            continue
        if (name := shown_if_no_text(path)) is not None:
            result.unreadable[name] = NO_TEXT
            continue
        if path != own_path and allowed is not None and not any(Path(path).is_relative_to(root) for root in allowed):
            result.outside.append(shown_if_no_text(own_path) or own_path)
            continue
        result.files.setdefault(path, FileOnDisk(path, shown, kind, stamp_from(status, entry.name)))


def shown_if_no_text(path: str) -> str | None:
    """For a path with bytes that are not UTF-8: how it can be shown, with those bytes as ``\\xff``."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    return None


def allowed_folders(folders: Sequence[Path], roots: Sequence[Path]) -> tuple[Path, ...]:
    """``folders``, which are absolute and below one of ``roots``; ``Invalid`` or ``Denied`` (403) otherwise."""
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
