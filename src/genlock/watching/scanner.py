"""Looks at folders and makes versions of what is new there, until it is told to end.

    walk ─▶ compare stamps with what is remembered ─▶ read what is new and at rest ─▶ one transaction for each file:
            a few thousand files: milliseconds         both digests in one reading      version, active, remembered

A file is read once its last change is two seconds old: one that is being written is waited for, and the times of a
file system could not tell two changes apart sooner. A file that changes while it is read is read again. Whatever is
killed, a file is either remembered with its version, or not at all and is read again.
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
from genlock.watching.model import Remembered, Scan, ScannedFile, ScanOutcome, line_of, trouble, unreadable
from genlock.watching.register import Read, register, tell_lost
from genlock.watching.walking import Found, Walked, allowed_folders, walk

logger = logging.getLogger(__name__)
SCANNER = Actor(token_id=None, name="genlock-scan", role=Role.ADMIN)
_READ_AT_ONCE = 3
_MOMENT_S = 1.0
_WATCH_S = 1.0
_WATCH_BUDGET_S = 1.5
_SOON_S = 0.1
_AT_REST = 5
"""How much longer than it took to compare stamps nothing is done, where there are very many files."""

_LONGEST_PAUSE_S = 30.0

Reading = asyncio.Task[Read]


@dataclass
class _Look:
    """One look at some folders, as it goes on."""

    keep: bool
    wait: bool
    actor: Actor
    until_s: float
    known: dict[str, Remembered]
    news: list[ScannedFile] = field(default_factory=list[ScannedFile])
    waiting: list[Found] = field(default_factory=list[Found])
    reading: str | None = None


class Scanner:
    """Scans of one process, one look at a time. A reading that takes longer than a look may goes on behind it.

    ``rest_s``: how old a file's last change must be; not less than the coarsest clock of a file system that is scanned.
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
        self._first_seen: dict[str, tuple[FileStamp, float]] = {}
        self._ending = threading.Event()

    async def look(
        self,
        folders: Sequence[Path],
        *,
        keep: bool,
        actor: Actor = SCANNER,
        budget_s: float = 5.0,
        wait: bool = True,
    ) -> Scan:
        """Look at ``folders`` for about ``budget_s`` seconds; ``remaining`` says how many files are left to be read.

        Files that are not at rest yet are waited for, unless ``wait`` is false.

        ``NotFound`` for a folder that is not there, ``Denied`` for one that is not below the roots.
        """
        allowed_folders(folders, self._roots)
        async with self._turn:
            until_s = time.monotonic() + budget_s
            walked = await asyncio.to_thread(walk, folders, self._roots)
            resolved = [str(folder.resolve()) for folder in folders]
            async with self._db.transaction() as conn:
                known = await scan_sql.remembered_below(conn, self._host, resolved)
            look = _Look(keep=keep, wait=wait, actor=actor, until_s=until_s, known=known)
            self._forget_readings(walked)
            await self._note_gone(look, walked)
            changed = _changed(walked, known, keep=keep)
            look.news += unreadable(walked)
            await self._read_all(look, changed)
            return Scan(
                folders=tuple(str(folder) for folder in folders),
                files=len(walked.files),
                unchanged=len(walked.files) - len(changed),
                remaining=len(look.waiting),
                settling=sum(not self._is_quiet(found.path, found.stamp) for found in look.waiting),
                reading=look.reading,
                news=tuple(look.news),
                outside=tuple(walked.outside),
            )

    async def watch(self, folders: Sequence[Path], *, keep: bool, every_s: float = _WATCH_S) -> None:
        """Look at ``folders`` again and again until cancelled; whatever is away meanwhile is waited for.

        Stamps are compared every second, whatever else there is: what could not be read is tried again less and less
        often, and holds nothing else up.
        """
        seen: dict[str, FileStamp] | None = None
        told: set[tuple[str, str | None]] = set()
        away: tuple[Path, ...] = ()
        retry_s, retry_at_s = every_s, math.inf
        while True:
            pause_s = every_s
            try:
                there = await asyncio.to_thread(_present, folders)
                away = _tell_away(folders, there, away)
                started_s = time.monotonic()
                stamps = await asyncio.to_thread(_stamps, there, self._roots)
                pause_s = max(pause_s, _AT_REST * (time.monotonic() - started_s))
                if stamps != seen or time.monotonic() >= retry_at_s:
                    scan = await self.look(there, keep=keep, budget_s=_WATCH_BUDGET_S, wait=False)
                    troubles = {(news.path, news.why) for news in scan.news if news.outcome in _TROUBLES}
                    for news in scan.news:
                        if (news.path, news.why) not in told:  # what stays unreadable is said once
                            logger.info("%s", line_of(news))
                    seen = None if scan.remaining else stamps
                    if scan.remaining > scan.settling:
                        pause_s = _SOON_S
                    told = troubles if not scan.remaining else told | troubles
                    retry_s = min(2 * retry_s, _LONGEST_PAUSE_S) if troubles else every_s
                    retry_at_s = time.monotonic() + retry_s if troubles else math.inf
            except GenlockError as error:
                seen = None
                pause_s = retry_s = min(2 * retry_s, _LONGEST_PAUSE_S)
                logger.warning("Scanning has to wait %.0f s: %s", pause_s, error.message)
            except Exception:  # one file or disk may fail in any way: that is said, and watching goes on
                seen = None
                pause_s = retry_s = min(2 * retry_s, _LONGEST_PAUSE_S)
                logger.exception("Scanning failed in an unforeseen way, and goes on in %.0f s.", pause_s)
            await asyncio.sleep(pause_s)

    async def close(self) -> None:
        """End what is being read."""
        self._ending.set()
        await asyncio.gather(*self._readings.values(), return_exceptions=True)
        self._readings.clear()

    # one look ------------------------------------------------------------------------------------

    async def _note_gone(self, look: _Look, walked: Walked) -> None:
        """Note which files are not there any more, and which are there again as they were."""
        below_unreadable = tuple(f"{path}/" for path in walked.unreadable)
        gone = [
            path
            for path, one in look.known.items()
            if not one.is_gone
            and path not in walked.files
            and path not in walked.unreadable
            and not path.startswith(below_unreadable)
        ]
        back = [
            path
            for path, one in look.known.items()
            if one.is_gone and path in walked.files and walked.files[path].stamp == one.stamp
        ]
        if not gone and not back:
            return
        async with self._db.transaction() as conn:
            await scan_sql.mark_gone(conn, self._host, gone)
            await scan_sql.mark_back(conn, self._host, back)
            found = await scan_sql.versions_at(conn, self._host, [*gone, *back])
            lost: list[ScannedFile] = []
            for path, (asset, number, is_lost) in found.items():
                outcome = ScanOutcome.GONE if path in set(gone) else ScanOutcome.BACK
                why = "The bytes of this version are gone with it: they were not kept." if is_lost else None
                one = ScannedFile(
                    path=path,
                    outcome=outcome,
                    kind=asset.kind,
                    asset_id=asset.id,
                    name=asset.name,
                    version=number,
                    active=asset.active_version == number,
                    why=why,
                )
                lost.append(one)
                if is_lost:
                    await tell_lost(conn, asset, number, path, look.actor)
        look.news += lost

    async def _read_all(self, look: _Look, changed: Sequence[Found]) -> None:
        """Read and register what is at rest; wait for the others as long as there is time, if that is wanted."""
        look.waiting = list(changed)
        while look.waiting:
            ready = [one for one in look.waiting if self._is_quiet(one.path, one.stamp)]
            if not ready:
                pause_s = self._soonest_s(look.waiting)
                if not look.wait or time.monotonic() + pause_s > look.until_s:
                    return
                await asyncio.sleep(pause_s)
                look.waiting = await asyncio.to_thread(_again, look.waiting)
                continue
            for one in ready:
                if (one.path, look.keep) not in self._readings and len(self._readings) >= _READ_AT_ONCE:
                    continue  # what is large goes on behind; what is small gets by as long as there is room
                if await self._read(look, one):
                    look.waiting.remove(one)
                else:
                    look.reading = one.path
                if time.monotonic() > look.until_s:
                    return

    async def _read(self, look: _Look, found: Found) -> bool:
        """Read a file and register it; false when that takes longer than a moment, and it goes on meanwhile."""
        before = look.known.get(found.path)
        if before is not None and before.is_archived:
            return True  # hidden from new work: neither news nor trouble
        key = (found.path, look.keep)
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = asyncio.create_task(self._identify(found, look.keep))
        done, _ = await asyncio.wait({reading}, timeout=min(max(look.until_s - time.monotonic(), 0.05), _MOMENT_S))
        if not done:
            return False
        del self._readings[key]
        try:
            news = await register(self._db, self._host, reading.result(), keep=look.keep, actor=look.actor)
            if news is not None:
                look.news.append(news)
        except Invalid as error:
            # Remembered with its stamp, so that it is not read again before it has changed.
            async with self._db.transaction() as conn:
                await scan_sql.remember(conn, self._host, found.path, found.stamp, version=None, refusal=error.message)
            look.news.append(trouble(found, ScanOutcome.REFUSED, error.message))
        except (NotFound, Unavailable, Denied) as error:
            look.news.append(trouble(found, ScanOutcome.UNREADABLE, error.message))
        except Conflict as error:
            look.news.append(trouble(found, ScanOutcome.CHANGING, error.message))
        return True

    def _forget_readings(self, walked: Walked) -> None:
        """Let go of what was read of files that are not there any more."""
        for key, reading in list(self._readings.items()):
            if key[0] not in walked.files and reading.done():
                del self._readings[key]
                if reading.exception() is not None:
                    logger.debug("%s went while it was read.", key[0])

    async def _identify(self, found: Found, keep: bool) -> Read:
        def go_on() -> None:
            if self._ending.is_set():
                raise Unavailable("The server ends.", hint="The file is read when it is up again.")

        store = self._store if keep else None
        path = Path(found.path)
        stamp, identity = await asyncio.to_thread(
            identify_stamped, path, found.kind, roots=self._roots, store=store, checkpoint=go_on
        )
        return Read(found, stamp, identity)

    # at rest -------------------------------------------------------------------------------------

    def _is_quiet(self, path: str, stamp: FileStamp) -> bool:
        """Whether a file's last change is old enough: by its own times, or because we have seen it so for as long.

        The second is for times in the future, which disks of other machines and some programs write.
        """
        if stamp.is_settled(time.time_ns(), round(self._rest_s * 1e9)):
            self._first_seen.pop(path, None)
            return True
        seen = self._first_seen.get(path)
        if seen is None or seen[0] != stamp:
            self._first_seen[path] = (stamp, time.monotonic())
            return False
        return time.monotonic() - seen[1] > self._rest_s

    def _soonest_s(self, waiting: Sequence[Found]) -> float:
        """In how many seconds the first of the files that are not at rest may be."""
        since = [time.monotonic() - self._first_seen[one.path][1] for one in waiting if one.path in self._first_seen]
        aged_ns = [time.time_ns() - max(one.stamp.mtime_ns, one.stamp.ctime_ns) for one in waiting]
        ages_s = [*since, *(age / 1e9 for age in aged_ns)]
        return min(max(self._rest_s - max(ages_s, default=0), 0) + 0.02, self._rest_s)


_TROUBLES = frozenset({ScanOutcome.UNREADABLE, ScanOutcome.CHANGING})


def _changed(walked: Walked, known: dict[str, Remembered], *, keep: bool) -> list[Found]:
    """Files that are new, or not as they were, or whose bytes are to be kept from now on."""

    def is_as_it_was(found: Found) -> bool:
        one = known.get(found.path)
        if one is None or one.stamp != found.stamp:
            return False
        return one.is_stored or not keep or one.refusal is not None or one.is_archived

    return [one for one in walked.files.values() if not is_as_it_was(one)]


def _again(waiting: Sequence[Found]) -> list[Found]:
    """Files with the stamps they have now; those that went meanwhile are left out. Blocks."""
    found: list[Found] = []
    for one in waiting:
        try:
            stamp = stamp_of(Path(one.path))
        except (NotFound, Invalid):
            continue
        found.append(Found(one.path, one.folders, one.kind, stamp))
    return found


def _stamps(folders: Sequence[Path], roots: Sequence[Path]) -> dict[str, FileStamp]:
    """The stamps of everything that is there. Blocks."""
    return {path: found.stamp for path, found in walk(folders, roots).files.items()}


def _present(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Those of ``folders`` that are there. Blocks."""
    return tuple(folder for folder in folders if folder.is_dir())


def _tell_away(folders: Sequence[Path], there: Sequence[Path], before: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders that are away; said when they are others than ``before``."""
    away = tuple(folder for folder in folders if folder not in there)
    if away and away != before:
        logger.warning("Not watched until they are there: %s.", ", ".join(map(str, away)))
    return away
