"""Model files in ComfyUI's folders under names given by their content, so that its caches cannot confuse them.

    <base>/models/loras/genlock/20c97c5a6c97d547…/mara.safetensors

Each is a copy (a reflink where the disk supports it), never a link to a file that may change; written to a temporary
name and renamed, never in place, since a server that has mapped a file dies when it is truncated; read-only; and
verified, again whenever its stamp changes. If a file is changed nevertheless, its name is retired: the server may have
loaded it, and would not read it again.
"""

import errno
import fcntl
import hashlib
import logging
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Collection, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from genlock.digest import PREFIX, Digest
from genlock.errors import Invalid, Tampered, Unavailable
from genlock.regular_file import is_regular, open_regular

logger = logging.getLogger(__name__)
FOLDER = "genlock"
_CHUNK_BYTES = 2**22
_DIGITS = 32
_FICLONE = 0x40049409
_CATEGORY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_DAMAGED = ".damaged"


class _Stamp(NamedTuple):
    """The ``stat`` values of a file: they cannot all stay the same while the bytes change."""

    device: int
    inode: int
    size: int
    changed_ns: int
    modified_ns: int


@dataclass(frozen=True)
class Staged:
    """A staged file. ``name`` is the value of a loader's input."""

    path: Path
    name: str
    digest: Digest
    stamp: tuple[int, ...]


@dataclass
class Staging:
    """The staged files of a ComfyUI; those unused longest are removed to stay below ``limit_bytes``."""

    base: Path
    limit_bytes: int
    _verified: dict[_Stamp, Digest] = field(default_factory=dict[_Stamp, Digest])

    def is_writable(self) -> bool:
        """Return whether files can be staged here."""
        models = self.base / "models"
        return models.is_dir() and os.access(models, os.W_OK | os.X_OK)

    @contextmanager
    def staged(self, category: str, source: Path, digest: Digest, filename: str) -> Generator[Staged]:
        """Stage the file ``source`` in a category's folder, where it stays while the block lasts. Blocks.

        Raises ``Tampered`` if ``source`` does not have ``digest``, ``Unavailable`` if there is no room for it.
        """
        folder = self._folder(category)
        with ExitStack() as stack:
            with _troubles(filename):
                folder.mkdir(parents=True, exist_ok=True)
                file = None
                while file is None:
                    file = self._try(stack, folder, source, digest, filename)
            yield file

    def _try(self, stack: ExitStack, folder: Path, source: Path, digest: Digest, filename: str) -> Staged | None:
        """Return the staged file, locked by ``stack``; ``None`` if its folder was removed or damaged meanwhile."""
        place = self._place(folder, digest)
        with suppress(FileExistsError):  # `exist_ok` fails if another process removes it at this moment
            place.mkdir()
        if not stack.enter_context(_held(place)):
            return None
        with _alone(folder):
            path = self._filled(place, source, digest, filename)
        if path is None:
            return None
        os.utime(place)
        return Staged(path, _name(folder.parent, path), digest, tuple(_stamp(path)))

    def recheck(self, staged: Staged) -> None:
        """Raise ``Tampered`` if a file was touched since it was staged: what the server loaded is then unknown."""
        try:
            unchanged = tuple(_stamp(staged.path)) == staged.stamp
        except FileNotFoundError:
            unchanged = False
        if not unchanged:
            raise Tampered(
                f"{staged.name} was changed while ComfyUI used it.",
                hint="Let only Genlock write to the genlock folders of ComfyUI; then retry.",
                code="staged_file_changed",
            )

    def digest_at(self, path: Path) -> Digest:
        """Return the digest of a file, cached as long as its stamp is the same. Blocks."""
        before = _stamp(path)
        digest = self._verified.get(before)
        if digest is None:
            digest = _digest_of(path)
            if _stamp(path) == before:
                self._verified[before] = digest
        return digest

    def tidy(self, in_use: Collection[str]) -> tuple[Path, ...]:
        """Remove the files unused longest until the limit is met, and return them; never one ``in_use`` or locked.

        ``in_use`` are names as graphs hold them, such as those of a server's queue. Blocks.
        """
        oldest_first = sorted((_used_at_and_size(place), place) for place in self._places())
        sizes = {place: size for (_, size), place in oldest_first}
        used = {PurePosixPath(name).parent.name for name in in_use}
        total = sum(sizes.values())
        removed: list[Path] = []
        for place in sizes:
            if total <= self.limit_bytes:
                break
            if place.name not in used and _remove_unheld(place):
                total -= sizes[place]
                removed.append(place)
        return tuple(removed)

    def _folder(self, category: str) -> Path:
        if not _CATEGORY.fullmatch(category) or category in (".", ".."):
            raise Invalid(
                f"{category[:80]!r} is not a models folder.", hint="Correct the bindings.", code="bad_bindings"
            )
        return self.base / "models" / category / FOLDER

    def _place(self, folder: Path, digest: Digest) -> Path:
        """Return the folder for a digest: the first of its names that is not retired."""
        stem = digest.removeprefix(PREFIX)[:_DIGITS]
        number = 0
        while True:
            place = folder / (stem if number == 0 else f"{stem}-{number}")
            if not (place / _DAMAGED).exists():
                return place
            number += 1

    def _filled(self, place: Path, source: Path, digest: Digest, filename: str) -> Path | None:
        """Return the file in its folder, copied if it is missing; ``None`` if it was changed: its name is retired."""
        for path in sorted(place.iterdir()):
            if path.name.startswith("."):
                continue
            if is_regular(path) and self.digest_at(path) == digest:
                return path
            # Not repaired: the server may have cached the wrong bytes under this name.
            logger.warning("%s was changed after it was staged: its name is not used any more.", path)
            (place / _DAMAGED).touch()
            path.unlink()
            return None
        path = place / _plain(filename)
        part = place / f".{secrets.token_hex(8)}.part"
        try:
            _copy(source, part)
            if _digest_of(part) != digest:
                raise Tampered(
                    f"{filename} was changed after it was registered.",
                    hint="Restore its bytes, or register it as a new version.",
                )
            part.chmod(0o444)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        self._verified[_stamp(path)] = digest
        return path

    def _places(self) -> Iterator[Path]:
        for folder in (self.base / "models").glob(f"*/{FOLDER}"):
            yield from (place for place in folder.iterdir() if place.is_dir() and not (place / _DAMAGED).exists())


def _stamp(path: Path) -> _Stamp:
    status = path.stat(follow_symlinks=False)
    return _Stamp(status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns, status.st_mtime_ns)


def _digest_of(path: Path) -> Digest:
    with open_regular(path) as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, target: Path) -> None:
    """Copy a file: as a reflink if the file system supports it, else with holes for zeros."""
    with open_regular(source) as original, target.open("xb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, original.fileno())
            return
        except OSError:
            pass  # not supported, or another file system
        while chunk := original.read(_CHUNK_BYTES):
            if chunk.count(0) == len(chunk):
                copy.seek(len(chunk), os.SEEK_CUR)
            else:
                copy.write(chunk)
        copy.truncate(original.tell())


def _name(category: Path, path: Path) -> str:
    return path.relative_to(category).as_posix()


def _plain(filename: str) -> str:
    """Return a safe file name that any file system accepts, with its extension."""
    name = unicodedata.normalize("NFC", PurePosixPath(filename.replace("\\", "/")).name)
    suffix = PurePosixPath(name).suffix
    suffix = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,15}", suffix) else ""
    stem = re.sub(r"[^\w. -]", "_", name.removesuffix(suffix)).strip(". ")[:60] or "file"
    return stem + suffix


@contextmanager
def _held(place: Path) -> Generator[bool]:
    """Lock a folder against removal while the block lasts; yield False if it has been removed already."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield _is_still(place, handle)
    finally:
        os.close(handle)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Lock a folder so that no other process stages files in it while the block lasts."""
    with (folder / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _used_at_and_size(place: Path) -> tuple[int, int]:
    """Return a folder's last use and its size on disk; zeros if another process has just removed it."""
    try:
        return place.stat().st_mtime_ns, sum(file.stat().st_blocks * 512 for file in place.iterdir())
    except FileNotFoundError:
        return 0, 0


def _remove_unheld(place: Path) -> bool:
    """Remove a folder unless another process has locked it, or removed it already."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_still(place, handle):
            return False
        shutil.rmtree(place)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _is_still(place: Path, handle: int) -> bool:
    """Return whether an open folder still has that name: another process may have removed and created it again."""
    try:
        return place.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


@contextmanager
def _troubles(filename: str) -> Generator[None]:
    """Turn an ``OSError`` in the block into ``Unavailable``."""
    try:
        yield
    except OSError as error:
        room = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise Unavailable(
            f"{filename} could not be staged for ComfyUI: {room}.",
            hint="Free some space, or lower GENLOCK_COMFYUI_STAGING_BYTES; the worker must be able to write there.",
            code="not_staged",
        ) from error
