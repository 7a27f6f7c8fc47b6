"""``reproduce`` and ``reproductions``: render a receipt again and compare the result with the original."""

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
Take = Annotated[int | None, typer.Option(min=1, help="A take other than the selected one.")]

app = typer.Typer()


@command(app, "reproduce", example="genlock reproduce rooftop/night/3 --take 2")
def reproduce(
    session: Session,
    what: What,
    take: Take = None,
    runs: Annotated[int, typer.Option(min=1, max=2, help="Run it twice to measure the noise between runs.")] = 1,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for the verdict.")] = True,
) -> None:
    """Render a receipt again with the same inputs, graph and engine, and compare. Records no take.

    Exits with 1 if the result differs or the run fails.
    """
    reproduction = session.gl.reproduce(_receipt(session, what, take), runs=runs)
    if follow:
        reproduction = _follow(session, reproduction)
    session.show(reproduction, *reproduction_lines(reproduction))
    if reproduction.state is ReproductionState.FAILED or reproduction.verdict is Verdict.DIFFERENT:
        raise typer.Exit(FAILED)


@command(app, "reproductions", example="genlock reproductions rooftop/night/3")
def list_reproductions(session: Session, what: What, take: Take = None) -> None:
    """List the reproductions of a receipt with their verdicts, newest first."""
    listed = list(session.gl.reproductions(_receipt(session, what, take)))
    rows = [
        (
            item.id,
            item.receipt_id,
            _word(item),
            "" if item.result is None else item.result.comparison.why,
            item.runs,
            item.created_by,
            ago(item.finished_at or item.created_at),
        )
        for item in listed
    ]
    headings = ("id", "receipt", "verdict", "why", "runs", "by", "when")
    session.show({"items": listed, "total": len(listed)}, table(headings, rows) if rows else "None.")


def reproduction_lines(reproduction: Reproduction) -> list[RenderableType]:
    """Return a reproduction as text: the verdict, the measurements, and the differences in the environment."""
    lines: list[RenderableType] = [
        Text.assemble(f"Receipt {reproduction.receipt_id}, run again by {reproduction.engine}: ", _word(reproduction))
    ]
    if reproduction.error is not None:
        lines.append(Text(clean(f"{reproduction.error.message} {reproduction.error.hint or ''}".strip()), style="red"))
    if reproduction.result is None:
        lines.append(pairs([("reproduction", reproduction.id), ("progress", f"{100 * reproduction.progress:.0f} %")]))
        return lines
    result = reproduction.result
    lines.append(clean(result.comparison.why))
    lines.append(
        pairs(
            [
                ("reproduction", reproduction.id),
                *_measured(result.comparison),
                (
                    "required of every frame",
                    f"{reproduction.thresholds.psnr_db:g} dB, SSIM {reproduction.thresholds.ssim:g}",
                ),
                ("noise floor", None if result.noise is None else f"{result.noise.verdict}: {result.noise.why}"),
                ("within the noise", result.within_noise),
                ("took", ", ".join(seconds_word(run.duration_s) for run in result.runs)),
            ]
        )
    )
    if result.surroundings:
        lines.append(heading("Differences in the environment"))
        rows = [(each.name, _side(each.before), _side(each.after)) for each in result.surroundings]
        lines.append(table(("", "then", "now"), rows))
    else:
        lines.append("The engine, its environment and the graph are unchanged.")
    return lines


def _measured(comparison: Comparison) -> list[tuple[str, object]]:
    worst = (
        None
        if comparison.worst_psnr_db is None
        else f"{comparison.worst_psnr_db:.1f} dB, SSIM {comparison.worst_ssim or 0:.4f}"
    )
    frames = None if comparison.frames is None else f"{comparison.frames}, and now {comparison.other_frames}"
    return [
        ("frames", frames),
        ("first different frame", comparison.first_different_frame),
        ("worst frame", worst),
        ("difference image", comparison.difference),
    ]


def _side(value: object) -> str | None:
    text = "" if value is None else str(value)
    return short(text) if text.startswith("sha256:") else text or None


def _word(reproduction: Reproduction) -> Text:
    if reproduction.verdict is None:
        return Text(
            reproduction.state.value, style="bold red" if reproduction.state is ReproductionState.FAILED else "dim"
        )
    return Text(reproduction.verdict.value.replace("_", " "), style=_STYLES[reproduction.verdict])


def _follow(session: Session, started: Reproduction) -> Reproduction:
    last = started
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, console=session.err, transient=True, disable=not session.err.is_terminal) as progress:
        task = progress.add_task(f"reproduction {started.id}", total=1.0)
        for last in session.gl.follow_reproduction(started):
            progress.update(task, completed=last.progress)
    return last


def _receipt(session: Session, what: str, take: int | None) -> int:
    """Return the id of a receipt given by its id, or by a segment and a take."""
    if what.isdecimal():
        if take is not None:
            raise Invalid(
                "--take belongs to a segment, not to a receipt.", hint="Leave --take out.", code=BAD_REFERENCE
            )
        return int(what)
    parse_segment(what)
    if take is None:
        receipt = session.gl.provenance(what).receipt
        if receipt is None:
            raise NotFound(f"{what} has no selected take.", hint="Render it first, or name a take with --take.")
        return receipt.id
    return find_take(session.gl, what, take).receipt_id
