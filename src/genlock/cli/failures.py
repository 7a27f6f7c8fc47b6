"""Prints errors: a message and a hint for people, one JSON document with ``--json``."""

import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from genlock.cli.formatting import clean
from genlock.cli.session import Session
from genlock.errors import GenlockError


def print_error(session: Session, error: GenlockError) -> None:
    """Print an error that the user can act on."""
    session.err.print(f"Error: {clean(error.message)}", style="bold red")
    for field in error.fields[1:]:
        session.err.print(f"       {clean(str(field.get('field')))}: {clean(str(field.get('message')))}", style="red")
    if error.hint:
        session.err.print(f"Hint:  {clean(error.hint)}")
    if session.as_json:
        _show_problem(session, error.code, error.message, error.hint, error.fields)


def print_unexpected(session: Session) -> None:
    """Report a defect of Genlock, and save the traceback of the current exception."""
    with tempfile.NamedTemporaryFile("w", prefix="genlock-", suffix=".log", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    kind, error, _ = sys.exc_info()
    message = f"Unexpected error in Genlock: {kind and kind.__name__}: {error}"
    hint = f"The traceback is in {file.name}. Please report it."
    session.err.print(f"Error: {clean(message)}", style="bold red")
    session.err.print(f"Hint:  {hint}")
    if session.as_json:
        _show_problem(session, "unexpected", message, hint)


def _show_problem(
    session: Session, code: str, message: str, hint: str | None, fields: Sequence[Mapping[str, Any]] = ()
) -> None:
    session.show({"error": {"code": code, "message": message, "hint": hint, "errors": fields}})
