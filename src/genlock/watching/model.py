"""Requests for scans and their results."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from genlock.library.stamps import FileStamp
from genlock.model import Kind, Model
from genlock.watching.walking import FileOnDisk, Walked

FolderName = Annotated[str, Field(min_length=1, max_length=4096)]


class NewScan(Model):
    """The folders to scan, by default those of the settings, and whether to store the bytes.

    Without ``keep`` a file is registered in place: once it is overwritten, its earlier content is lost.
    """

    folders: Annotated[tuple[FolderName, ...], Field(max_length=100)] = ()
    keep: bool | None = None


class ScanOutcome(StrEnum):
    """The result for a file: a new version, one equal to another, or a registered one; or why there is none."""

    CREATED = "created"
    EQUIVALENT = "equivalent"
    EXISTS = "exists"
    GONE = "gone"
    BACK = "back"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    CHANGING = "changing"


class ScannedFile(Model):
    """A file that changed, and the version that has its bytes; of a deleted file, the version that had them.

    ``replaced`` is the previous version, and ``replaced_gone`` whether its bytes are lost, because they were not
    stored. ``becomes_stale`` counts segments.
    """

    path: str
    outcome: ScanOutcome
    kind: Kind | None = None
    asset_id: int | None = None
    name: str | None = None
    version: int | None = None
    active: bool = False
    replaced: int | None = None
    replaced_gone: bool = False
    becomes_stale: int = 0
    why: str | None = None


class Scan(Model):
    """The result of one scan of some folders. ``remaining`` files are left for the next scan.

    ``settling`` of those changed so recently that they may still be written. ``outside`` lists links that lead out of
    the folders that may be scanned.
    """

    folders: tuple[str, ...]
    files: int
    unchanged: int
    remaining: int
    settling: int
    reading: str | None = None
    changes: tuple[ScannedFile, ...] = ()
    outside: tuple[str, ...] = ()


class FileRecord(Model):
    """The record of a file's last scan. ``is_stored`` is whether the store has its bytes."""

    path: str
    asset_id: int | None
    number: int | None
    refusal: str | None
    stamp: FileStamp
    is_gone: bool
    is_archived: bool
    is_stored: bool


_SENTENCES = {
    ScanOutcome.CREATED: "is new",
    ScanOutcome.EQUIVALENT: "is new, equal in effect to an earlier version",
    ScanOutcome.EXISTS: "is there again, or under another name",
    ScanOutcome.GONE: "is not there any more",
    ScanOutcome.BACK: "is back",
    ScanOutcome.REFUSED: "cannot be a version",
    ScanOutcome.UNREADABLE: "cannot be read",
    ScanOutcome.CHANGING: "keeps changing",
}


def failure(file: FileOnDisk, outcome: ScanOutcome, why: str) -> ScannedFile:
    """Return the result for a file that is not a version, and why."""
    return ScannedFile(path=file.path, outcome=outcome, kind=file.kind, why=why)


def unreadable(walked: Walked) -> list[ScannedFile]:
    """Return the results for what a walk could not read."""
    return [ScannedFile(path=path, outcome=ScanOutcome.UNREADABLE, why=why) for path, why in walked.unreadable.items()]


def line_of(file: ScannedFile) -> str:
    """Return a result in one line, with control characters in the path escaped."""
    path = "".join(char if char.isprintable() else repr(char)[1:-1] for char in file.path)
    return f"{path}: {sentence_of(file)}"


def sentence_of(file: ScannedFile) -> str:
    """Return a result in words, without the path."""
    subject = f"{file.kind}:{file.name}@{file.version}" if file.version is not None else file.kind or "file"
    sentence = f"{subject} {_SENTENCES[file.outcome]}"
    if file.active and file.outcome in {ScanOutcome.CREATED, ScanOutcome.EQUIVALENT}:
        sentence += " and active"
    if file.replaced is not None:
        sentence += f", in the place of v{file.replaced}"
    if file.replaced_gone:
        sentence += ", whose bytes are gone: they were not kept"
    if file.becomes_stale:
        sentence += f"; {file.becomes_stale} segment{'s' * (file.becomes_stale != 1)} became stale"
    return f"{sentence}. {file.why or ''}".strip()
