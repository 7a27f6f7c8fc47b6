"""Records on disk until Genlock has them, each in its own folder with its outputs.

    1764000000000000000-<run>.4711.unfinished   being hashed by process 4711
    1764000000000000000-<run>                   waits to be delivered
    refused/1764000000000000000-<run>           Genlock will never accept it; ``why.txt`` has the reason

A folder is created by one rename and removed after Genlock has confirmed the record. After a crash in between, the
record is delivered again, and Genlock recognises its run.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger("genlock")

RECORD = "record.json"
_REFUSED = "refused"
_UNFINISHED = ".unfinished"
_NEW = ".new"


class Spool:
    """The folder of records to be delivered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._adopt()

    def begin(self, run: str, record: Mapping[str, Any], outputs: Sequence[str | None]) -> Path:
        """Store what is known of a run so far, with its outputs (as hard links, else as copies)."""
        name = f"{time.time_ns():019d}-{run}.{os.getpid()}{_UNFINISHED}"
        new = self.folder / f"{name}{_NEW}"
        new.mkdir(parents=True, mode=0o700)  # with the spool itself, in case it was deleted
        for number, path in enumerate(outputs):
            if path is not None:
                _link_or_copy(Path(path), new / output_name(number))
        _write(new / RECORD, record)
        entry = self.folder / name
        os.rename(new, entry)
        return entry

    def finish(self, entry: Path, record: Mapping[str, Any]) -> Path:
        """Store the complete record and return its entry, which may now be delivered."""
        _write(entry / RECORD, record)
        return self._finished(entry)

    def waiting(self) -> list[Path]:
        """Return the entries that wait to be delivered, oldest first."""
        suffixes = (_UNFINISHED, _NEW)
        entries = self.folder.iterdir() if self.folder.is_dir() else ()
        waiting = [entry for entry in entries if entry.name[:1].isdigit() and not entry.name.endswith(suffixes)]
        return sorted(waiting, key=lambda entry: entry.name)

    def refused(self) -> list[Path]:
        """Return the entries that Genlock refused."""
        folder = self.folder / _REFUSED
        return sorted(folder.iterdir()) if folder.exists() else []

    def delivered(self, entry: Path) -> None:
        """Remove an entry that Genlock has."""
        shutil.rmtree(entry)

    def refuse(self, entry: Path, why: str) -> None:
        """Move an entry that Genlock will never accept to ``refused``, with the reason in ``why.txt``."""
        (entry / "why.txt").write_text(why + "\n", encoding="utf-8")
        folder = self.folder / _REFUSED
        folder.mkdir(exist_ok=True, mode=0o700)
        os.rename(entry, folder / entry.name)

    def _adopt(self) -> None:
        """Remove half-written entries of processes that have ended, and deliver the half-hashed ones unfinished."""
        for entry in list(self.folder.iterdir()):
            if _owner_lives(entry.name):
                continue
            if entry.name.endswith(_NEW):
                shutil.rmtree(entry)
            elif entry.name.endswith(_UNFINISHED):
                logger.info("[genlock] ComfyUI ended before a run was hashed; its record is delivered without digests.")
                self._finished(entry)

    def _finished(self, entry: Path) -> Path:
        name = entry.name[: -len(_UNFINISHED)].rpartition(".")[0]
        ready = entry.with_name(name)
        os.rename(entry, ready)
        return ready


def output_name(number: int) -> str:
    """Return the file name of the output at this index of the record, in the folder and in the form."""
    return f"output_{number}"


def read_record(entry: Path) -> dict[str, Any]:
    """Return the record of an entry."""
    record: dict[str, Any] = json.loads((entry / RECORD).read_text(encoding="utf-8"))
    return record


def _write(path: Path, record: Mapping[str, Any]) -> None:
    new = path.with_suffix(".writing")
    with new.open("w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _link_or_copy(source: Path, target: Path) -> None:
    """Link or copy a file, so that removing or replacing the original leaves the target unchanged."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        logger.warning("[genlock] %s no longer exists; its bytes cannot be sent.", source.name)
    except OSError:
        shutil.copyfile(source, target)


def _owner_lives(name: str) -> bool:
    """Return whether the process that writes this entry is running; true for finished entries."""
    bare = name[: -len(_NEW)] if name.endswith(_NEW) else name
    if not bare.endswith(_UNFINISHED):
        return True
    owner = bare[: -len(_UNFINISHED)].rpartition(".")[2]
    if not owner.isdigit() or int(owner) == os.getpid():
        return False  # this process is new, so its pid was reused
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
