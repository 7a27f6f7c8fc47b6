"""Scans folders and registers new files as versions, once or until it is cancelled.

    walk ─▶ compare stamps with the records ─▶ read new files at rest ─▶ one transaction per file:
            a few thousand files: milliseconds  both digests in one pass    version, active, record

A file is read once its last change is two seconds old: it may still be being written, and timestamps of a file system
may not distinguish two changes sooner. A file that changes while it is read is read again. If the process is killed, a
file is either recorded with its version, or not recorded and read again.
"""

import asyncio
import logging
import math
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from genlock.blobs.store import Store
from genlock.db.connection import Database
from genlock.errors import Conflict, Denied, GenlockError, Invalid, NotFound, Unavailable
from genlock.library.identify import identify_stamped
from genlock.library.stamps import SETTLED_NS, FileStamp, stamp_of
from genlock.model import Actor, Role
from genlock.watching import sql as scan_sql
from genlock.watching.model import FileRecord, Scan, ScannedFile, ScanOutcome, failure, line_of, unreadable
from genlock.watching.register import Read, append_lost_event, register
from genlock.watching.walking import FileOnDisk, Walked, allowed_folders, walk

logger = logging.getLogger(__name__)
SCANNER = Actor(token_id=None, name="genlock-scan", role=Role.ADMIN)
_READ_AT_ONCE = 3
_MOMENT_S = 1.0
_WATCH_S = 1.0
_WATCH_BUDGET_S = 1.5
_SOON_S = 0.1
_AT_REST = 5
"""The pause after comparing stamps, as a multiple of its duration, which matters for very many files."""

_LONGEST_PAUSE_S = 30.0

Reading = asyncio.Task[Read]


@dataclass
class _Pass:
    """One scan of some folders in progress."""

    keep: bool
    wait: bool
    actor: Actor
    until_s: float
    records: dict[str, FileRecord]
    changes: list[ScannedFile] = field(default_factory=list[ScannedFile])
    waiting: list[FileOnDisk] = field(default_factory=list[FileOnDisk])
    reading: str | None = None


class Scanner:
    """The scans of one process, one at a time. Reading a large file continues after a scan has ended.

    ``rest_s`` is the minimum age of a file's last change, at least the coarsest timestamp of a scanned file system.
    """

    def __init__(
        self,
        db: Database,
        store: Store,
        roots: Sequence[Path],
        *,
        host: str | None = None,
        rest_s: float = SETTLED_NS / 1e9,
    ) -> None:
        self._db, self._store, self._rest_s = db, store, rest_s
        self._roots = tuple(roots)
        self._host = host or socket.gethostname()
        self._turn = asyncio.Lock()
        self._readings: dict[tuple[str, bool], Reading] = {}
        self._noticed: dict[str, tuple[FileStamp, float]] = {}
        self._ending = threading.Event()

    async def scan(
        self,
        folders: Sequence[Path],
        *,
        keep: bool,
        actor: Actor = SCANNER,
        budget_s: float = 5.0,
        wait: bool = True,
    ) -> Scan:
        """Scan ``folders`` for about ``budget_s`` seconds; ``remaining`` is the number of files left to read.

        With ``wait``, wait for files that are not at rest yet. Raise ``NotFound`` for a folder that does not exist,
        ``Denied`` for one that is not below the roots.
        """
        allowed_folders(folders, self._roots)
        async with self._turn:
            until_s = time.monotonic() + budget_s
            walked = await asyncio.to_thread(walk, folders, self._roots)
            resolved = [str(folder.resolve()) for folder in folders]
            async with self._db.transaction() as conn:
                records = await scan_sql.file_records_below(conn, self._host, resolved)
            scan = _Pass(keep=keep, wait=wait, actor=actor, until_s=until_s, records=records)
            self._forget_readings(walked)
            await self._mark_gone(scan, walked)
            changed = _changed(walked, records, keep=keep)
            scan.changes += unreadable(walked)
            await self._read_all(scan, changed)
            return Scan(
                folders=tuple(str(folder) for folder in folders),
                files=len(walked.files),
                unchanged=len(walked.files) - len(changed),
                remaining=len(scan.waiting),
                settling=sum(not self._is_quiet(file.path, file.stamp) for file in scan.waiting),
                reading=scan.reading,
                changes=tuple(scan.changes),
                outside=tuple(walked.outside),
            )

    async def watch(self, folders: Sequence[Path], *, keep: bool, every_s: float = _WATCH_S) -> None:
        """Scan ``folders`` repeatedly until cancelled; wait for folders that are missing.

        Stamps are compared every second in any case: files that could not be read are retried with increasing pauses,
        without delaying others.
        """
        scanned: dict[str, FileStamp] | None = None
        reported: set[tuple[str, str | None]] = set()
        missing: tuple[Path, ...] = ()
        retry_s, retry_at_s = every_s, math.inf
        while True:
            pause_s = every_s
            try:
                present = await asyncio.to_thread(_present, folders)
                missing = _report_missing(folders, present, missing)
                started_s = time.monotonic()
                stamps = await asyncio.to_thread(_stamps, present, self._roots)
                pause_s = max(pause_s, _AT_REST * (time.monotonic() - started_s))
                if stamps != scanned or time.monotonic() >= retry_at_s:
                    scan = await self.scan(present, keep=keep, budget_s=_WATCH_BUDGET_S, wait=False)
                    failures = {(file.path, file.why) for file in scan.changes if file.outcome in _FAILURES}
                    for file in scan.changes:
                        if (file.path, file.why) not in reported:  # a lasting failure is logged once
                            logger.info("%s", line_of(file))
                    scanned = None if scan.remaining else stamps
                    if scan.remaining > scan.settling:
                        pause_s = _SOON_S
                    reported = failures if not scan.remaining else reported | failures
                    retry_s = min(2 * retry_s, _LONGEST_PAUSE_S) if failures else every_s
                    retry_at_s = time.monotonic() + retry_s if failures else math.inf
            except GenlockError as error:
                scanned = None
                pause_s = retry_s = min(2 * retry_s, _LONGEST_PAUSE_S)
                logger.warning("Scanning has to wait %.0f s: %s", pause_s, error.message)
            except Exception:  # a file or disk may fail in any way: log it and continue
                scanned = None
                pause_s = retry_s = min(2 * retry_s, _LONGEST_PAUSE_S)
                logger.exception("Scanning failed in an unforeseen way, and goes on in %.0f s.", pause_s)
            await asyncio.sleep(pause_s)

    async def close(self) -> None:
        """Stop the readings in progress."""
        self._ending.set()
        await asyncio.gather(*self._readings.values(), return_exceptions=True)
        self._readings.clear()

    # one scan ------------------------------------------------------------------------------------

    async def _mark_gone(self, scan: _Pass, walked: Walked) -> None:
        """Record which files are gone, and which are back unchanged."""
        below_unreadable = tuple(f"{path}/" for path in walked.unreadable)
        gone = [
            path
            for path, record in scan.records.items()
            if not record.is_gone
            and path not in walked.files
            and path not in walked.unreadable
            and not path.startswith(below_unreadable)
        ]
        back = [
            path
            for path, record in scan.records.items()
            if record.is_gone and path in walked.files and walked.files[path].stamp == record.stamp
        ]
        if not gone and not back:
            return
        async with self._db.transaction() as conn:
            await scan_sql.mark_gone(conn, self._host, gone)
            await scan_sql.mark_back(conn, self._host, back)
            versions = await scan_sql.versions_at(conn, self._host, [*gone, *back])
            changes: list[ScannedFile] = []
            for path, (asset, number, is_lost) in versions.items():
                outcome = ScanOutcome.GONE if path in set(gone) else ScanOutcome.BACK
                why = "The bytes of this version are gone with it: they were not kept." if is_lost else None
                change = ScannedFile(
                    path=path,
                    outcome=outcome,
                    kind=asset.kind,
                    asset_id=asset.id,
                    name=asset.name,
                    version=number,
                    active=asset.active_version == number,
                    why=why,
                )
                changes.append(change)
                if is_lost:
                    await append_lost_event(conn, asset, number, path, scan.actor)
        scan.changes += changes

    async def _read_all(self, scan: _Pass, changed: Sequence[FileOnDisk]) -> None:
        """Read and register the files at rest; wait for the others within the budget, if requested."""
        scan.waiting = list(changed)
        while scan.waiting:
            ready = [file for file in scan.waiting if self._is_quiet(file.path, file.stamp)]
            if not ready:
                pause_s = self._soonest_s(scan.waiting)
                if not scan.wait or time.monotonic() + pause_s > scan.until_s:
                    return
                await asyncio.sleep(pause_s)
                scan.waiting = await asyncio.to_thread(_again, scan.waiting)
                continue
            for file in ready:
                if (file.path, scan.keep) not in self._readings and len(self._readings) >= _READ_AT_ONCE:
                    continue  # large files are read in the background; small ones proceed while there is room
                if await self._read(scan, file):
                    scan.waiting.remove(file)
                else:
                    scan.reading = file.path
                if time.monotonic() > scan.until_s:
                    return

    async def _read(self, scan: _Pass, file: FileOnDisk) -> bool:
        """Read and register a file; return false if it takes longer than a moment, and continue in the background."""
        before = scan.records.get(file.path)
        if before is not None and before.is_archived:
            return True  # archived: not reported
        key = (file.path, scan.keep)
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = asyncio.create_task(self._identify(file, scan.keep))
        done, _ = await asyncio.wait({reading}, timeout=min(max(scan.until_s - time.monotonic(), 0.05), _MOMENT_S))
        if not done:
            return False
        del self._readings[key]
        try:
            change = await register(self._db, self._host, reading.result(), keep=scan.keep, actor=scan.actor)
            if change is not None:
                scan.changes.append(change)
        except Invalid as error:
            # Recorded with its stamp, so that it is not read again until it changes.
            async with self._db.transaction() as conn:
                await scan_sql.record_file(conn, self._host, file.path, file.stamp, version=None, refusal=error.message)
            scan.changes.append(failure(file, ScanOutcome.REFUSED, error.message))
        except (NotFound, Unavailable, Denied) as error:
            scan.changes.append(failure(file, ScanOutcome.UNREADABLE, error.message))
        except Conflict as error:
            scan.changes.append(failure(file, ScanOutcome.CHANGING, error.message))
        return True

    def _forget_readings(self, walked: Walked) -> None:
        """Discard the readings of files that are gone."""
        for key, reading in list(self._readings.items()):
            if key[0] not in walked.files and reading.done():
                del self._readings[key]
                if reading.exception() is not None:
                    logger.debug("%s was deleted while it was read.", key[0])

    async def _identify(self, file: FileOnDisk, keep: bool) -> Read:
        def go_on() -> None:
            if self._ending.is_set():
                raise Unavailable("The server ends.", hint="The file is read when it is up again.")

        store = self._store if keep else None
        path = Path(file.path)
        stamp, identity = await asyncio.to_thread(
            identify_stamped, path, file.kind, roots=self._roots, store=store, checkpoint=go_on
        )
        return Read(file, stamp, identity)

    # at rest -------------------------------------------------------------------------------------

    def _is_quiet(self, path: str, stamp: FileStamp) -> bool:
        """Return whether a file's last change is old enough, by its timestamps or by the scans that noticed it.

        The latter is for timestamps in the future, which disks of other machines and some programs write.
        """
        if stamp.is_settled(time.time_ns(), round(self._rest_s * 1e9)):
            self._noticed.pop(path, None)
            return True
        noticed = self._noticed.get(path)
        if noticed is None or noticed[0] != stamp:
            self._noticed[path] = (stamp, time.monotonic())
            return False
        return time.monotonic() - noticed[1] > self._rest_s

    def _soonest_s(self, waiting: Sequence[FileOnDisk]) -> float:
        """Return the seconds until the first of the waiting files may be at rest."""
        since = [time.monotonic() - self._noticed[file.path][1] for file in waiting if file.path in self._noticed]
        aged_ns = [time.time_ns() - max(file.stamp.mtime_ns, file.stamp.ctime_ns) for file in waiting]
        ages_s = [*since, *(age / 1e9 for age in aged_ns)]
        return min(max(self._rest_s - max(ages_s, default=0), 0) + 0.02, self._rest_s)


_FAILURES = frozenset({ScanOutcome.UNREADABLE, ScanOutcome.CHANGING})


def _changed(walked: Walked, records: dict[str, FileRecord], *, keep: bool) -> list[FileOnDisk]:
    """Return files that are new or changed, or whose bytes must now be stored."""

    def is_unchanged(file: FileOnDisk) -> bool:
        record = records.get(file.path)
        if record is None or record.stamp != file.stamp:
            return False
        return record.is_stored or not keep or record.refusal is not None or record.is_archived

    return [file for file in walked.files.values() if not is_unchanged(file)]


def _again(waiting: Sequence[FileOnDisk]) -> list[FileOnDisk]:
    """Return files with their current stamps, without those that were deleted. Blocks."""
    files: list[FileOnDisk] = []
    for file in waiting:
        try:
            stamp = stamp_of(Path(file.path))
        except (NotFound, Invalid):
            continue
        files.append(FileOnDisk(file.path, file.folders, file.kind, stamp))
    return files


def _stamps(folders: Sequence[Path], roots: Sequence[Path]) -> dict[str, FileStamp]:
    """Return the stamps of all files. Blocks."""
    return {path: file.stamp for path, file in walk(folders, roots).files.items()}


def _present(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Return those of ``folders`` that exist. Blocks."""
    return tuple(folder for folder in folders if folder.is_dir())


def _report_missing(folders: Sequence[Path], present: Sequence[Path], before: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders that do not exist; log them unless they are those of ``before``."""
    missing = tuple(folder for folder in folders if folder not in present)
    if missing and missing != before:
        logger.warning("Not watched until they exist: %s.", ", ".join(map(str, missing)))
    return missing
