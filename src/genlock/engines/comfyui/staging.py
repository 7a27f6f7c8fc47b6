"""Model files in ComfyUI's folders under names of their content, so that its caches cannot mistake one for another.

    <base>/models/loras/genlock/20c97c5a6c97d547…/mara.safetensors

Each is a copy (a reflink where the disk can), never a link to what may change; written beside and renamed, never in
place, since a server that has a file mapped dies when it is cut short; read-only; and verified, again whenever the
disk says that it was touched. A file that was changed all the same is given up together with its name: the server may
have loaded it, and would not look again.
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
    """What the disk says of a file: none of it can be kept while the bytes change."""

    device: int
    inode: int
    size: int
    changed_ns: int
    modified_ns: int


@dataclass(frozen=True)
class Staged:
    """A file on its place. ``name`` is what a loader's input is set to."""

    path: Path
    name: str
    digest: Digest
    stamp: tuple[int, ...]


@dataclass
class Staging:
    """The staged files below the base folder of one ComfyUI; ``limit_bytes`` is kept by removing the longest unused."""

    base: Path
    limit_bytes: int
    _verified: dict[_Stamp, Digest] = field(default_factory=dict[_Stamp, Digest])

    def is_writable(self) -> bool:
        """Whether files can be staged here."""
        models = self.base / "models"
        return models.is_dir() and os.access(models, os.W_OK | os.X_OK)

    @contextmanager
    def staged(self, category: str, source: Path, digest: Digest, filename: str) -> Generator[Staged]:
        """A file of ``digest`` in a category's folder, kept there for as long as the block lasts. Blocks.

        Raises ``Tampered`` if ``source`` is not what its digest says, ``Unavailable`` if there is no room for it.
        """
        folder = self._folder(category)
        with ExitStack() as stack:
            with _troubles(filename):
                folder.mkdir(parents=True, exist_ok=True)
                found = None
                while found is None:
                    found = self._try(stack, folder, source, digest, filename)
            yield found

    def _try(self, stack: ExitStack, folder: Path, source: Path, digest: Digest, filename: str) -> Staged | None:
        """The file on its place, held by ``stack``; ``None`` if the place was removed or damaged meanwhile."""
        place = self._place(folder, digest)
        with suppress(FileExistsError):  # `exist_ok` would stumble over one that is removed at this moment
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
        """``Tampered`` if a file was touched since it was staged: what the server loaded is not known then."""
        try:
            unchanged = tuple(_stamp(staged.path)) == staged.stamp
        except FileNotFoundError:
            unchanged = False
        if not unchanged:
            raise Tampered(
                f"{staged.name} was changed while ComfyUI used it.",
                hint="Let nothing but Genlock write into the genlock folders of ComfyUI; then retry.",
                code="staged_file_changed",
            )

    def digest_at(self, path: Path) -> Digest:
        """The digest of a file, from memory as long as the disk says that it is the same. Blocks."""
        before = _stamp(path)
        known = self._verified.get(before)
        if known is None:
            known = _digest_of(path)
            if _stamp(path) == before:
                self._verified[before] = known
        return known

    def tidy(self, in_use: Collection[str]) -> tuple[Path, ...]:
        """Remove what was unused longest until the limit is kept, and give it; never a name ``in_use``, nor one held.

        ``in_use`` are names as graphs hold them, such as those of a server's queue. Blocks.
        """
        found = sorted((_used_at_and_size(place), place) for place in self._places())
        sizes = {place: size for (_, size), place in found}
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
                f"{category[:80]!r} is no folder of models.", hint="Correct the bindings.", code="bad_bindings"
            )
        return self.base / "models" / category / FOLDER

    def _place(self, folder: Path, digest: Digest) -> Path:
        """The folder for a content: the first of its names whose file, if there is one, was not changed."""
        stem = digest.removeprefix(PREFIX)[:_DIGITS]
        number = 0
        while True:
            place = folder / (stem if number == 0 else f"{stem}-{number}")
            if not (place / _DAMAGED).exists():
                return place
            number += 1

    def _filled(self, place: Path, source: Path, digest: Digest, filename: str) -> Path | None:
        """The file in its folder, put there if it is missing; ``None`` if it was changed, and the name is given up."""
        for path in sorted(place.iterdir()):
            if path.name.startswith("."):
                continue
            if is_regular(path) and self.digest_at(path) == digest:
                return path
            # Not repaired: the server may hold the wrong bytes under this name, and would not look again.
            logger.warning("%s was changed after it was staged: its name is not used any more.", path)
            (place / _DAMAGED).touch()
            path.unlink()
            return None
        path = place / _plain(filename)
        beside = place / f".{secrets.token_hex(8)}.part"
        try:
            _copy(source, beside)
            if _digest_of(beside) != digest:
                raise Tampered(
                    f"{filename} is not what it was when it was registered.",
                    hint="Restore its bytes, or register it as a new version.",
                )
            beside.chmod(0o444)
            beside.rename(path)
        finally:
            beside.unlink(missing_ok=True)
        self._verified[_stamp(path)] = digest
        return path

    def _places(self) -> Iterator[Path]:
        for folder in (self.base / "models").glob(f"*/{FOLDER}"):
            yield from (one for one in folder.iterdir() if one.is_dir() and not (one / _DAMAGED).exists())


def _stamp(path: Path) -> _Stamp:
    found = path.stat(follow_symlinks=False)
    return _Stamp(found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns, found.st_mtime_ns)


def _digest_of(path: Path) -> Digest:
    with open_regular(path) as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, target: Path) -> None:
    """The bytes of one file in another: shared on disk where the file system can, and zeros left as holes."""
    with open_regular(source) as there, target.open("xb") as here:
        try:
            fcntl.ioctl(here.fileno(), _FICLONE, there.fileno())
            return
        except OSError:
            pass  # the file system cannot, or it is another one
        while chunk := there.read(_CHUNK_BYTES):
            if chunk.count(0) == len(chunk):
                here.seek(len(chunk), os.SEEK_CUR)
            else:
                here.write(chunk)
        here.truncate(there.tell())


def _name(category: Path, path: Path) -> str:
    return path.relative_to(category).as_posix()


def _plain(filename: str) -> str:
    """A filename that leads nowhere else and that any file system can hold, its extension kept."""
    name = unicodedata.normalize("NFC", PurePosixPath(filename.replace("\\", "/")).name)
    suffix = PurePosixPath(name).suffix
    suffix = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,15}", suffix) else ""
    stem = re.sub(r"[^\w. -]", "_", name.removesuffix(suffix)).strip(". ")[:60] or "file"
    return stem + suffix


@contextmanager
def _held(place: Path) -> Generator[bool]:
    """A shared lock on a folder: whoever tidies up leaves it alone. False if it has been removed."""
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
    """Nobody else fills a place of this folder meanwhile."""
    with (folder / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _used_at_and_size(place: Path) -> tuple[int, int]:
    """When a folder was used last, and what it takes on disk; nothing for one that somebody else removes just now."""
    try:
        return place.stat().st_mtime_ns, sum(one.stat().st_blocks * 512 for one in place.iterdir())
    except FileNotFoundError:
        return 0, 0


def _remove_unheld(place: Path) -> bool:
    """Remove a folder unless somebody holds it, or has removed it already."""
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
    """Whether an open folder is the one of that name: it may have been removed, and made again by somebody else."""
    try:
        return place.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


@contextmanager
def _troubles(filename: str) -> Generator[None]:
    """The disk's troubles, in words."""
    try:
        yield
    except OSError as error:
        room = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise Unavailable(
            f"{filename} could not be staged for ComfyUI: {room}.",
            hint="Make room, or lower GENLOCK_COMFYUI_STAGING_BYTES; let the worker write into ComfyUI's models.",
            code="not_staged",
        ) from error
