"""``asset``: what goes in."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from genlock.cli.command import command, group
from genlock.cli.following import transfer
from genlock.cli.formatting import heading, many, short, size_word
from genlock.cli.reports import impact_lines
from genlock.cli.session import Session
from genlock.cli.tables import pairs, table
from genlock.cli.times import ago
from genlock.cli.workflows import read_bindings
from genlock.library.model import Asset, Outcome, Version
from genlock.model import Kind
from genlock.sdk.uploads import size_of
from genlock.staleness.bodies import VersionAdded
from genlock.staleness.model import Impact

AssetArgument = Annotated[str, typer.Argument(metavar="KIND:NAME", help="An asset, such as lora:rain.")]
VersionArgument = Annotated[str, typer.Argument(metavar="KIND:NAME@N", help="A version, such as lora:rain@2.")]
AnyArgument = Annotated[str, typer.Argument(metavar="KIND:NAME[@N]", help="An asset, or one version of it.")]
InProject = Annotated[
    str | None,
    typer.Option("--project", help="The project whose own asset of that name is meant; else the shared one."),
]
Note = Annotated[str, typer.Option(help="Why, for the history.")]

_NUMBERED = re.compile(r"(?P<name>.+?)_v\d+")
_OUTCOMES = {
    Outcome.CREATED: "is new",
    Outcome.EQUIVALENT: "is new, equal in effect to v{equal} (nothing goes stale by it)",
    Outcome.EXISTS: "has these bytes already",
}

app = typer.Typer()
assets = group("Assets: the versioned inputs of generations.", example="genlock asset list --kind lora")


@command(assets, "add", example="genlock asset add rain_v2.safetensors --kind lora --note 'trained longer'")
def add_assets(
    session: Session,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files; each becomes a version.")],
    kind: Annotated[Kind, typer.Option(metavar="KIND", help=f"What they are: {', '.join(Kind)}.")],
    name: Annotated[str | None, typer.Option(help="The asset's name; the file's, without _vN, unless said.")] = None,
    project: Annotated[str | None, typer.Option(help="Make it this project's own; all share it unless said.")] = None,
    made_from: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="KIND:NAME@N", help="What it was made from; may be repeated."),
    ] = None,
    note: Note = "",
    activate: Annotated[bool, typer.Option("--activate/--no-activate", help="Make it the active version.")] = True,
    bindings: Annotated[
        Path | None, typer.Option("--bindings", metavar="FILE", help="Of a workflow: JSON that says what goes where.")
    ] = None,
) -> None:
    """Upload files as versions of assets, which are made where they do not exist."""
    added: list[VersionAdded] = []
    said = None if bindings is None else read_bindings(bindings)
    for file in files:
        size_of(file)  # refuses what is no file before an asset is made for it
    for file in files:
        with (
            session.gl.asset_for_upload(kind, name or asset_name(file), project=project) as asset,
            transfer(session.err, file.name) as progress,
        ):
            one = session.gl.add_version(
                asset,
                file,
                note=note,
                activate=activate,
                derived_from=made_from or (),
                bindings=said,
                project=project,
                on_progress=progress,
            )
        added.append(one)
        if not session.as_json:
            for line in _added_lines(session, asset, one):
                session.out.print(line)
    if session.as_json:
        session.show(added[0] if len(added) == 1 else {"items": added, "total": len(added)})


@command(assets, "list", example="genlock asset list --kind lora")
def list_assets(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only those whose name begins so.")] = None,
    kind: Annotated[Kind | None, typer.Option(metavar="KIND", help="Only this kind, such as lora.")] = None,
    project: Annotated[str | None, typer.Option(help="Only those that this project can use.")] = None,
    digest: Annotated[str | None, typer.Option(help="Only those with a version of this digest.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Those that are archived instead.")] = False,
) -> None:
    """List assets with their active version."""
    found = session.gl.assets(kind=kind, project=project, name=name, digest=digest, archived=archived, page_size=500)
    if session.as_json:
        session.show(found)
        return
    slugs = _slugs(session)
    rows = [
        (
            f"{one.kind}:{one.name}",
            None if one.active_version is None else f"v{one.active_version}",
            one.versions_total,
            "shared" if one.project_id is None else slugs.get(one.project_id, one.project_id),
            one.created_by,
        )
        for one in found
    ]
    session.show(found, table(("asset", "active", "versions", "project", "made by"), rows) if rows else _none())


@command(assets, "show", example="genlock asset show lora:rain")
def show_asset(session: Session, asset: AssetArgument, project: InProject = None) -> None:
    """Show an asset and all its versions."""
    found = session.gl.asset(asset, project=project)
    versions = list(session.gl.versions(found))
    document = {**found.model_dump(mode="json"), "versions": versions}
    rows = [
        (
            f"v{one.number}",
            _standing(one),
            one.filename,
            size_word(one.size_bytes),
            short(one.digest),
            f"v{one.equivalent_to}" if one.equivalent_to else "",
            f"{one.used_by.segments} ({one.used_by.stale} stale)" if one.used_by else "",
            one.created_by,
            one.created_at,
            one.note,
        )
        for one in versions
    ]
    headings = ("", "", "file", "size", "digest", "equals", "used by", "by", "when", "note")
    used = found.used_by and f"{many(found.used_by.segments, 'segment')}, {found.used_by.stale} stale"
    shown: list[RenderableType] = [heading(f"{found.kind}:{found.name}"), pairs([("used by", used)])]
    session.show(document, *shown, table(headings, rows, title_columns=3) if rows else _none())


@command(assets, "history", example="genlock asset history lora:rain")
def show_history(session: Session, asset: AssetArgument, project: InProject = None) -> None:
    """Show who made which version active, and when; newest first."""
    found = list(session.gl.activations(asset, project=project))
    rows = [
        (
            one.at,
            one.actor,
            None if one.from_version is None else f"v{one.from_version}",
            f"v{one.to_version}",
            one.note,
        )
        for one in found
    ]
    document = {"items": found, "total": len(found)}
    session.show(document, table(("when", "who", "from", "to", "note"), rows) if rows else _none())


@command(assets, "activate", example="genlock asset activate lora:rain@1 --note 'back to the first'")
def activate(session: Session, version: VersionArgument, note: Note = "", project: InProject = None) -> None:
    """Make a version the active one, and say what that makes stale and what fresh again."""
    moved = session.gl.activate(version, note=note, project=project)
    was = "" if moved.previous is None else f" (was v{moved.previous})"
    session.show(moved, f"v{moved.active} is active{was}.", *_impact(session, moved.report, would=False))


@command(assets, "impact", example="genlock asset impact lora:rain@2")
def impact(session: Session, version: VersionArgument, project: InProject = None) -> None:
    """Say what making a version active would make stale, and what fresh again. Changes nothing."""
    found = session.gl.impact(version, project=project)
    session.show(found, *_impact(session, found, would=True))


@command(assets, "download", example="genlock asset download lora:rain@1 models/")
def download(
    session: Session,
    version: AnyArgument,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder, or the file to write.")],
    project: InProject = None,
) -> None:
    """Write a version's bytes to disk, verified against their digest."""
    with transfer(session.err, str(version)) as progress:
        written = session.gl.download_version(version, path, project=project, on_progress=progress)
    session.show({"path": written}, f"{written} was written and verified.")


@command(assets, "rename", example="genlock asset rename lora:rain heavy-rain")
def rename(
    session: Session,
    asset: AssetArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    project: InProject = None,
) -> None:
    """Give an asset another name. Receipts keep the one they were written with."""
    renamed = session.gl.rename_asset(asset, name, project=project)
    session.show(renamed, f"It is {renamed.kind}:{renamed.name} now.")


@command(assets, "archive", example="genlock asset archive lora:rain")
def archive(session: Session, asset: AssetArgument, project: InProject = None) -> None:
    """Hide an asset from new work. Nothing is deleted, and what was made with it is still judged."""
    session.show(session.gl.archive_asset(asset, project=project), f"{asset} is archived.")


@command(assets, "restore", example="genlock asset restore lora:rain")
def restore(session: Session, asset: AssetArgument, project: InProject = None) -> None:
    """Bring an archived asset back."""
    session.show(session.gl.restore_asset(asset, project=project), f"{asset} is back.")


def show_usage(
    session: Session,
    asset: AnyArgument,
    everything: Annotated[bool, typer.Option("--all", help="All takes, not only those in the cut.")] = False,
    within: Annotated[str | None, typer.Option("--in", metavar="PROJECT", help="Only in this project.")] = None,
    project: InProject = None,
) -> None:
    """Show which takes used an asset, or one version of it."""
    found = session.gl.usage(asset, all_takes=everything, in_project=within, project=project, page_size=500)
    if session.as_json:
        session.show({"items": list(found), "total": found.total, "versions": found.versions or None})
        return
    slugs = _slugs(session)
    rows = [
        (
            slugs.get(one.project_id, one.project_id),
            one.scene,
            one.segment,
            one.take,
            one.state or ("archived" if one.archived else "not in the cut"),
            ", ".join(_use(use.role, use.via, use.strength_model) for use in one.uses),
            one.receipt_id,
        )
        for one in found
    ]
    counted = f"{many(found.total or 0, 'take')} used {asset}."
    per_version = [(f"v{one.number}", many(one.total, "take")) for one in found.versions]
    shown: list[RenderableType] = [heading(counted)]
    if rows:
        shown.append(table(("project", "scene", "segment", "take", "state", "as", "receipt"), rows, title_columns=3))
    session.show(found, *shown, *([pairs(per_version)] if per_version else []))


command(assets, "usage", example="genlock asset usage lora:rain@1")(show_usage)
command(app, "usage", example="genlock usage lora:rain@1")(show_usage)


def asset_name(file: Path) -> str:
    """The name of an asset that a file is a version of: its stem, without a trailing ``_vN``."""
    match = _NUMBERED.fullmatch(file.stem)
    return match["name"] if match else file.stem


def _added_lines(session: Session, asset: Asset, added: VersionAdded) -> list[RenderableType]:
    version = added.version
    what = _OUTCOMES[added.outcome].format(equal=version.equivalent_to)
    active = "now active" if version.active else "not active"
    said = Text(f"{asset.kind}:{asset.name}@{version.number} {what}, {active}.")
    return [said, *_impact(session, added.report, would=False)] if added.report.projects else [said]


def _standing(version: Version) -> Text:
    """Whether a version is the active one, and whether its bytes are to be had."""
    shown = Text("active" if version.active else "", style="bold green")
    if version.gone_since is not None:
        shown.append(f"{', ' if version.active else ''}bytes gone {ago(version.gone_since)}", style="bold red")
    return shown


def _impact(session: Session, report: Impact, *, would: bool) -> list[RenderableType]:
    return [] if session.as_json else impact_lines(report, _slugs(session), would=would)


def _slugs(session: Session) -> dict[int, str]:
    return {project.id: project.slug for project in session.gl.projects()}


def _use(role: str, via: str | None, strength: float | None) -> str:
    return role + (f" {strength:g}" if strength is not None else "") + (f" (via {via})" if via else "")


def _none() -> Text:
    return Text("None.", style="dim")
