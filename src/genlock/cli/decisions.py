"""``waive``, ``pin``, ``select`` and the commands that undo them."""

from datetime import datetime
from typing import Annotated

import typer

from genlock.cli.command import command
from genlock.cli.formatting import many
from genlock.cli.session import Session
from genlock.cli.tables import table
from genlock.cli.timeline import ProjectArgument, SegmentArgument
from genlock.cli.times import local_time, parse_time
from genlock.errors import Invalid
from genlock.sdk.references import parse_asset
from genlock.sdk.usage_codes import BAD_REFERENCE
from genlock.staleness.model import Waiver

PlaceArgument = Annotated[
    str, typer.Argument(metavar="PROJECT[/SCENE[/3]]", help="A project, a scene of it, or one segment.")
]
ScopeArgument = Annotated[str, typer.Argument(metavar="PROJECT[/SCENE]", help="A project, or a scene of it.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept with the decision.")]


app = typer.Typer()


@command(
    app,
    "waive",
    example="genlock waive rooftop/night/3 variant:clothed --reason 'the coat is not in the picture'",
)
def waive(
    session: Session,
    place: PlaceArgument,
    cause: Annotated[str, typer.Argument(metavar="KIND:NAME|chain", help="The asset whose change is accepted.")],
    reason: Reason,
    expires: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_time, metavar="TIME", help="When the waiver expires, such as 2026-12-01T18:00+01:00."
        ),
    ] = None,
) -> None:
    """Accept a cause: its segments count as waived until that asset changes again."""
    waivers = session.gl.waive(place, cause, reason, expires_at=expires)
    ids = " ".join(str(waiver.id) for waiver in waivers[:20]) + (" …" if len(waivers) > 20 else "")
    session.show(
        {"items": waivers, "total": len(waivers)},
        f"{many(len(waivers), 'segment')} waived for {cause}. To withdraw: genlock unwaive {ids}",
    )


@command(app, "unwaive", example="genlock unwaive 7")
def unwaive(
    session: Session, waivers: Annotated[list[int], typer.Argument(metavar="ID", help="Waivers, by their ids.")]
) -> None:
    """Withdraw waivers, so that their causes count again."""
    withdrawn = [session.gl.withdraw_waiver(waiver) for waiver in waivers]
    session.show({"items": withdrawn, "total": len(withdrawn)}, f"{many(len(withdrawn), 'waiver')} withdrawn.")


@command(app, "waivers", example="genlock waivers rooftop")
def list_waivers(
    session: Session, project: Annotated[str, typer.Argument(metavar="PROJECT", help="A project.")]
) -> None:
    """List a project's waivers, newest first, including withdrawn and expired ones."""
    waivers = list(session.gl.waivers(project))
    document = {"items": waivers, "total": len(waivers)}
    if session.as_json or not waivers:
        session.show(document, "None.")
        return
    scenes = {scene.id: scene.name for scene in session.gl.scenes(project)}
    segments = {
        segment.id: f"{scenes.get(segment.scene_id, '')}/{segment.position}"
        for segment in session.gl.segments(project, page_size=500)
    }
    assets = {asset.id: f"{asset.kind}:{asset.name}" for asset in session.gl.assets(project=project, page_size=500)}
    rows = [
        (
            waiver.id,
            segments.get(waiver.segment_id, f"segment {waiver.segment_id}"),
            "chain" if waiver.asset_id is None else assets.get(waiver.asset_id, f"asset {waiver.asset_id}"),
            _waiver_end(waiver),
            waiver.created_by,
            waiver.created_at,
            waiver.reason,
        )
        for waiver in waivers
    ]
    headings = ("id", "segment", "cause", "", "by", "when", "reason")
    session.show(document, table(headings, rows, title_columns=3))


@command(app, "pin", example="genlock pin rooftop/night lora:rain@1 --reason 'approved'")
def pin_version(
    session: Session,
    place: ScopeArgument,
    version: Annotated[str, typer.Argument(metavar="KIND:NAME@N", help="The version to follow.")],
    reason: Reason,
) -> None:
    """Make a project, or one of its scenes, use a fixed version of an asset."""
    reference = parse_asset(version)
    if reference.version is None:
        raise Invalid(
            f"{version!r} has no version number.",
            hint=f"Name the version to follow, such as {version}@1.",
            code=BAD_REFERENCE,
        )
    pin = session.gl.pin(place, f"{reference.kind}:{reference.name}", reference.version, reason)
    behind = f", {pin.behind} behind the active version" if pin.behind > 0 else ""
    session.show(pin, f"{place} is pinned to {pin.kind}:{pin.name}@{pin.version}{behind}.")


@command(app, "unpin", example="genlock unpin rooftop/night lora:rain")
def unpin(
    session: Session,
    place: ScopeArgument,
    asset: Annotated[str, typer.Argument(metavar="KIND:NAME", help="The asset to follow again.")],
) -> None:
    """Make a project or scene follow the active version of an asset again."""
    session.gl.unpin(place, asset)
    document = {"place": place, "asset": asset, "pinned": False}
    session.show(document, f"{place} follows the active version of {asset} again.")


@command(app, "pins", example="genlock pins rooftop")
def list_pins(session: Session, project: ProjectArgument) -> None:
    """List the pins of a project and its scenes."""
    pins = list(session.gl.pins(project))
    scenes = {scene.id: scene.name for scene in session.gl.scenes(project)}
    rows = [
        (
            project if pin.scene_id is None else f"{project}/{scenes.get(pin.scene_id, pin.scene_id)}",
            f"{pin.kind}:{pin.name}@{pin.version}",
            f"v{pin.active_version}",
            pin.created_by,
            pin.created_at,
            pin.reason,
        )
        for pin in pins
    ]
    headings = ("where", "pinned to", "active", "by", "when", "reason")
    session.show({"items": pins, "total": len(pins)}, table(headings, rows, title_columns=2) if rows else "None.")


@command(app, "select", example="genlock select rooftop/night/3 1")
def select(
    session: Session,
    segment: SegmentArgument,
    take: Annotated[int, typer.Argument(metavar="TAKE", min=1, help="The take's number.")],
) -> None:
    """Select another take of a segment. The previous take is kept."""
    selected = session.gl.select_take(segment, take)
    session.show(selected, f"Take {selected.number} of {segment} is selected.")


def _waiver_end(waiver: Waiver) -> str:
    if waiver.withdrawn_at is not None:
        return "withdrawn"
    return "" if waiver.expires_at is None else f"until {local_time(waiver.expires_at)}"
