"""``reproduce`` and ``reproductions``: run a receipt again, and say how like the original that is."""

from typing import Annotated

import typer
from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from genlock.cli.command import command
from genlock.cli.exit_codes import FAILED
from genlock.cli.formatting import clean, heading, seconds_word, short
from genlock.cli.receipts import find_take
from genlock.cli.session import Session
from genlock.cli.tables import pairs, table
from genlock.cli.times import ago
from genlock.errors import Invalid, NotFound
from genlock.regeneration.reproduction.model import Comparison, Reproduction, ReproductionState, Verdict
from genlock.sdk.references import parse_segment
from genlock.sdk.usage_codes import BAD_REFERENCE

_STYLES = {
    Verdict.IDENTICAL: "bold green",
    Verdict.SAME_FRAMES: "bold green",
    Verdict.VISUALLY_EQUAL: "bold cyan",
    Verdict.DIFFERENT: "bold red",
}
What = Annotated[
    str, typer.Argument(metavar="SEGMENT|RECEIPT", help="A segment, such as rooftop/night/3, or a receipt's id.")
]
Take = Annotated[int | None, typer.Option(min=1, help="Another take of the segment than the one in the cut.")]

app = typer.Typer()


@command(app, "reproduce", example="genlock reproduce rooftop/night/3 --take 2")
def reproduce(
    session: Session,
    what: What,
    take: Take = None,
    runs: Annotated[int, typer.Option(min=1, max=2, help="Run it twice to see what chance alone does.")] = 1,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for the verdict.")] = True,
) -> None:
    """Render a receipt again with the same inputs, graph and engine, and compare. Records no take.

    Exits with 1 if the result differs or the run fails.
    """
    found = session.gl.reproduce(_receipt(session, what, take), runs=runs)
    if follow:
        found = _follow(session, found)
    session.show(found, *reproduction_lines(found))
    if found.state is ReproductionState.FAILED or found.verdict is Verdict.DIFFERENT:
        raise typer.Exit(FAILED)


@command(app, "reproductions", example="genlock reproductions rooftop/night/3")
def list_reproductions(session: Session, what: What, take: Take = None) -> None:
    """List the reproductions of a receipt with their verdicts, newest first."""
    found = list(session.gl.reproductions(_receipt(session, what, take)))
    rows = [
        (
            one.id,
            one.receipt_id,
            _word(one),
            "" if one.result is None else one.result.comparison.why,
            one.runs,
            one.created_by,
            ago(one.finished_at or one.created_at),
        )
        for one in found
    ]
    headings = ("id", "receipt", "verdict", "why", "runs", "asked by", "when")
    session.show({"items": found, "total": len(found)}, table(headings, rows) if rows else "None.")


def reproduction_lines(one: Reproduction) -> list[RenderableType]:
    """A reproduction for people: the verdict first, then what was measured, then what differs around it."""
    lines: list[RenderableType] = [Text.assemble(f"Receipt {one.receipt_id}, run again by {one.engine}: ", _word(one))]
    if one.error is not None:
        lines.append(Text(clean(f"{one.error.message} {one.error.hint or ''}".strip()), style="red"))
    if one.result is None:
        lines.append(pairs([("reproduction", one.id), ("progress", f"{100 * one.progress:.0f} %")]))
        return lines
    result = one.result
    lines.append(clean(result.comparison.why))
    lines.append(
        pairs(
            [
                ("reproduction", one.id),
                *_measured(result.comparison),
                ("asked of every frame", f"{one.thresholds.psnr_db:g} dB, SSIM {one.thresholds.ssim:g}"),
                ("noise floor", None if result.noise is None else f"{result.noise.verdict}: {result.noise.why}"),
                ("within the noise", result.within_noise),
                ("took", ", ".join(seconds_word(run.duration_s) for run in result.runs)),
            ]
        )
    )
    if result.surroundings:
        lines.append(heading("What differs around it"))
        rows = [(each.name, _side(each.before), _side(each.after)) for each in result.surroundings]
        lines.append(table(("", "then", "now"), rows))
    else:
        lines.append("The engine, its environment and the graph are the same as then.")
    return lines


def _measured(found: Comparison) -> list[tuple[str, object]]:
    worst = None if found.worst_psnr_db is None else f"{found.worst_psnr_db:.1f} dB, SSIM {found.worst_ssim or 0:.4f}"
    frames = None if found.frames is None else f"{found.frames}, and now {found.other_frames}"
    return [
        ("frames", frames),
        ("first different frame", found.first_different_frame),
        ("least alike frame", worst),
        ("picture of the difference", found.difference),
    ]


def _side(value: object) -> str | None:
    said = "" if value is None else str(value)
    return short(said) if said.startswith("sha256:") else said or None


def _word(one: Reproduction) -> Text:
    if one.verdict is None:
        return Text(one.state.value, style="bold red" if one.state is ReproductionState.FAILED else "dim")
    return Text(one.verdict.value.replace("_", " "), style=_STYLES[one.verdict])


def _follow(session: Session, started: Reproduction) -> Reproduction:
    last = started
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, console=session.err, transient=True, disable=not session.err.is_terminal) as progress:
        task = progress.add_task(f"reproduction {started.id}", total=1.0)
        for last in session.gl.follow_reproduction(started):
            progress.update(task, completed=last.progress)
    return last


def _receipt(session: Session, what: str, take: int | None) -> int:
    """Return the id of a receipt that is named by its id or by a segment and a take."""
    if what.isdecimal():
        if take is not None:
            raise Invalid("A receipt is of one take already.", hint="Leave --take out.", code=BAD_REFERENCE)
        return int(what)
    parse_segment(what)
    if take is None:
        receipt = session.gl.provenance(what).receipt
        if receipt is None:
            raise NotFound(f"{what} has no selected take.", hint="Render it first, or name a take with --take.")
        return receipt.id
    return find_take(session.gl, what, take).receipt_id
