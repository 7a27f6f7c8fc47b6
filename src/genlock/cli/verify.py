"""``verify``: check a receipt's document without a server."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from pydantic import ValidationError
from rich.text import Text

from genlock.cli.command import command
from genlock.cli.exit_codes import FAILED
from genlock.cli.session import Session
from genlock.cli.tables import pairs, table
from genlock.digest import PREFIX, Digest, canonical, digest_of
from genlock.errors import Invalid
from genlock.model import Model
from genlock.regular_file import open_regular
from genlock.takes.receipt import SCHEMA, Input, inputs_digest


class Finding(Model):
    """A check and its result."""

    what: str
    holds: bool
    detail: str


app = typer.Typer()


@command(app, "verify", example="genlock verify receipt.json take.mp4 --digest sha256:…")
def verify(
    session: Session,
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT.json", help="A saved receipt document.")],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Files that the receipt should name.")
    ] = None,
    digest: Annotated[str | None, typer.Option(help="The expected digest of the receipt.")] = None,
) -> None:
    """Check a receipt without a server: its format, its digests, and that it names these files."""
    content = _read(receipt)
    document = _document(receipt, content)
    findings = [*check_document(content, document, digest), *(check_file(path, document) for path in files or [])]
    holds = all(finding.holds for finding in findings)
    receipt_digest = digest_of(content)
    result = {
        "receipt_digest": receipt_digest,
        "inputs_digest": _inputs_digest(document),
        "holds": holds,
        "findings": findings,
    }
    rows = [
        (Text("✓", style="green") if finding.holds else Text("✗", style="bold red"), finding.what, finding.detail)
        for finding in findings
    ]
    session.show(
        result,
        pairs([("receipt", receipt_digest), ("inputs", result["inputs_digest"])]),
        table(("", "checked", "found"), rows),
    )
    if not holds:
        raise typer.Exit(FAILED)


def check_document(content: bytes, document: dict[str, Any], digest: Digest | None) -> list[Finding]:
    """Check a document's schema, canonical form, and digest if one is expected."""
    own = digest_of(content)
    schema = document.get("schema")
    findings = [
        Finding(what="schema", holds=schema == SCHEMA, detail=str(schema)),
        Finding(what="canonical (RFC 8785)", holds=canonical(document) == content, detail=f"{len(content)} bytes"),
    ]
    if digest is not None:
        findings.append(Finding(what="digest as expected", holds=own == digest, detail=own))
    return findings


def check_file(path: Path, document: dict[str, Any]) -> Finding:
    """Check that a document names the bytes of a file, as an output or an input."""
    try:
        with open_regular(path) as file:
            digest = PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", hint="Check the path.", code="no_file") from error
    named = [f"output {part}" for part, output in document.get("outputs", {}).items() if output.get("digest") == digest]
    named += [
        f"input {item.get('role')} {item.get('name', '')}".rstrip()
        for item in document.get("inputs", [])
        if digest in (item.get("digest"), item.get("effective_digest"))
    ]
    return Finding(
        what=path.name, holds=bool(named), detail=", ".join(named) or "the receipt does not name these bytes"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", hint="Check the path.", code="no_file") from error


def _document(path: Path, content: bytes) -> dict[str, Any]:
    try:
        parsed: Any = json.loads(content)
    except ValueError as error:
        raise Invalid(f"{path} is not JSON: {error}.", hint="Save it with `genlock receipt ID --save FILE`.") from error
    if not isinstance(parsed, dict):
        raise Invalid(f"{path} is not a receipt.", hint="Save one with `genlock receipt ID --save FILE`.")
    return cast(dict[str, Any], parsed)


def _inputs_digest(document: dict[str, Any]) -> Digest | None:
    """Compute the inputs' digest; ``None`` if the document is not a receipt."""
    try:
        inputs = [Input.model_validate(item) for item in document["inputs"]]
        return inputs_digest(document["engine"]["name"], inputs, document["parameters"])
    except (KeyError, TypeError, ValidationError):
        return None
