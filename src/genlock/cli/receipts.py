"""``provenance``, ``takes``, ``receipt``, ``receipts``, ``diff``: how something was made."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from genlock.cli.command import command
from genlock.cli.formatting import heading, many, seconds_word, short, state_word
from genlock.cli.session import Session
from genlock.cli.tables import pairs, table
from genlock.cli.timeline import SegmentArgument, because
from genlock.cli.times import ago
from genlock.client import Genlock
from genlock.digest import PREFIX
from genlock.errors import Invalid, NotFound
from genlock.takes.model import Receipt, Take
from genlock.takes.receipt import Input

ReceiptArgument = Annotated[int, typer.Argument(metavar="ID", help="A receipt's id.")]

app = typer.Typer()


@command(app, "provenance", example="genlock provenance rooftop/night/3")
def provenance(
    session: Session,
    segment: SegmentArgument,
    number: Annotated[int | None, typer.Option("--take", min=1, help="A take other than the selected one.")] = None,
) -> None:
    """Show what a segment was made with, and why it is in its state.

    Only the selected take has a state: with another --take, `state` is null in --json.
    """
    answer = session.gl.provenance(segment)
    document: dict[str, Any] = answer.model_dump(mode="json", by_alias=True)
    take, receipt = answer.take, answer.receipt
    if number is not None and (take is None or take.number != number):
        take = find_take(session.gl, segment, number)
        receipt = session.gl.receipt(take.receipt_id)
        document |= {"state": None, "causes": [], "take": take, "receipt": receipt}
    if take is not None and not take.selected:
        standing = Text("not selected", style="dim")
        if answer.take is not None:
            standing.append(f"; take {answer.take.number} is")
    else:
        reasons = because(answer.causes)
        standing = Text.assemble(state_word(answer.state), f"  {'; '.join(reasons)}" if reasons else "")
    title = Text.assemble((segment if take is None else f"{segment}, take {take.number}", "bold"), "  ", standing)
    if receipt is None or take is None:
        session.show(document, title, "It has no takes yet.")
        return
    recorded = f"{take.recorded_by}, {ago(take.recorded_at)}"
    session.show(document, title, pairs([("recorded by", recorded)]), *receipt_lines(receipt))


@command(app, "takes", example="genlock takes rooftop/night/3")
def list_takes(session: Session, segment: SegmentArgument) -> None:
    """List all takes of a segment, newest first."""
    takes = session.gl.takes(segment)
    if session.as_json:
        session.show(takes)
        return
    rows = [
        (
            take.number,
            "selected" if take.selected else "",
            take.engine,
            seconds_word(take.duration_s),
            take.evidence.value,
            take.recorded_by,
            take.recorded_at,
            take.receipt_id,
        )
        for take in takes
    ]
    headings = ("take", "", "engine", "took", "evidence", "by", "when", "receipt")
    session.show(takes, table(headings, rows, title_columns=2) if rows else "None.")


@command(app, "receipt", example="genlock receipt 12 --save receipt.json")
def show_receipt(
    session: Session,
    receipt: ReceiptArgument,
    save: Annotated[Path | None, typer.Option(help="Write its original document to this file.")] = None,
) -> None:
    """Show a receipt, or save its original document."""
    record = session.gl.receipt(receipt)
    if save is None:
        session.show(record, *receipt_lines(record))
        return
    content = session.gl.document(record)
    try:
        save.write_bytes(content)
    except OSError as error:
        raise Invalid(f"{save} cannot be written: {error.strerror}.", hint="Choose another path.") from error
    saved = {"path": save, "receipt_digest": record.receipt_digest}
    session.show(saved, f"{save} was written. Its digest is {record.receipt_digest}")


@command(app, "receipts", example="genlock receipts --seed 42")
def find_receipts(
    session: Session,
    digest: Annotated[str | None, typer.Option(help="Digest of an input.")] = None,
    output: Annotated[str | None, typer.Option(help="Digest of an output.")] = None,
    seed: Annotated[str | None, typer.Option(help="Seed.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Words of the prompt (full-text search).")] = None,
) -> None:
    """Find receipts by input, output, seed or prompt."""
    if not (digest or output or seed or prompt):
        raise typer.BadParameter("Give at least one of --digest, --output, --seed and --prompt.")
    lines = list(session.gl.find_receipts(digest=digest, output=output, seed=seed, prompt=prompt))
    rows = [
        (line.id, line.segment_id, line.take, line.engine, line.seed, line.prompt, ago(line.recorded_at))
        for line in lines
    ]
    headings = ("id", "segment", "take", "engine", "seed", "prompt", "when")
    session.show({"items": lines, "total": len(lines)}, table(headings, rows) if rows else "None.")


@command(app, "diff", example="genlock diff 12 15")
def diff(session: Session, before: ReceiptArgument, after: ReceiptArgument) -> None:
    """Show the differences between two receipts: inputs, parameters, engine, outputs."""
    difference = session.gl.compare_receipts(before, after)
    equal = "same inputs and parameters" if difference.same_wish else "different inputs or parameters"
    rows = [
        (
            f"{item.role} {item.ordinal}",
            _side(item.before),
            _side(item.after),
            "same content" if item.same_content else "",
        )
        for item in difference.inputs
    ]
    rows += [
        (item.name, _value(item.before), _value(item.after), "")
        for item in (*difference.parameters, *difference.engine)
    ]
    rows += [(f"output {item.part}", short(item.before), short(item.after), "") for item in difference.outputs]
    lines: list[RenderableType] = [heading(f"Receipts {before} and {after}: {equal}.")]
    session.show(difference, *lines, table(("", str(before), str(after), ""), rows) if rows else "Nothing differs.")


def find_take(gl: Genlock, segment: str, number: int) -> Take:
    """Return a segment's take by its number. Raise ``NotFound``."""
    takes = gl.takes(segment)
    take = next((take for take in takes if take.number == number), None)
    if take is None:
        raise NotFound(f"{segment} has no take {number}.", hint=f"It has {many(takes.total or 0, 'take')}.")
    return take


def receipt_lines(receipt: Receipt) -> list[RenderableType]:
    """Return a receipt as text: its inputs, parameters and outputs."""
    document = receipt.document
    engine, observed = document.get("engine", {}), document.get("observed", {})
    head = [
        ("receipt", f"{receipt.id}  {short(receipt.receipt_digest)}"),
        ("engine", f"{engine.get('name')} {engine.get('version', '')}"),
        ("evidence", receipt.evidence.value),
        ("missing", ", ".join(receipt.missing)),
        ("took", seconds_word(observed.get("duration_s"))),
    ]
    inputs = [
        (item["role"], _input(item), _strength(item), item.get("via", ""), short(item.get("digest")))
        for item in document.get("inputs", [])
    ]
    outputs = [(part, short(output.get("digest"))) for part, output in document.get("outputs", {}).items()]
    return [
        pairs(head),
        heading("Inputs"),
        table(("role", "what", "strength", "via", "digest"), inputs, title_columns=2),
        heading("Parameters"),
        pairs((name, value if value != "" else Text("(empty)")) for name, value in _parameters(document)),
        heading("Outputs"),
        pairs(outputs),
    ]


def _parameters(document: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the parameters, the most important ones first."""
    parameters: dict[str, Any] = document.get("parameters", {})
    first = [name for name in ("prompt", "negative_prompt", "seed", "cfg", "steps") if name in parameters]
    return [(name, parameters[name]) for name in [*first, *(name for name in parameters if name not in first)]]


def _input(item: dict[str, Any]) -> str:
    if item.get("take"):
        return f"take {item['take']}, {item.get('part', 'last_frame')}"
    version = f"@{item['version']}" if item.get("version") else ""
    return f"{item.get('kind', item['role'])}:{item.get('name', '?')}{version}"


def _side(item: Input | None) -> str | None:
    if item is None:
        return None
    fields = item.model_dump(mode="json", exclude_none=True)
    strength = _strength(fields)
    return _input(fields) + (f" = {strength}" if strength else "")


def _value(value: Any) -> str | None:
    return None if value is None else short(value) if str(value).startswith(PREFIX) else str(value)


def _strength(item: dict[str, Any]) -> str:
    strengths = [item[name] for name in ("strength_model", "strength_clip") if item.get(name) is not None]
    return " / ".join(f"{strength:g}" for strength in strengths)
