"""Calls that look at folders: the server at those of its own disk, or this machine, which sends what is new.

The second is for servers elsewhere, and for folders that the server may not look into. What was sent is remembered in
the data folder by its stamp, so that an unchanged file is neither read nor sent again.
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
from genlock.watching.model import NewScan, Scan, ScannedFile, ScanOutcome, trouble, unreadable
from genlock.watching.walking import Found, Walked, walk

NOTE = "found by a scan"
OTHER_BYTES, CHANGING = "other_bytes", "file_keeps_changing"
_READINGS = 5
_NAMES_TRIED = 50
_SAVED_EVERY_S = 5.0


class Sent(Model):
    """A file that was sent: its stamp, and the version that has its bytes; without one, it was refused."""

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
    """Folders that are looked at."""

    def scan(self, *folders: Path | str, keep: bool | None = None) -> Scan:
        """Let the server look at folders of its own disk for some seconds, by default those that it watches.

        Ask again while files remain. For administrators; ``Denied`` (``outside_roots``) for folders it may not see.
        """
        named = [str(Path(folder).expanduser().absolute()) for folder in folders]
        return self._http.send(Scan, "POST", "/scans", body_of(NewScan, folders=named, keep=keep))

    def send_folders(self, *folders: Path | str, memory: Path) -> Scan:
        """Look at folders of this machine once and upload what is new; what was sent is remembered in ``memory``.

        Files that were changed within the last two seconds remain: call it again.
        """
        return _Sending(self, memory).look([Path(folder).expanduser().absolute() for folder in folders])


def memory_of(data: Path, url: str) -> Path:
    """Where a data folder remembers what was sent to the server at ``url``."""
    return data / "sent" / f"{digest_of(url.encode()).removeprefix('sha256:')[:16]}.json"


@dataclass
class _Sending:
    """One look at some folders of this machine."""

    calls: ScanCalls
    memory: Path
    files: dict[str, Sent] = field(default_factory=dict[str, Sent])
    saved_s: float = 0.0

    def look(self, folders: Sequence[Path]) -> Scan:
        self.files = _remembered(self.memory)
        walked = walk(folders)
        news = self._gone(folders, walked)
        changed = [one for one in walked.files.values() if not self._is_known(one)]
        ready = [one for one in changed if one.stamp.is_settled(time.time_ns()) or _is_of_the_future(one.stamp)]
        try:
            for one in ready:
                said = self._take(one)
                if said is not None:
                    news.append(said)
                self._save()
        finally:
            self._save(now=True)
        return Scan(
            folders=tuple(map(str, folders)),
            files=len(walked.files),
            unchanged=len(walked.files) - len(changed),
            remaining=len(changed) - len(ready),
            settling=len(changed) - len(ready),
            news=(*news, *unreadable(walked)),
        )

    def _is_known(self, found: Found) -> bool:
        return found.path in self.files and self.files[found.path].stamp == found.stamp

    def _gone(self, folders: Iterable[Path], walked: Walked) -> list[ScannedFile]:
        """Forget files that are not there any more. The server has their bytes."""
        if walked.unreadable:
            return []
        within = tuple(f"{folder.resolve()}/" for folder in folders)
        gone = [path for path in self.files if path.startswith(within) and path not in walked.files]
        forgotten = [(path, self.files.pop(path)) for path in gone]
        return [_news(path, ScanOutcome.GONE, one) for path, one in forgotten if one.version is not None]

    def _take(self, found: Found) -> ScannedFile | None:
        """Make a file's bytes a version, if they are none yet; ``None`` when nothing is news about it."""
        before = self.files.get(found.path)
        try:
            stamp, digest = _read(Path(found.path))
            if before is not None and before.digest == digest:
                self.files[found.path] = before.model_copy(update={"stamp": stamp})
                return None
            return self._register(found, before, stamp, digest)
        except (Invalid, Conflict) as error:
            if error.code in {OTHER_BYTES, CHANGING}:
                return trouble(found, ScanOutcome.CHANGING, error.message)
            self.files[found.path] = Sent(stamp=found.stamp, kind=found.kind)
            return trouble(found, ScanOutcome.REFUSED, error.message)
        except (NotFound, OSError) as error:
            return trouble(found, ScanOutcome.UNREADABLE, str(error))

    def _register(self, found: Found, before: Sent | None, stamp: FileStamp, digest: Digest) -> ScannedFile:
        replaced = None if before is None else before.version
        outcome, stale = ScanOutcome.EXISTS, 0
        with self._asset(found, before, digest) as asset:
            known = next((one.number for one in self.calls.versions(asset) if one.digest == digest), None)
            if known is None:
                added = self.calls.add_version(asset, Path(found.path), note=NOTE, digest=digest)
                known, active, outcome = added.version.number, added.version.active, ScanOutcome(added.outcome.value)
                stale = added.report.segments.becomes_stale
            elif replaced is not None:
                moved = self.calls.activate(asset, known, note=NOTE)
                active, stale = True, moved.report.segments.becomes_stale
            else:
                active = asset.active_version == known  # what lay there all along is no news: a person's choice stays
        sent = Sent(stamp=stamp, kind=found.kind, digest=digest, asset_id=asset.id, name=asset.name, version=known)
        self.files[found.path] = sent
        news = _news(found.path, outcome, sent)
        return news.model_copy(update={"active": active, "replaced": replaced, "becomes_stale": stale})

    def _asset(self, found: Found, before: Sent | None, digest: Digest) -> AbstractContextManager[Asset]:
        """The asset that the file was before, else the one of its name; names of other files with other bytes left."""
        if before is not None and before.asset_id is not None:
            return nullcontext(self.calls.asset(before.asset_id))
        taken = {
            one.name
            for path, one in self.files.items()
            if path != found.path and one.kind is found.kind and one.digest != digest
        }
        names = list(islice(names_of(found.folders, found.filename), _NAMES_TRIED))
        return self.calls.asset_for_upload(found.kind, next((one for one in names if one not in taken), names[-1]))

    def _save(self, *, now: bool = False) -> None:
        """Write down what was sent: now and then, since it is written whole."""
        if now or time.monotonic() - self.saved_s > _SAVED_EVERY_S:
            self.memory.parent.mkdir(parents=True, exist_ok=True)
            write_private(self.memory, Memory(files=self.files).model_dump_json(exclude_none=True) + "\n")
            self.saved_s = time.monotonic()


def _remembered(memory: Path) -> dict[str, Sent]:
    """What was sent. A file that cannot be read costs one more reading of what it spoke of, and nothing else."""
    try:
        return dict(Memory.model_validate_json(memory.read_bytes()).files)
    except (FileNotFoundError, ValidationError):
        return {}


def _read(path: Path) -> tuple[FileStamp, Digest]:
    """The stamp and digest of a file, which belong together. The server refuses what is changed after this."""
    for _ in range(_READINGS):
        before = stamp_of(path)
        with open_regular(path) as source:
            raw = hashlib.file_digest(source, "sha256").digest()
            read_from = stamp_from(os.fstat(source.fileno()), path.name)
        if before == read_from == stamp_of(path):
            return before, from_raw(raw)
    raise Conflict(
        f"{path.name} changed each of the {_READINGS} times it was read.",
        hint="It is read again when it is at rest.",
        code=CHANGING,
    )


def _is_of_the_future(stamp: FileStamp) -> bool:
    """Whether its times say nothing about how long ago it was changed, as on disks of other machines."""
    return max(stamp.mtime_ns, stamp.ctime_ns) > time.time_ns() + 1_000_000_000


def _news(path: str, outcome: ScanOutcome, one: Sent) -> ScannedFile:
    return ScannedFile(
        path=path, outcome=outcome, kind=one.kind, asset_id=one.asset_id, name=one.name, version=one.version
    )
