"""Reads an engine's input whole, within a limit."""

from collections.abc import Mapping
from pathlib import Path

from genlock.engines.model import EngineInput
from genlock.errors import Invalid, Unavailable


def read_input(item: EngineInput, inputs: Mapping[str, Path], largest: int) -> bytes:
    """The bytes of an input, refused before they are read if there are more than ``largest``.

    ``Unavailable`` where they are not there, ``Invalid`` where they are too many.
    """
    path = inputs.get(item.key)
    try:
        if path is None:
            raise FileNotFoundError("no file was given for it")
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise Unavailable(
            f"The file of {item.label} cannot be read: {error.strerror or error}.",
            hint="Restore its bytes, or use another version.",
            code="input_missing",
        ) from error
    if len(content) > largest:
        raise Invalid(
            f"The file of {item.label} has more than {largest} bytes, more than this engine reads.",
            hint="This file was made for another engine.",
            too_large=True,
            code="input_too_large",
        )
    return content
