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
    found = session.gl.receipt(receipt)
    if save is None:
        session.show(found, *receipt_lines(found))
        return
    content = session.gl.document(found)
    try:
        save.write_bytes(content)
    except OSError as error:
        raise Invalid(f"{save} cannot be written: {error.strerror}.", hint="Name another place.") from error
    said = {"path": save, "receipt_digest": found.receipt_digest}
    session.show(said, f"{save} was written. Its digest is {found.receipt_digest}")


@command(app, "receipts", example="genlock receipts --seed 42")
def find_receipts(
    session: Session,
    digest: Annotated[str | None, typer.Option(help="That used bytes of this digest.")] = None,
    output: Annotated[str | None, typer.Option(help="That made bytes of this digest.")] = None,
    seed: Annotated[str | None, typer.Option(help="With this seed.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Whose prompt says this (full text).")] = None,
) -> None:
    """Find receipts by input, output, seed or prompt."""
    if not (digest or output or seed or prompt):
        raise typer.BadParameter("Say what to look for: --digest, --output, --seed or --prompt.")
    found = list(session.gl.find_receipts(digest=digest, output=output, seed=seed, prompt=prompt))
    rows = [(one.id, one.segment_id, one.take, one.engine, one.seed, one.prompt, ago(one.recorded_at)) for one in found]
    headings = ("id", "segment", "take", "engine", "seed", "prompt", "when")
    session.show({"items": found, "total": len(found)}, table(headings, rows) if rows else "None.")


@command(app, "diff", example="genlock diff 12 15")
def diff(session: Session, before: ReceiptArgument, after: ReceiptArgument) -> None:
    """Show the differences between two receipts: inputs, parameters, engine, outputs."""
    found = session.gl.compare_receipts(before, after)
    equal = "what determines the picture is equal" if found.same_wish else "they ask for different pictures"
    rows = [
        (f"{one.role} {one.ordinal}", _side(one.before), _side(one.after), "same content" if one.same_content else "")
        for one in found.inputs
    ]
    rows += [(one.name, _value(one.before), _value(one.after), "") for one in (*found.parameters, *found.engine)]
    rows += [(f"output {one.part}", short(one.before), short(one.after), "") for one in found.outputs]
    lines: list[RenderableType] = [heading(f"Receipts {before} and {after}: {equal}.")]
    session.show(found, *lines, table(("", str(before), str(after), ""), rows) if rows else "Nothing differs.")


def find_take(gl: Genlock, segment: str, number: int) -> Take:
    """Return a segment's take by its number. Raises ``NotFound``."""
    takes = gl.takes(segment)
    take = next((take for take in takes if take.number == number), None)
    if take is None:
        raise NotFound(f"{segment} has no take {number}.", hint=f"It has {many(takes.total or 0, 'take')}.")
    return take


def receipt_lines(receipt: Receipt) -> list[RenderableType]:
    """A receipt for people: what went in, how it was set, what came out."""
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
    outputs = [(part, short(one.get("digest"))) for part, one in document.get("outputs", {}).items()]
    return [
        pairs(head),
        heading("What went in"),
        table(("role", "what", "strength", "via", "digest"), inputs, title_columns=2),
        heading("How"),
        pairs((name, value if value != "" else Text("(empty)")) for name, value in _parameters(document)),
        heading("What came out"),
        pairs(outputs),
    ]


def _parameters(document: dict[str, Any]) -> list[tuple[str, Any]]:
    """What was set, what people look for first before the rest."""
    said: dict[str, Any] = document.get("parameters", {})
    first = [name for name in ("prompt", "negative_prompt", "seed", "cfg", "steps") if name in said]
    return [(name, said[name]) for name in [*first, *(name for name in said if name not in first)]]


def _input(item: dict[str, Any]) -> str:
    if item.get("take"):
        return f"take {item['take']}, {item.get('part', 'last_frame')}"
    version = f"@{item['version']}" if item.get("version") else ""
    return f"{item.get('kind', item['role'])}:{item.get('name', '?')}{version}"


def _side(item: Input | None) -> str | None:
    if item is None:
        return None
    said = item.model_dump(mode="json", exclude_none=True)
    strength = _strength(said)
    return _input(said) + (f" = {strength}" if strength else "")


def _value(value: Any) -> str | None:
    return None if value is None else short(value) if str(value).startswith(PREFIX) else str(value)


def _strength(item: dict[str, Any]) -> str:
    strengths = [item[name] for name in ("strength_model", "strength_clip") if item.get(name) is not None]
    return " / ".join(f"{strength:g}" for strength in strengths)
