"""``asset``: versioned inputs of generations."""

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
    typer.Option("--project", help="Use this project's own asset; by default the shared one."),
]
Note = Annotated[str, typer.Option(help="A note for the history.")]

_NUMBERED = re.compile(r"(?P<name>.+?)_v\d+")
_OUTCOMES = {
    Outcome.CREATED: "is new",
    Outcome.EQUIVALENT: "is new, equivalent to v{equal} (nothing becomes stale)",
    Outcome.EXISTS: "has these bytes already",
}

app = typer.Typer()
assets = group("Assets: the versioned inputs of generations.", example="genlock asset list --kind lora")


@command(assets, "add", example="genlock asset add rain_v2.safetensors --kind lora --note 'trained longer'")
def add_assets(
    session: Session,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files; each becomes a version.")],
    kind: Annotated[Kind, typer.Option(metavar="KIND", help=f"What they are: {', '.join(Kind)}.")],
    name: Annotated[str | None, typer.Option(help="The asset's name; by default the file's, without _vN.")] = None,
    project: Annotated[str | None, typer.Option(help="Make it this project's own; by default it is shared.")] = None,
    made_from: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="KIND:NAME@N", help="What it was made from; may be repeated."),
    ] = None,
    note: Note = "",
    activate: Annotated[bool, typer.Option("--activate/--no-activate", help="Make it the active version.")] = True,
    bindings: Annotated[
        Path | None, typer.Option("--bindings", metavar="FILE", help="For a workflow: JSON with its node inputs.")
    ] = None,
    comfyui: Annotated[
        str | None,
        typer.Option(
            metavar="URL|FILE",
            help="For a workflow that ComfyUI's page saved: the server, or its saved /object_info, to convert it with."
            " By default the server that Genlock knows.",
        ),
    ] = None,
) -> None:
    """Upload files as versions of assets, which are created if they do not exist."""
    added: list[VersionAdded] = []
    given_bindings = None if bindings is None else read_bindings(bindings)
    for file in files:
        size_of(file)  # raises for folders and missing files before an asset is created
    for file in files:
        with (
            session.gl.asset_for_upload(kind, name or asset_name(file), project=project) as asset,
            transfer(session.err, file.name) as progress,
        ):
            result = session.gl.add_version(
                asset,
                file,
                note=note,
                activate=activate,
                derived_from=made_from or (),
                bindings=given_bindings,
                comfyui=comfyui,
                project=project,
                on_progress=progress,
            )
        added.append(result)
        if not session.as_json:
            for line in _added_lines(session, asset, result):
                session.out.print(line)
    if session.as_json:
        session.show(added[0] if len(added) == 1 else {"items": added, "total": len(added)})


@command(assets, "list", example="genlock asset list --kind lora")
def list_assets(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only names with this prefix.")] = None,
    kind: Annotated[Kind | None, typer.Option(metavar="KIND", help="Only this kind, such as lora.")] = None,
    project: Annotated[str | None, typer.Option(help="Only assets that this project can use.")] = None,
    digest: Annotated[str | None, typer.Option(help="Only assets with a version of this digest.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="List archived assets.")] = False,
) -> None:
    """List assets with their active version."""
    listing = session.gl.assets(kind=kind, project=project, name=name, digest=digest, archived=archived, page_size=500)
    if session.as_json:
        session.show(listing)
        return
    slugs = _slugs(session)
    rows = [
        (
            f"{asset.kind}:{asset.name}",
            None if asset.active_version is None else f"v{asset.active_version}",
            asset.versions_total,
            "shared" if asset.project_id is None else slugs.get(asset.project_id, asset.project_id),
            asset.created_by,
        )
        for asset in listing
    ]
    session.show(listing, table(("asset", "active", "versions", "project", "made by"), rows) if rows else _none())


@command(assets, "show", example="genlock asset show lora:rain")
def show_asset(session: Session, asset: AssetArgument, project: InProject = None) -> None:
    """Show an asset and all its versions."""
    current = session.gl.asset(asset, project=project)
    versions = list(session.gl.versions(current))
    document = {**current.model_dump(mode="json"), "versions": versions}
    rows = [
        (
            f"v{version.number}",
            _version_state(version),
            version.filename,
            size_word(version.size_bytes),
            short(version.digest),
            f"v{version.equivalent_to}" if version.equivalent_to else "",
            f"{version.used_by.segments} ({version.used_by.stale} stale)" if version.used_by else "",
            version.created_by,
            version.created_at,
            version.note,
        )
        for version in versions
    ]
    headings = ("", "", "file", "size", "digest", "equals", "used by", "by", "when", "note")
    used = current.used_by and f"{many(current.used_by.segments, 'segment')}, {current.used_by.stale} stale"
    shown: list[RenderableType] = [heading(f"{current.kind}:{current.name}"), pairs([("used by", used)])]
    session.show(document, *shown, table(headings, rows, title_columns=3) if rows else _none())


@command(assets, "history", example="genlock asset history lora:rain")
def show_history(session: Session, asset: AssetArgument, project: InProject = None) -> None:
    """Show which versions became active, when, and by whom; newest first."""
    activations = list(session.gl.activations(asset, project=project))
    rows = [
        (
            activation.at,
            activation.actor,
            None if activation.from_version is None else f"v{activation.from_version}",
            f"v{activation.to_version}",
            activation.note,
        )
        for activation in activations
    ]
    document = {"items": activations, "total": len(activations)}
    session.show(document, table(("when", "who", "from", "to", "note"), rows) if rows else _none())


@command(assets, "activate", example="genlock asset activate lora:rain@1 --note 'back to the first'")
def activate(session: Session, version: VersionArgument, note: Note = "", project: InProject = None) -> None:
    """Activate a version. Shows what becomes stale and what becomes fresh again."""
    activated = session.gl.activate(version, note=note, project=project)
    was = "" if activated.previous is None else f" (was v{activated.previous})"
    session.show(activated, f"v{activated.active} is active{was}.", *_impact(session, activated.report, would=False))


@command(assets, "impact", example="genlock asset impact lora:rain@2")
def impact(session: Session, version: VersionArgument, project: InProject = None) -> None:
    """Show what would become stale, and fresh again, if a version were active. Changes nothing."""
    forecast = session.gl.impact(version, project=project)
    session.show(forecast, *_impact(session, forecast, would=True))


@command(assets, "download", example="genlock asset download lora:rain@1 models/")
def download(
    session: Session,
    version: AnyArgument,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder, or the file to write.")],
    project: InProject = None,
) -> None:
    """Download a version's file and verify its digest."""
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
    """Rename an asset. Receipts keep the name they were written with."""
    renamed = session.gl.rename_asset(asset, name, project=project)
    session.show(renamed, f"Renamed to {renamed.kind}:{renamed.name}.")


@command(assets, "archive", example="genlock asset archive lora:rain")
def archive(session: Session, asset: AssetArgument, project: InProject = None) -> None:
    """Archive an asset, hiding it from new work. Nothing is deleted, and takes that used it are still judged."""
    session.show(session.gl.archive_asset(asset, project=project), f"{asset} is archived.")


@command(assets, "restore", example="genlock asset restore lora:rain")
def restore(session: Session, asset: AssetArgument, project: InProject = None) -> None:
    """Restore an archived asset."""
    session.show(session.gl.restore_asset(asset, project=project), f"{asset} is restored.")


def show_usage(
    session: Session,
    asset: AnyArgument,
    everything: Annotated[bool, typer.Option("--all", help="All takes, not only selected ones.")] = False,
    within: Annotated[str | None, typer.Option("--in", metavar="PROJECT", help="Only in this project.")] = None,
    project: InProject = None,
) -> None:
    """Show which takes used an asset, or one version of it."""
    usage = session.gl.usage(asset, all_takes=everything, in_project=within, project=project, page_size=500)
    if session.as_json:
        session.show({"items": list(usage), "total": usage.total, "versions": usage.versions or None})
        return
    slugs = _slugs(session)
    rows = [
        (
            slugs.get(item.project_id, item.project_id),
            item.scene,
            item.segment,
            item.take,
            item.state or ("archived" if item.archived else "not selected"),
            ", ".join(_use(use.role, use.via, use.strength_model) for use in item.uses),
            item.receipt_id,
        )
        for item in usage
    ]
    counted = f"{many(usage.total or 0, 'take')} used {asset}."
    per_version = [(f"v{version.number}", many(version.total, "take")) for version in usage.versions]
    shown: list[RenderableType] = [heading(counted)]
    if rows:
        shown.append(table(("project", "scene", "segment", "take", "state", "as", "receipt"), rows, title_columns=3))
    session.show(usage, *shown, *([pairs(per_version)] if per_version else []))


command(assets, "usage", example="genlock asset usage lora:rain@1")(show_usage)
command(app, "usage", example="genlock usage lora:rain@1")(show_usage)


def asset_name(file: Path) -> str:
    """Return the asset name of a file: its stem, without a trailing ``_vN``."""
    match = _NUMBERED.fullmatch(file.stem)
    return match["name"] if match else file.stem


def _added_lines(session: Session, asset: Asset, added: VersionAdded) -> list[RenderableType]:
    version = added.version
    what = _OUTCOMES[added.outcome].format(equal=version.equivalent_to)
    active = "now active" if version.active else "not active"
    headline = Text(f"{asset.kind}:{asset.name}@{version.number} {what}, {active}.")
    return [headline, *_impact(session, added.report, would=False)] if added.report.projects else [headline]


def _version_state(version: Version) -> Text:
    """Return whether a version is active, and whether its bytes are gone."""
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
