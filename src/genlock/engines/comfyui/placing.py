"""Brings a run's files to the server and returns their names there, in one of four ways, by Genlock's access.

    the models folder is writable      staged by content                      names are unambiguous
    the extension's secret is known    it stages by content, from Genlock     verified by digest before and after
    the folder is only readable        the file of that name, verified by     memory freed first, nothing cached,
                                       digest before and after                evidence as strong
    neither                            a file of that name and size           memory freed first, nothing cached,
                                                                              evidence: a name

Pictures and other inputs are always uploaded under the digest of their bytes.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from genlock.digest import PREFIX, Digest
from genlock.engines.comfyui.client import ComfyClient
from genlock.engines.comfyui.places import FilePlace
from genlock.engines.comfyui.staging import FOLDER, Staged, Staging
from genlock.engines.model import EngineInput
from genlock.errors import Invalid, NotFound, Tampered, Unavailable
from genlock.graphs.known.folders import PHYSICAL_FOLDERS
from genlock.regular_file import open_regular

Evidence = Literal["recorded", "matched_by_name", "declared"]
_INPUT = "input"
_PICTURES = ((b"\x89PNG", 0, ".png"), (b"\xff\xd8\xff", 0, ".jpg"), (b"WEBP", 8, ".webp"))


@dataclass
class Placed:
    """The places of a run's files. ``fresh``: the server must not use its cache."""

    names: dict[str, str] = field(default_factory=dict[str, str])
    evidence: Evidence = "recorded"
    fresh: bool = False
    _checks: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    _fetched: list[tuple[str, Digest, str, str]] = field(default_factory=list[tuple[str, Digest, str, str]])
    _uploads: list[tuple[str, Digest]] = field(default_factory=list[tuple[str, Digest]])

    def add(self, key: str, name: str, check: Callable[[], None] | None = None) -> None:
        """Record a file's name, and a check that it was not changed."""
        self.names[key] = name
        if check is not None:
            self._checks.append(check)

    def uploaded(self, key: str, name: str, digest: Digest) -> None:
        """Record a file in the input folder."""
        self.names[key] = name
        self._uploads.append((name, digest))

    async def fetch(self, client: ComfyClient, key: str, category: str, digest: Digest, name: str, secret: str) -> None:
        """Let the extension fetch a file from Genlock."""
        request = (category, digest, name, secret)
        self.names[key] = await client.stage(*request)
        self._fetched.append(request)

    async def recheck(self, client: ComfyClient, workdir: Path) -> None:
        """Raise ``Tampered`` if a file has changed since the run began."""
        for check in self._checks:
            await asyncio.to_thread(check)
        for request in self._fetched:
            await client.stage(*request)
        for name, digest in self._uploads:
            path = workdir / "uploaded"
            place = PurePosixPath(name)
            try:
                await client.fetch(place.name, str(place.parent).removeprefix("."), _INPUT, path)
                if await asyncio.to_thread(digest_of_file, path) == digest:
                    continue
            except Unavailable as error:
                if error.code != "output_missing":
                    raise
            finally:
                path.unlink(missing_ok=True)
            raise Tampered(
                f"{name} was changed in ComfyUI's input folder during the run.",
                hint="Let only Genlock write there; then retry.",
                code="staged_file_changed",
            )


@asynccontextmanager
async def placed(
    client: ComfyClient,
    staging: Staging | None,
    files: Sequence[tuple[FilePlace, EngineInput]],
    paths: Mapping[str, Path],
    secret: str | None = None,
) -> AsyncGenerator[Placed]:
    """Bring the files to their places, where they stay while the block lasts.

    Raises ``Unavailable`` for a file that is missing or cannot be staged, ``Tampered`` for one that was changed.
    """
    done = Placed()
    writable = staging is not None and await asyncio.to_thread(staging.is_writable)
    with ExitStack() as stack:
        for place, item in files:
            path = paths.get(item.key)
            if path is None or not path.is_file():
                raise Unavailable(
                    f"The file of {item.label} cannot be read: no file was given for it.",
                    hint="Restore its bytes, or use another version.",
                    code="input_missing",
                )
            digest = item.digest or await asyncio.to_thread(digest_of_file, path)
            if place.category == _INPUT:
                sent = f"{digest.removeprefix(PREFIX)}{_suffix(item, path)}"
                done.uploaded(item.key, await client.upload(path, sent, FOLDER), digest)
            elif staging is not None and writable:
                # A pack may list files of a folder under a name that no folder has: unet_gguf.
                folder = PHYSICAL_FOLDERS.get(place.category, place.category)
                staged = await asyncio.to_thread(
                    stack.enter_context, staging.staged(folder, path, digest, _filename(item, path))
                )
                await _require_listed(client, place.category, staged.name)
                done.add(item.key, staged.name, _checking(staging, staged))
            elif secret is not None:
                await done.fetch(client, item.key, place.category, digest, _filename(item, path), secret)
            else:
                await _by_name(client, staging, place, item, path, digest, done)
        yield done


def digest_of_file(path: Path) -> Digest:
    """Return the digest of a file's bytes. Blocks."""
    with open_regular(path) as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()


def _checking(staging: Staging, staged: Staged) -> Callable[[], None]:
    return lambda: staging.recheck(staged)


async def _require_listed(client: ComfyClient, category: str, name: str) -> None:
    if name not in await client.names_in(category):
        raise Unavailable(
            f"ComfyUI at {client.url} does not see {name} in its folder {category}.",
            hint="GENLOCK_COMFYUI_FOLDER must be the base folder of this ComfyUI: the one that has models and input.",
            code="not_staged",
        )


async def _by_name(
    client: ComfyClient,
    staging: Staging | None,
    place: FilePlace,
    item: EngineInput,
    path: Path,
    digest: Digest,
    done: Placed,
) -> None:
    """Use the server's file of the input's name; refuse it if it is known to be another one."""
    done.fresh = True
    named = _filename(item, path)
    listed = [PurePosixPath(path_name) for path_name in await client.names_in(place.category)]
    matches = [str(file) for file in listed if file.name == named and file.parts[0] != FOLDER]
    if len(matches) != 1:
        raise NotFound(
            f"ComfyUI at {client.url} has {len(matches) or 'no'} files {named} in its folder {place.category}.",
            hint="Put the file there under that name, or let the worker write into ComfyUI's folder "
            "(GENLOCK_COMFYUI_FOLDER), so that it can stage files itself.",
            code="not_staged",
        )
    (name,) = matches
    folder = PHYSICAL_FOLDERS.get(place.category, place.category)
    local = None if staging is None else staging.base / "models" / folder / name
    if staging is not None and local is not None and local.is_file():

        def check() -> None:
            if staging.digest_at(local) != digest:
                raise other

        other = _other(client, name, item)
        await asyncio.to_thread(check)
        done.add(item.key, name, check)
        return
    size = (await client.sizes_in(place.category)).get(name)
    if size is not None and size != path.stat().st_size:
        raise _other(client, name, item)
    done.evidence = "matched_by_name"
    done.add(item.key, name)


def _other(client: ComfyClient, name: str, item: EngineInput) -> Tampered:
    return Tampered(
        f"{name} on ComfyUI at {client.url} is not the expected version of {item.label}.",
        hint="Put that version there, or let the worker stage it: GENLOCK_COMFYUI_FOLDER.",
        code="other_version_there",
    )


def _filename(item: EngineInput, path: Path) -> str:
    return item.filename or f"{item.role}{path.suffix}"


def _suffix(item: EngineInput, path: Path) -> str:
    """Return the extension of an input, which tells ComfyUI pictures from videos; a picture's by its content."""
    with path.open("rb") as file:
        head = file.read(16)
    for magic, at, extension in _PICTURES:
        if head[at:].startswith(magic):
            return extension
    suffix = PurePosixPath(item.filename or path.name).suffix.lower()
    if not suffix.isascii() or not suffix[1:].isalnum():
        raise Invalid(
            f"The file name of {item.label} has no extension.", hint="Upload it with one.", code="cannot_bind"
        )
    return suffix
