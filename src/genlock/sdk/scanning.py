"""Calls that scan folders: on the server's disk, or on this machine, which uploads new files.

The latter is for remote servers, and for folders that the server may not read. Uploaded files are recorded in the data
folder by their stamps, so that an unchanged file is neither read nor sent again.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pydantic import Field, ValidationError

from genlock.digest import Digest, digest_of, from_raw
from genlock.errors import Conflict, Invalid, NotFound
from genlock.library.model import Asset
from genlock.library.stamps import FileStamp, stamp_from, stamp_of
from genlock.model import Kind, Model
from genlock.private_file import write_private
from genlock.regular_file import open_regular
from genlock.sdk.bodies import body_of
from genlock.sdk.library import LibraryCalls
from genlock.watching.folders import names_of
from genlock.watching.model import NewScan, Scan, ScannedFile, ScanOutcome, failure, unreadable
from genlock.watching.walking import FileOnDisk, Walked, walk

NOTE = "found by a scan"
OTHER_BYTES, CHANGING = "other_bytes", "file_keeps_changing"
_READINGS = 5
_NAMES_TRIED = 50
_SAVED_EVERY_S = 5.0


class Sent(Model):
    """A file that was sent: its stamp, and the version with its bytes; refused if it has no version."""

    stamp: FileStamp
    kind: Kind
    digest: Digest | None = None
    asset_id: int | None = None
    name: str | None = None
    version: int | None = None


class Memory(Model):
    """Files that were sent to one server, by path."""

    files: dict[str, Sent] = Field(default_factory=dict[str, Sent])


class ScanCalls(LibraryCalls):
    """Scans of folders."""

    def scan(self, *folders: Path | str, keep: bool | None = None) -> Scan:
        """Let the server scan folders on its disk for some seconds, by default those that it watches.

        Call it again while files remain. For administrators. Raise ``Denied`` (``outside_roots``) for other folders.
        """
        named = [str(Path(folder).expanduser().absolute()) for folder in folders]
        return self._http.send(Scan, "POST", "/scans", body_of(NewScan, folders=named, keep=keep))

    def send_folders(self, *folders: Path | str, memory: Path) -> Scan:
        """Scan folders of this machine once and upload new files, which are recorded in ``memory``.

        Files that changed within the last two seconds remain: call it again.
        """
        return _Sending(self, memory).scan([Path(folder).expanduser().absolute() for folder in folders])


def memory_of(data: Path, url: str) -> Path:
    """Return the file in which a data folder records what was sent to the server at ``url``."""
    return data / "sent" / f"{digest_of(url.encode()).removeprefix('sha256:')[:16]}.json"


@dataclass
class _Sending:
    """A scan of some folders of this machine."""

    calls: ScanCalls
    memory: Path
    files: dict[str, Sent] = field(default_factory=dict[str, Sent])
    saved_s: float = 0.0

    def scan(self, folders: Sequence[Path]) -> Scan:
        self.files = _load(self.memory)
        walked = walk(folders)
        results = self._gone(folders, walked)
        changed = [file for file in walked.files.values() if not self._is_known(file)]
        ready = [file for file in changed if file.stamp.is_settled(time.time_ns()) or _is_in_future(file.stamp)]
        try:
            for file in ready:
                result = self._take(file)
                if result is not None:
                    results.append(result)
                self._save()
        finally:
            self._save(now=True)
        return Scan(
            folders=tuple(map(str, folders)),
            files=len(walked.files),
            unchanged=len(walked.files) - len(changed),
            remaining=len(changed) - len(ready),
            settling=len(changed) - len(ready),
            changes=(*results, *unreadable(walked)),
        )

    def _is_known(self, file: FileOnDisk) -> bool:
        return file.path in self.files and self.files[file.path].stamp == file.stamp

    def _gone(self, folders: Iterable[Path], walked: Walked) -> list[ScannedFile]:
        """Remove the records of files that no longer exist. The server has their bytes."""
        if walked.unreadable:
            return []
        within = tuple(f"{folder.resolve()}/" for folder in folders)
        gone = [path for path in self.files if path.startswith(within) and path not in walked.files]
        forgotten = [(path, self.files.pop(path)) for path in gone]
        return [_scanned_file(path, ScanOutcome.GONE, sent) for path, sent in forgotten if sent.version is not None]

    def _take(self, file: FileOnDisk) -> ScannedFile | None:
        """Register a file's bytes as a version, if they are new; return ``None`` if nothing changed."""
        before = self.files.get(file.path)
        try:
            stamp, digest = _read(Path(file.path))
            if before is not None and before.digest == digest:
                self.files[file.path] = before.model_copy(update={"stamp": stamp})
                return None
            return self._register(file, before, stamp, digest)
        except (Invalid, Conflict) as error:
            if error.code in {OTHER_BYTES, CHANGING}:
                return failure(file, ScanOutcome.CHANGING, error.message)
            self.files[file.path] = Sent(stamp=file.stamp, kind=file.kind)
            return failure(file, ScanOutcome.REFUSED, error.message)
        except (NotFound, OSError) as error:
            return failure(file, ScanOutcome.UNREADABLE, str(error))

    def _register(self, file: FileOnDisk, before: Sent | None, stamp: FileStamp, digest: Digest) -> ScannedFile:
        replaced = None if before is None else before.version
        outcome, stale = ScanOutcome.EXISTS, 0
        with self._asset(file, before, digest) as asset:
            number = next((version.number for version in self.calls.versions(asset) if version.digest == digest), None)
            if number is None:
                added = self.calls.add_version(asset, Path(file.path), note=NOTE, digest=digest)
                number, active, outcome = added.version.number, added.version.active, ScanOutcome(added.outcome.value)
                stale = added.report.segments.becomes_stale
            elif replaced is not None:
                activated = self.calls.activate(asset, number, note=NOTE)
                active, stale = True, activated.report.segments.becomes_stale
            else:
                active = asset.active_version == number  # an old file is not a change: the active version stays
        sent = Sent(stamp=stamp, kind=file.kind, digest=digest, asset_id=asset.id, name=asset.name, version=number)
        self.files[file.path] = sent
        result = _scanned_file(file.path, outcome, sent)
        return result.model_copy(update={"active": active, "replaced": replaced, "becomes_stale": stale})

    def _asset(self, file: FileOnDisk, before: Sent | None, digest: Digest) -> AbstractContextManager[Asset]:
        """Return the file's earlier asset, else the first of its names that no file with other bytes has."""
        if before is not None and before.asset_id is not None:
            return nullcontext(self.calls.asset(before.asset_id))
        taken = {
            sent.name
            for path, sent in self.files.items()
            if path != file.path and sent.kind is file.kind and sent.digest != digest
        }
        names = list(islice(names_of(file.folders, file.filename), _NAMES_TRIED))
        return self.calls.asset_for_upload(file.kind, next((name for name in names if name not in taken), names[-1]))

    def _save(self, *, now: bool = False) -> None:
        """Save the record, only from time to time, because the whole file is written."""
        if now or time.monotonic() - self.saved_s > _SAVED_EVERY_S:
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            write_private(self.memory, Memory(files=self.files).model_dump_json(exclude_none=True) + "\n")
            self.saved_s = time.monotonic()


def _load(memory: Path) -> dict[str, Sent]:
    """Read the record. If it cannot be read, all files are read again, and nothing else is lost."""
    try:
        return dict(Memory.model_validate_json(memory.read_bytes()).files)
    except (FileNotFoundError, ValidationError):
        return {}


def _read(path: Path) -> tuple[FileStamp, Digest]:
    """Return the stamp and digest of a file, read together. The server refuses a file that changes afterwards."""
    for _ in range(_READINGS):
        before = stamp_of(path)
        with open_regular(path) as source:
            raw = hashlib.file_digest(source, "sha256").digest()
            read_from = stamp_from(os.fstat(source.fileno()), path.name)
        if before == read_from == stamp_of(path):
            return before, from_raw(raw)
    raise Conflict(
        f"{path.name} changed each of the {_READINGS} times it was read.",
        hint="It is read again when it no longer changes.",
        code=CHANGING,
    )


def _is_in_future(stamp: FileStamp) -> bool:
    """Return whether the times are in the future, as on disks of other machines, and give no age."""
    return max(stamp.mtime_ns, stamp.ctime_ns) > time.time_ns() + 1_000_000_000


def _scanned_file(path: str, outcome: ScanOutcome, sent: Sent) -> ScannedFile:
    return ScannedFile(
        path=path, outcome=outcome, kind=sent.kind, asset_id=sent.asset_id, name=sent.name, version=sent.version
    )
