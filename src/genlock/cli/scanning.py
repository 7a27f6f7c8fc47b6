"""``scan``: folders that are looked at, once or for as long as they are watched."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from genlock.cli.command import command
from genlock.cli.exit_codes import FAILED
from genlock.cli.formatting import clean, many
from genlock.cli.session import Session
from genlock.errors import Denied, Unavailable
from genlock.sdk.local import is_own
from genlock.sdk.scanning import memory_of
from genlock.watching.model import Scan, ScannedFile, ScanOutcome, line_of

_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_NOTHING = "Folders say what a file is, as in ComfyUI: models/loras, models/vae, input. Else: genlock asset add FILE."
_LOOKS_IN_VAIN = 60
_NOT_ALLOWED = frozenset({"outside_roots", "role_too_low"})
_TROUBLES = frozenset({ScanOutcome.REFUSED, ScanOutcome.UNREADABLE, ScanOutcome.CHANGING})
_LOST = frozenset({ScanOutcome.GONE})

Look = Callable[[], Scan]

app = typer.Typer()


@command(app, "scan", example="genlock scan ~/ComfyUI/models ~/ComfyUI/input --watch")
def scan(
    session: Session,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER", help="Folders as ComfyUI has them; those that the server watches unless said."
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until interrupted.")] = False,
    keep: Annotated[
        bool | None,
        typer.Option("--keep/--in-place", help="Copy the bytes into the store, or register files where they lie."),
    ] = None,
) -> None:
    """Register new and changed files in folders as assets and versions. Unchanged files cost next to nothing.

    The folder says the kind (loras, checkpoints, vae, …, input), the stem the name. This machine's own server looks by
    itself where it may (GENLOCK_SCAN_FOLDERS, GENLOCK_REGISTER_ROOTS); everywhere else files are read here and sent.
    """
    look = _way(session, tuple(folders or ()), keep)
    seen: list[ScannedFile] = []
    last = _until_done(session, look, seen)
    if watch:
        _until_interrupted(session, look)
    document = last.model_copy(update={"news": tuple(seen)})
    session.show(document, *_summary(document))
    if any(one.outcome in _TROUBLES for one in seen) or last.remaining:
        raise typer.Exit(FAILED)


def _way(session: Session, folders: Sequence[Path], keep: bool | None) -> Look:
    """How to look: the server by itself, or this machine, which sends what is new."""

    def by_server() -> Scan:
        return session.gl.scan(*folders, keep=keep)

    def by_sending() -> Scan:
        return session.gl.send_folders(*folders, memory=memory_of(settings.data, settings.url or str(settings.data)))

    settings = session.settings()
    if folders and keep is not False and not is_own(settings):
        return by_sending
    found: list[Scan] = []
    try:
        found.append(by_server())
    except Denied as denied:
        if not folders or keep is False or denied.code not in _NOT_ALLOWED:
            raise
        session.note("The server may not look there by itself: files are read here and sent.")
        return by_sending
    return lambda: found.pop() if found else by_server()


def _until_done(session: Session, look: Look, seen: list[ScannedFile]) -> Scan:
    """Look until nothing remains to be read, or what remains has kept changing for too long."""
    in_vain = 0
    while True:
        scan = look()
        _tell(session, scan.news)
        seen += scan.news
        in_vain = 0 if scan.news or scan.reading else in_vain + 1
        if not scan.remaining or in_vain >= _LOOKS_IN_VAIN:
            return scan
        time.sleep(_PAUSE_S)


def _until_interrupted(session: Session, look: Look) -> None:
    pause_s = _PAUSE_S
    session.note("Watching. Ctrl+C ends it.")
    while True:
        time.sleep(pause_s)
        try:
            scan = look()
        except Unavailable as error:
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            session.note(f"{error.message} Looking again in {pause_s:.0f} s.")
            continue
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S) if any(one.outcome in _TROUBLES for one in scan.news) else _PAUSE_S
        _tell(session, scan.news)


def _tell(session: Session, news: Sequence[ScannedFile]) -> None:
    """Say at once what was found; with ``--json`` on standard error, since the document comes at the end."""
    to = session.err if session.as_json else session.out
    for one in news:
        style = "red" if one.outcome in _TROUBLES else "yellow" if one.outcome in _LOST or one.becomes_stale else ""
        to.print(Text(clean(line_of(one)), style=style), soft_wrap=True)


def _summary(scan: Scan) -> list[Text]:
    counted = Counter(one.outcome for one in scan.news)
    new = counted[ScanOutcome.CREATED] + counted[ScanOutcome.EQUIVALENT]
    lines = [Text(f"{many(scan.files, 'file')}: {many(new, 'new version')}, {scan.unchanged:,} unchanged.")]
    if not scan.files:
        lines.append(Text(_NOTHING, style="dim"))
    if scan.remaining:
        lines.append(Text(f"{many(scan.remaining, 'file')} kept changing: scan again later.", style="red"))
    lines += [
        Text(f"{clean(path)} leads out of the folders that may be scanned.", style="dim") for path in scan.outside
    ]
    return lines
