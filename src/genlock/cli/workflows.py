"""``workflow``: where a render puts what."""

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
        str | None, typer.Option("--project", help="The project whose own workflow is meant; else the shared one.")
    ] = None,
) -> None:
    """Show which input of which node takes what, as found in the graph or said at upload (`--bindings`)."""
    name = workflow if ":" in workflow else f"workflow:{workflow}"
    found = session.gl.bindings(name, project=project)
    said = found.said or {}
    rows = [
        (one.word, one.node, one.class_type, _inside(one.input, one.inside), str(one.value)[:_LONGEST])
        for one in found.places
    ]
    unknown = [Text(f"{word}: {why}", style="yellow") for word, why in found.unknown.items()]
    title = heading(f"{name}: a {found.produces}, saved by node {found.bindings.output}")
    note = [Text(f"said at upload: {', '.join(said)}", style="dim")] if said else []
    session.show(found, title, table(("what", "node", "class", "input", "now"), rows), *note, *unknown)


def read_bindings(path: Path) -> dict[str, Any]:
    """The JSON object in a file; ``Invalid`` if it is none."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} cannot be read as bindings: {error}.", hint="Give a file with a JSON object.") from error
    if not isinstance(said, dict):
        raise Invalid(f"{path} is no JSON object.", hint='Write {"output": "13", …}.')
    return cast("dict[str, Any]", said)


def _inside(name: str, inside: tuple[str | int, ...]) -> str:
    return "".join([name, *(f"[{step}]" for step in inside)])
