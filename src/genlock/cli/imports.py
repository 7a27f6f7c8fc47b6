"""``import``: takes made before Genlock."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from genlock.capture.import_model import NOT_COUNTED, Imported, ImportOutcome
from genlock.cli.command import command
from genlock.cli.exit_codes import FAILED
from genlock.cli.formatting import clean, heading, many
from genlock.cli.session import Session
from genlock.cli.tables import table
from genlock.model import InputRole
from genlock.sdk.imports import ImportedFile
from genlock.sdk.old_work import DEFAULT_PATTERN, OldWork

_MOST_REASONS = 15

app = typer.Typer()


@command(app, "import", example="genlock import output --pattern '{project}/{scene}/{segment}' --dry-run")
def import_folder(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder with the old work.")],
    pattern: Annotated[
        str,
        typer.Option(help="Where a path names {project}, {scene}, {segment} and {counter}."),
    ] = DEFAULT_PATTERN,
    project: Annotated[str | None, typer.Option(help="The project, where the pattern has none.")] = None,
    scene: Annotated[str | None, typer.Option(help="The scene, where the pattern has none.")] = None,
    engine_version: Annotated[
        str | None, typer.Option(help="The version of ComfyUI that generated the files, which do not record it.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be recorded without recording it.")
    ] = False,
) -> None:
    """Record takes made before Genlock, from the metadata of their files. Repeating it adds nothing.

    MP4, MOV, WEBM, MKV, WEBP, GIF and PNG, animated or not, are read. The same name in several of them is one take;
    counters (`walk_00003_`) are takes of one segment, unless the pattern has {counter}: then each counter is its own
    segment.
    """
    work = session.gl.find_old_work(folder, pattern, project=project, scene=scene)
    done: list[ImportedFile] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=session.err, transient=True, disable=not session.err.is_terminal) as progress:
        task = progress.add_task("importing", total=len(work.takes))
        for imported_file in session.gl.import_work(work, engine_version=engine_version, dry_run=dry_run):
            done.append(imported_file)
            progress.update(task, completed=len(done), description=clean(imported_file.take.name))
    imported = [imported_file.imported for imported_file in done if imported_file.imported is not None]
    refused = [imported_file for imported_file in done if imported_file.refused is not None]
    session.show(_document(work, done, imported), *_lines(work, done, imported, dry_run=dry_run))
    if refused:
        raise typer.Exit(FAILED)


def sentence(explained: int, total: int) -> str:
    """Return the percentage of takes that can be explained; rounded down, so 100 % means all."""
    if not total:
        return "No takes were found."
    return f"{100 * explained // total} % of {many(total, 'take')} can be explained"


def reasons(imported: Sequence[Imported]) -> list[tuple[str, int]]:
    """Return the reasons why takes cannot be explained, each with its number of takes, the most frequent first."""
    counted: Counter[str] = Counter()
    for take in imported:
        unmatched = [used for used in take.inputs if used.version is None and used.role is not InputRole.SEED_FRAME]
        unknown = {
            f"{used.role} {used.name or used.digest}: {_why_unmatched(used.asset_id, used.digest)}"
            for used in unmatched
        }
        missing = [word for word in take.missing if word not in NOT_COUNTED and not word.endswith("].digest")]
        lacks = {f"{word} is unknown" for word in missing}
        counted.update(unknown | lacks)
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _why_unmatched(asset_id: int | None, digest: str | None) -> str:
    if digest is not None:
        return "no version has these bytes"
    return "no asset has this name" if asset_id is None else "several versions have this name"


def _document(work: OldWork, done: Sequence[ImportedFile], imported: Sequence[Imported]) -> dict[str, Any]:
    explained = sum(entry.explained for entry in imported)
    return {
        "sentence": sentence(explained, len(done)),
        "explained": explained,
        "total": len(done),
        "items": list(imported),
        "reasons": [{"reason": reason, "takes": count} for reason, count in reasons(imported)],
        "refused": [
            {
                "name": entry.take.name,
                "message": entry.refused.message,
                "hint": entry.refused.hint,
                "code": entry.refused.code,
            }
            for entry in done
            if entry.refused is not None
        ],
        "skipped": [{"name": entry.name, "why": entry.why} for entry in work.skipped],
    }


def _lines(
    work: OldWork, done: Sequence[ImportedFile], imported: Sequence[Imported], *, dry_run: bool
) -> list[RenderableType]:
    explained = sum(entry.explained for entry in imported)
    outcomes = Counter(entry.outcome for entry in imported)
    new = outcomes[ImportOutcome.WOULD_RECORD if dry_run else ImportOutcome.RECORDED]
    recorded = (
        f"{many(new, 'take')} {'would be recorded' if dry_run else ('was' if new == 1 else 'were') + ' recorded'}"
    )
    lines: list[RenderableType] = [
        heading(sentence(explained, len(done))),
        f"{recorded}, {outcomes[ImportOutcome.EXISTS]} already recorded.",
    ]
    why = reasons(imported)
    if why:
        lines.append(table(("takes", "unknown"), [(count, reason) for reason, count in why[:_MOST_REASONS]]))
        if len(why) > _MOST_REASONS:
            lines.append(f"… and {len(why) - _MOST_REASONS} more reasons: --json has all.")
        if dry_run:
            lines.append("A receipt is written once: register what is missing (genlock asset add), then import.")
    for entry in done:
        if entry.refused is not None:
            lines.append(Text(_refused(entry.take.name, clean(entry.refused.message)), style="red"))
    skipped = Counter(entry.why for entry in work.skipped)
    for why, count in skipped.items():
        first = next(entry.name for entry in work.skipped if entry.why == why)
        lines.append(Text(f"{many(count, 'file')} left out, such as {clean(first)}: {why}.", style="dim"))
    return lines


def _refused(name: str, message: str) -> str:
    return f"Refused: {message}" if name in message else f"Refused: {clean(name)}: {message}"
