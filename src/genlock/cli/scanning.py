"""``scan``: register the files in folders, once or continuously."""

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
_NOTHING = "The folder gives the kind, as in ComfyUI: models/loras, models/vae, input. Else: genlock asset add FILE."
_IDLE_SCANS = 60
_NOT_ALLOWED = frozenset({"outside_roots", "role_too_low"})
_FAILURES = frozenset({ScanOutcome.REFUSED, ScanOutcome.UNREADABLE, ScanOutcome.CHANGING})
_LOST = frozenset({ScanOutcome.GONE})

RunScan = Callable[[], Scan]

app = typer.Typer()


@command(app, "scan", example="genlock scan ~/ComfyUI/models ~/ComfyUI/input --watch")
def scan(
    session: Session,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FOLDER", help="Folders as ComfyUI has them; by default those that the server watches."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Continue until interrupted.")] = False,
    keep: Annotated[
        bool | None,
        typer.Option("--keep/--in-place", help="Copy the bytes into the store, or register files in place."),
    ] = None,
) -> None:
    """Register new and changed files in folders as assets and versions. Unchanged files are not read.

    The folder gives the kind (loras, checkpoints, vae, …, input), the stem the name. The server of this machine reads
    folders itself where it is allowed to (GENLOCK_SCAN_FOLDERS, GENLOCK_REGISTER_ROOTS); other files are uploaded.
    """
    run_scan = _choose_scan(session, tuple(folders or ()), keep)
    reported: list[ScannedFile] = []
    last = _until_done(session, run_scan, reported)
    if watch:
        _until_interrupted(session, run_scan)
    document = last.model_copy(update={"changes": tuple(reported)})
    session.show(document, *_summary(document))
    if any(file.outcome in _FAILURES for file in reported) or last.remaining:
        raise typer.Exit(FAILED)


def _choose_scan(session: Session, folders: Sequence[Path], keep: bool | None) -> RunScan:
    """Return the scan to run: on the server, or on this machine, which uploads new files."""

    def by_server() -> Scan:
        return session.gl.scan(*folders, keep=keep)

    def by_sending() -> Scan:
        return session.gl.send_folders(*folders, memory=memory_of(settings.data, settings.url or str(settings.data)))

    settings = session.settings()
    if folders and keep is not False and not is_own(settings):
        return by_sending
    first_scan: list[Scan] = []
    try:
        first_scan.append(by_server())
    except Denied as denied:
        if not folders or keep is False or denied.code not in _NOT_ALLOWED:
            raise
        session.note("The server may not read these folders: files are uploaded from here.")
        return by_sending
    return lambda: first_scan.pop() if first_scan else by_server()


def _until_done(session: Session, run_scan: RunScan, reported: list[ScannedFile]) -> Scan:
    """Scan until all files are read, or the remaining ones have kept changing for too long."""
    idle_scans = 0
    while True:
        scan = run_scan()
        _print_files(session, scan.changes)
        reported += scan.changes
        idle_scans = 0 if scan.changes or scan.reading else idle_scans + 1
        if not scan.remaining or idle_scans >= _IDLE_SCANS:
            return scan
        time.sleep(_PAUSE_S)


def _until_interrupted(session: Session, run_scan: RunScan) -> None:
    pause_s = _PAUSE_S
    session.note("Watching. Press Ctrl-C to stop.")
    while True:
        time.sleep(pause_s)
        try:
            scan = run_scan()
        except Unavailable as error:
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            session.note(f"{error.message} Retrying in {pause_s:.0f} s.")
            continue
        pause_s = (
            min(2 * pause_s, _LONGEST_PAUSE_S) if any(file.outcome in _FAILURES for file in scan.changes) else _PAUSE_S
        )
        _print_files(session, scan.changes)


def _print_files(session: Session, files: Sequence[ScannedFile]) -> None:
    """Print files as they are scanned; with ``--json`` to standard error, since the document comes at the end."""
    to = session.err if session.as_json else session.out
    for file in files:
        style = "red" if file.outcome in _FAILURES else "yellow" if file.outcome in _LOST or file.becomes_stale else ""
        to.print(Text(clean(line_of(file)), style=style), soft_wrap=True)


def _summary(scan: Scan) -> list[Text]:
    counted = Counter(file.outcome for file in scan.changes)
    new = counted[ScanOutcome.CREATED] + counted[ScanOutcome.EQUIVALENT]
    lines = [Text(f"{many(scan.files, 'file')}: {many(new, 'new version')}, {scan.unchanged:,} unchanged.")]
    if not scan.files:
        lines.append(Text(_NOTHING, style="dim"))
    if scan.remaining:
        lines.append(Text(f"{many(scan.remaining, 'file')} kept changing: scan again later.", style="red"))
    lines += [Text(f"{clean(path)} is outside the folders that may be scanned.", style="dim") for path in scan.outside]
    return lines
