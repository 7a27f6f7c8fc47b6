"""``workflow``: the node inputs that a render sets."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.text import Text

from genlock.cli.command import command, group
from genlock.cli.following import transfer
from genlock.cli.formatting import heading
from genlock.cli.session import Session
from genlock.cli.tables import table
from genlock.cli.times import local_time
from genlock.errors import Invalid, NotFound

if TYPE_CHECKING:
    from genlock.engines.comfyui.bindings import BoundPlace, WorkflowBindings

workflows = group("Workflows: which node input of a graph takes which value.", example="genlock workflow show walk")
_LONGEST = 60

WorkflowName = Annotated[str, typer.Argument(metavar="NAME[@N]", help="A workflow, or one version of it.")]
Project = Annotated[
    str | None, typer.Option("--project", help="Use this project's own workflow; by default the shared one.")
]


@command(workflows, "show", example="genlock workflow show walk")
def show_workflow(
    session: Session,
    workflow: WorkflowName,
    project: Project = None,
) -> None:
    """Show which node input takes which value, as detected in the graph or declared (`bind`, `--bindings`)."""
    name = _named(workflow)
    _show(session, name, session.gl.bindings(name, project=project), project)


@command(workflows, "bind", example="genlock workflow bind walk start_image=8.image seed=10.seed")
def bind_workflow(
    session: Session,
    workflow: WorkflowName,
    places: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD=NODE.INPUT…", help="A place for a value; several with commas, none to detect it."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="JSON with bindings to set.")] = None,
    note: Annotated[str, typer.Option("--note", help="Why; kept with the change.")] = "",
    project: Project = None,
) -> None:
    """Set where a value goes in a workflow. Each change is kept, and the version stays the same."""
    fields = {} if file is None else read_bindings(file)
    for text in places or ():
        fields |= _field(text)
    if not fields:
        raise Invalid("Nothing is to be set.", hint="Write genlock workflow bind walk seed=10.seed.")
    name = _named(workflow)
    _show(session, name, session.gl.set_bindings(name, fields, note=note, project=project), project)


@command(workflows, "history", example="genlock workflow history walk")
def show_history(
    session: Session,
    workflow: WorkflowName,
    project: Project = None,
) -> None:
    """List the bindings that were set for a version after its upload, newest first."""
    name = _named(workflow)
    changes = list(session.gl.bindings_history(name, project=project))
    rows = [
        (local_time(it.created_at), it.created_by, it.note, json.dumps(it.bindings, ensure_ascii=False))
        for it in changes
    ]
    session.show(changes, heading(f"{name}: bindings"), table(("at", "by", "note", "bindings"), rows))


def _named(workflow: str) -> str:
    return workflow if ":" in workflow else f"workflow:{workflow}"


def _field(text: str) -> dict[str, Any]:
    """Read ``seed=10.seed,11.seed`` as a field of bindings. Raises ``Invalid``."""
    word, equals, places = text.partition("=")
    if not equals or not word:
        raise Invalid(f"{text!r} does not name a place.", hint="Write it as seed=10.seed, or seed= to detect it again.")
    if not places:
        return {word: None}
    if word == "output":
        return {word: places}
    read = [_place(place) for place in places.split(",")]
    return {word: read[0] if word in ("start_image", "output_prefix") else read}


def _place(text: str) -> dict[str, str]:
    """Read ``10.seed``: an id has no dot, and an input may have some (``12.model.duration``)."""
    node, dot, name = text.partition(".")
    if not dot or not node or not name:
        raise Invalid(f"{text!r} is not an input of a node.", hint="Write it as NODE.INPUT, such as 10.seed.")
    return {"node": node, "input": name}


def _show(session: Session, name: str, answer: "WorkflowBindings", project: str | None) -> None:
    declared = answer.declared or {}
    rows = [
        (place.word, place.node, place.class_type, _inside(place.input, place.inside), _value(place))
        for place in answer.places
    ]
    unknown = [Text(f"{word}: {why}", style="yellow") for word, why in answer.unknown.items()]
    title = heading(f"{name}: a {answer.produces}, saved by node {answer.bindings.output}")
    note = [Text(f"declared: {', '.join(declared)}", style="dim")] if declared else []
    extra = [f"{output.node} ({output.class_type})" for output in answer.extra_outputs]
    note += [Text(f"saved as well, and left out of renders: {', '.join(extra)}", style="dim")] if extra else []
    saved = [Text(_saved_by_page(session, name, project), style="dim")]
    session.show(answer, title, table(("value", "node", "class", "input", "now"), rows), *note, *saved, *unknown)


@command(workflows, "download", example="genlock workflow download walk@2 walk.json")
def download_workflow(
    session: Session,
    workflow: WorkflowName,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder, or the file to write.")],
    api: Annotated[bool, typer.Option("--api/--editor", help="The graph that runs, or the file of the page.")] = False,
    project: Project = None,
) -> None:
    """Download a workflow: the file that ComfyUI's page saved, to open it there, or the graph in API format."""
    name = workflow if ":" in workflow else f"workflow:{workflow}"
    call = session.gl.download_version if api else session.gl.download_editor_form
    with transfer(session.err, name) as progress:
        written = call(name, path, project=project, on_progress=progress)
    session.show({"path": written}, f"{written} was written and verified.")


def _saved_by_page(session: Session, name: str, project: str | None) -> str:
    """Return which forms of a version there are."""
    try:
        form = session.gl.editor_form(name, project=project)
    except NotFound:
        return "uploaded as a graph in API format; the file that ComfyUI's page saves was not"
    origin = "with the definitions it was converted with" if form.definitions else "sent by the page with its own graph"
    return f"as ComfyUI's page saved it: {form.filename}, {origin} (genlock workflow download)"


def read_bindings(path: Path) -> dict[str, Any]:
    """Read the JSON object in a file. Raise ``Invalid``."""
    try:
        bindings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} cannot be read as bindings: {error}.", hint="Give a file with a JSON object.") from error
    if not isinstance(bindings, dict):
        raise Invalid(f"{path} is not a JSON object.", hint='Write {"output": "13", …}.')
    return cast("dict[str, Any]", bindings)


def _value(place: "BoundPlace") -> str:
    if not place.computed:
        return str(place.value)[:_LONGEST]
    return f"computed: {place.value}"[:_LONGEST] if place.reason is None else f"? {place.reason}"


def _inside(name: str, inside: tuple[str | int, ...]) -> str:
    return "".join([name, *(f"[{step}]" for step in inside)])
