"""``workflow``: the node inputs that a render sets."""

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.text import Text

from genlock.cli.command import command, group
from genlock.cli.formatting import heading
from genlock.cli.session import Session
from genlock.cli.tables import table
from genlock.errors import Invalid

workflows = group("Workflows: which node input of a graph takes which value.", example="genlock workflow show walk")
_LONGEST = 60


@command(workflows, "show", example="genlock workflow show walk")
def show_workflow(
    session: Session,
    workflow: Annotated[str, typer.Argument(metavar="NAME[@N]", help="A workflow, or one version of it.")],
    project: Annotated[
        str | None, typer.Option("--project", help="Use this project's own workflow; by default the shared one.")
    ] = None,
) -> None:
    """Show which node input takes which value, as found in the graph or given at upload (`--bindings`)."""
    name = workflow if ":" in workflow else f"workflow:{workflow}"
    answer = session.gl.bindings(name, project=project)
    declared = answer.declared or {}
    rows = [
        (place.word, place.node, place.class_type, _inside(place.input, place.inside), str(place.value)[:_LONGEST])
        for place in answer.places
    ]
    unknown = [Text(f"{word}: {why}", style="yellow") for word, why in answer.unknown.items()]
    title = heading(f"{name}: a {answer.produces}, saved by node {answer.bindings.output}")
    note = [Text(f"given at upload: {', '.join(declared)}", style="dim")] if declared else []
    session.show(answer, title, table(("value", "node", "class", "input", "now"), rows), *note, *unknown)


def read_bindings(path: Path) -> dict[str, Any]:
    """Read the JSON object in a file. Raise ``Invalid``."""
    try:
        bindings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} cannot be read as bindings: {error}.", hint="Give a file with a JSON object.") from error
    if not isinstance(bindings, dict):
        raise Invalid(f"{path} is not a JSON object.", hint='Write {"output": "13", …}.')
    return cast("dict[str, Any]", bindings)


def _inside(name: str, inside: tuple[str | int, ...]) -> str:
    return "".join([name, *(f"[{step}]" for step in inside)])
