"""Records on disk until Genlock has them, each in a folder of its own with its outputs.

    1764000000000000000-<run>.4711.unfinished   being hashed by process 4711
    1764000000000000000-<run>                   waits to be delivered
    refused/1764000000000000000-<run>           Genlock will never take it; ``why.txt`` says why

A folder appears by one rename and goes after Genlock said that it has the record. What is cut off in between is
delivered again, and Genlock knows it by its run.
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
    """The folder of records that wait."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._adopt()

    def begin(self, run: str, record: Mapping[str, Any], outputs: Sequence[str | None]) -> Path:
        """Keep what is known of a run so far, with its outputs (links, or copies where links cannot be)."""
        name = f"{time.time_ns():019d}-{run}.{os.getpid()}{_UNFINISHED}"
        new = self.folder / f"{name}{_NEW}"
        new.mkdir(parents=True, mode=0o700)  # with the spool itself, if somebody cleared it away
        for number, path in enumerate(outputs):
            if path is not None:
                _keep(Path(path), new / output_name(number))
        _write(new / RECORD, record)
        entry = self.folder / name
        os.rename(new, entry)
        return entry

    def finish(self, entry: Path, record: Mapping[str, Any]) -> Path:
        """The record is complete: it may be delivered."""
        _write(entry / RECORD, record)
        return self._finished(entry)

    def waiting(self) -> list[Path]:
        """What waits to be delivered, oldest first."""
        suffixes = (_UNFINISHED, _NEW)
        there = self.folder.iterdir() if self.folder.is_dir() else ()
        found = [one for one in there if one.name[:1].isdigit() and not one.name.endswith(suffixes)]
        return sorted(found, key=lambda entry: entry.name)

    def refused(self) -> list[Path]:
        """What Genlock would not take."""
        folder = self.folder / _REFUSED
        return sorted(folder.iterdir()) if folder.exists() else []

    def delivered(self, entry: Path) -> None:
        """Genlock has it."""
        shutil.rmtree(entry)

    def refuse(self, entry: Path, why: str) -> None:
        """Put a record aside that Genlock will never take, for a person to look at."""
        (entry / "why.txt").write_text(why + "\n", encoding="utf-8")
        folder = self.folder / _REFUSED
        folder.mkdir(exist_ok=True, mode=0o700)
        os.rename(entry, folder / entry.name)

    def _adopt(self) -> None:
        """What a process that is gone left: half made goes, half hashed is delivered as it is."""
        for entry in list(self.folder.iterdir()):
            if _owner_lives(entry.name):
                continue
            if entry.name.endswith(_NEW):
                shutil.rmtree(entry)
            elif entry.name.endswith(_UNFINISHED):
                logger.info(
                    "[genlock] a run of an earlier ComfyUI was not hashed to its end; it is delivered as it is."
                )
                self._finished(entry)

    def _finished(self, entry: Path) -> Path:
        name = entry.name[: -len(_UNFINISHED)].rpartition(".")[0]
        ready = entry.with_name(name)
        os.rename(entry, ready)
        return ready


def output_name(number: int) -> str:
    """What the output with this place in the record is called in the folder, and in the form."""
    return f"output_{number}"


def read_record(entry: Path) -> dict[str, Any]:
    """The record in a folder of the spool."""
    found: dict[str, Any] = json.loads((entry / RECORD).read_text(encoding="utf-8"))
    return found


def _write(path: Path, record: Mapping[str, Any]) -> None:
    beside = path.with_suffix(".writing")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def _keep(source: Path, target: Path) -> None:
    """A second name for a file, or a copy: whoever removes or replaces the first leaves this one alone."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        logger.warning("[genlock] %s is gone already; its bytes cannot be sent.", source.name)
    except OSError:
        shutil.copyfile(source, target)


def _owner_lives(name: str) -> bool:
    """Whether the process that makes this entry is there; finished ones have none."""
    bare = name[: -len(_NEW)] if name.endswith(_NEW) else name
    if not bare.endswith(_UNFINISHED):
        return True
    owner = bare[: -len(_UNFINISHED)].rpartition(".")[2]
    if not owner.isdigit() or int(owner) == os.getpid():
        return False  # a number that was given out again
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
