"""Handles output that cannot be written, such as that of ``genlock asset list | head -1``."""

import os
import sys


def is_closed_pipe(error: BaseException) -> bool:
    """Return whether ``error`` is a closed pipe, or the exit that typer raises for one."""
    return isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError)


def discard_output() -> None:
    """Discard unwritten standard output, so that the interpreter exits without an error."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file, so not a pipe
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
