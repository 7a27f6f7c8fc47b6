"""Opens files in folders that others write to: regular files only, and never blocking on a pipe or a device.

    open_regular(path)         follows links: the user who runs the program chose the path
    open_below(path, roots)    follows none below the root: another process may replace a component meanwhile

``open_below`` opens one component after the other, each relative to the folder before it (``openat``), so that nothing
can change between a check and its use. Below a root a file with several hard links must belong to the root's owner:
otherwise a user with write access could publish any file of the disk by linking it into the folder.
"""

import errno
import io
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from genlock.errors import Denied, Invalid

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# A folder with search but no read permission suffices to reach a file in it.
_SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC | os.O_DIRECTORY
_LINK_ERRORS = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})


def open_regular(path: Path) -> io.BufferedReader:
    """Open the regular file at ``path``. Raise ``Invalid`` for folders, devices and pipes; ``OSError`` as usual."""
    return os.fdopen(_open_regular(str(path), path.name), "rb")


def open_below(path: Path, roots: Sequence[Path] | None) -> io.BufferedReader:
    """Open the regular file at ``path``, an absolute path below one of ``roots``, without following links.

    Without ``roots`` any path is allowed, for callers that verify the digest of what they read. Raise ``Denied``
    outside of the roots, behind a link, or for a hard link to another user's file; ``Invalid`` and ``OSError`` as
    ``open_regular``.
    """
    root = Path(path.anchor) if roots is None else _root_of(path, roots)
    if path == root:
        raise _not_regular(path.name)
    with _open_folder(path.parent, root) as (folder, owner):
        descriptor = _open_regular(path.name, path.name, folder, os.O_NOFOLLOW)
    status = os.fstat(descriptor)
    if roots is not None and status.st_nlink > 1 and status.st_uid != owner:
        os.close(descriptor)
        raise Denied(
            f"{path.name!r} has another hard link and belongs to another user than the folder {str(root)!r}.",
            hint="Put a copy into the folder instead of a hard link.",
            code="linked_file",
        )
    return os.fdopen(descriptor, "rb")


@contextmanager
def open_folder_below(path: Path, roots: Sequence[Path]) -> Generator[int]:
    """Open the folder at ``path``; yield its descriptor for ``os.scandir``. Raise as ``open_below`` does."""
    with _open_folder(path, _root_of(path, roots)) as (folder, _):
        descriptor = os.open(".", os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_regular(path: Path) -> bool:
    """Return whether a regular file, not a link to one, is at ``path``."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def require_regular(status: os.stat_result, name: str) -> None:
    """Raise ``Invalid`` for folders, devices, pipes and links."""
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(name)


def _not_regular(name: str) -> Invalid:
    return Invalid(f"{name!r} is not a regular file.", hint="Name a file, not a folder, device or pipe.")


def _root_of(path: Path, roots: Sequence[Path]) -> Path:
    """Return the root above ``path`` with its links resolved; the innermost of several."""
    above = [root for root in {root.resolve() for root in roots} if path.is_relative_to(root)]
    if not above or ".." in path.parts:
        raise Denied(
            f"{str(path)[:200]!r} is not below a folder that this server may read.",
            hint="An administrator lists such folders in GENLOCK_REGISTER_ROOTS or GENLOCK_SCAN_FOLDERS.",
            code="outside_roots",
        )
    return max(above, key=lambda root: len(root.parts))


@contextmanager
def _open_folder(path: Path, root: Path) -> Generator[tuple[int, int]]:
    """Open the folder at ``path`` from ``root`` without links; yield its descriptor and the owner of ``root``."""
    descriptor = os.open(root, _SEARCH)
    try:
        owner = os.fstat(descriptor).st_uid
        for name in path.relative_to(root).parts:
            with _links_as_denied(name, descriptor):
                inner = os.open(name, _SEARCH | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, owner
    finally:
        os.close(descriptor)


def _open_regular(path: str, name: str, folder: int | None = None, flags: int = 0) -> int:
    """Return a descriptor of a regular file; messages call it ``name``."""
    with _links_as_denied(path, folder):
        # Opening a device can have side effects, so check first; check again afterwards: it may be another file.
        before = os.stat(path, dir_fd=folder, follow_symlinks=not flags & os.O_NOFOLLOW)
        if not stat.S_ISLNK(before.st_mode):
            require_regular(before, name)
        descriptor = os.open(path, _READ | flags, dir_fd=folder)
    try:
        require_regular(os.fstat(descriptor), name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _links_as_denied(name: str, folder: int | None) -> Generator[None]:
    """Convert the error for a link that was not followed to ``Denied``."""
    try:
        yield
    except OSError as error:
        if folder is None or error.errno not in _LINK_ERRORS or not _is_link(name, folder):
            raise
        raise Denied(
            f"{name!r} is a symbolic link.",
            hint="Name the file that it leads to, which must lie below one of the configured folders.",
            code="linked_file",
        ) from error


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False
