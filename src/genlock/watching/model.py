"""Scans as they are asked for and answered: what was looked at, and what is new."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from genlock.library.stamps import FileStamp
from genlock.model import Kind, Model
from genlock.watching.walking import Found, Walked

FolderName = Annotated[str, Field(min_length=1, max_length=4096)]


class NewScan(Model):
    """What to scan: folders on the server's disk, by default those of its settings; and whether to keep the bytes.

    Without ``keep`` a file is registered where it lies: once it is overwritten, what it was is gone.
    """

    folders: Annotated[tuple[FolderName, ...], Field(max_length=100)] = ()
    keep: bool | None = None


class ScanOutcome(StrEnum):
    """What a scan found about a file: a version that is new, equal to one, or known; or why there is none."""

    CREATED = "created"
    EQUIVALENT = "equivalent"
    EXISTS = "exists"
    GONE = "gone"
    BACK = "back"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    CHANGING = "changing"


class ScannedFile(Model):
    """A file that is news, and the version that has its bytes; of one that is gone, the version that had them.

    ``replaced`` is the version that was there before, and ``replaced_gone`` whether its bytes are lost by that, because
    they were not kept. ``becomes_stale`` counts segments.
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
    """What one look at some folders found. ``remaining`` files are still to be read: ask again, and it goes on.

    ``settling`` of those were changed so recently that they may still be being written. ``outside`` lists links that
    lead out of the folders that may be scanned.
    """

    folders: tuple[str, ...]
    files: int
    unchanged: int
    remaining: int
    settling: int
    reading: str | None = None
    news: tuple[ScannedFile, ...] = ()
    outside: tuple[str, ...] = ()


class Remembered(Model):
    """What is known of a file from the last time it was seen; ``is_stored``: whether the store has its bytes."""

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


def trouble(found: Found, outcome: ScanOutcome, why: str) -> ScannedFile:
    """News of a file that is no version, and why."""
    return ScannedFile(path=found.path, outcome=outcome, kind=found.kind, why=why)


def unreadable(walked: Walked) -> list[ScannedFile]:
    """News of what a walk could not read."""
    return [ScannedFile(path=path, outcome=ScanOutcome.UNREADABLE, why=why) for path, why in walked.unreadable.items()]


def line_of(news: ScannedFile) -> str:
    """A piece of news in one line, whatever characters the path holds."""
    path = "".join(one if one.isprintable() else repr(one)[1:-1] for one in news.path)
    return f"{path}: {sentence_of(news)}"


def sentence_of(news: ScannedFile) -> str:
    """A piece of news in words, without the path."""
    subject = f"{news.kind}:{news.name}@{news.version}" if news.version is not None else news.kind or "file"
    said = f"{subject} {_SENTENCES[news.outcome]}"
    if news.active and news.outcome in {ScanOutcome.CREATED, ScanOutcome.EQUIVALENT}:
        said += " and active"
    if news.replaced is not None:
        said += f", in the place of v{news.replaced}"
    if news.replaced_gone:
        said += ", whose bytes are gone: they were not kept"
    if news.becomes_stale:
        said += f"; {news.becomes_stale} segment{'s' * (news.becomes_stale != 1)} became stale"
    return f"{said}. {news.why or ''}".strip()
