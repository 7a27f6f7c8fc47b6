"""Reads the input files of an engine completely, within a size limit."""

from collections.abc import Mapping
from pathlib import Path

from genlock.engines.model import EngineInput, RenderSpec
from genlock.errors import Invalid, Unavailable


def read_workflow(spec: RenderSpec, inputs: Mapping[str, Path], largest: int) -> bytes:
    """Return the graph to run: that of the spec, or the file of its only workflow, of at most ``largest`` bytes.

    Raise the errors of ``read_input``, and ``Invalid`` without a graph and exactly one workflow.
    """
    if spec.graph is not None:
        return spec.graph
    workflows = spec.in_role("workflow")
    if len(workflows) != 1:
        raise Invalid(
            f"A run needs one workflow, and {len(workflows) or 'none'} was given.",
            hint="Give one input in the role workflow, or a graph.",
            code="cannot_bind",
        )
    return read_input(workflows[0], inputs, largest)


def read_input(item: EngineInput, inputs: Mapping[str, Path], largest: int) -> bytes:
    """Return the bytes of an input, at most ``largest``, which are checked before reading them.

    Raise ``Unavailable`` if the file is missing, ``Invalid`` if it is too large.
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
