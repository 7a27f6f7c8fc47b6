"""How errors are printed: a message and a hint for people, one JSON document with ``--json``."""

import sys
import tempfile
import traceback

from rich.console import Console

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
        problem = {"code": error.code, "message": error.message, "hint": error.hint, "errors": error.fields}
        session.show({"error": problem})


def print_unexpected(err: Console) -> None:
    """Print that a defect of Genlock was hit, and save the traceback of the current exception."""
    with tempfile.NamedTemporaryFile("w", prefix="genlock-", suffix=".log", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    kind, error, _ = sys.exc_info()
    err.print(f"Error: Unexpected error in Genlock: {kind and kind.__name__}: {error}", style="bold red")
    err.print(f"Hint:  The traceback is in {file.name}. Please report it.")
