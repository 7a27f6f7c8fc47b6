"""``waive``, ``pin``, ``select`` and their opposites: what a person decides."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from genlock.cli.command import command
from genlock.cli.formatting import many, short, table
from genlock.cli.session import Session
from genlock.cli.timeline import ProjectArgument, SegmentArgument
from genlock.errors import Invalid
from genlock.sdk.references import parse_asset
from genlock.sdk.usage_codes import BAD_REFERENCE

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
    expires: Annotated[datetime | None, typer.Option(help="When the waiver ends by itself (UTC).")] = None,
) -> None:
    """Accept a cause: its segments count as waived until that asset changes again."""
    until = expires.replace(tzinfo=UTC) if expires is not None else None
    made = session.gl.waive(place, cause, reason, expires_at=until)
    numbers = ", ".join(str(one.id) for one in made[:20]) + (" …" if len(made) > 20 else "")
    session.show(
        {"items": made, "total": len(made)},
        f"{many(len(made), 'segment')} waived for {cause}. Withdraw with: genlock unwaive {numbers}",
    )


@command(app, "unwaive", example="genlock unwaive 7")
def unwaive(
    session: Session, waivers: Annotated[list[int], typer.Argument(metavar="ID", help="Waivers, by their ids.")]
) -> None:
    """Withdraw waivers, so that their causes count again."""
    withdrawn = [session.gl.withdraw_waiver(one) for one in waivers]
    session.show({"items": withdrawn, "total": len(withdrawn)}, f"{many(len(withdrawn), 'waiver')} withdrawn.")


@command(app, "waivers", example="genlock waivers rooftop")
def list_waivers(
    session: Session, project: Annotated[str, typer.Argument(metavar="PROJECT", help="A project.")]
) -> None:
    """List a project's waivers, newest first, including withdrawn and expired ones."""
    found = list(session.gl.waivers(project))
    rows = [
        (
            one.id,
            one.segment_id,
            "chain" if one.asset_id is None else one.asset_id,
            f"{short(one.used_digest)} → {short(one.expected_digest)}",
            one.created_by,
            one.created_at,
            "withdrawn" if one.withdrawn_at else f"until {one.expires_at:%Y-%m-%d %H:%M}" if one.expires_at else "",
            one.reason,
        )
        for one in found
    ]
    headings = ("id", "segment", "asset", "accepted", "by", "when", "", "reason")
    session.show({"items": found, "total": len(found)}, table(headings, rows) if rows else "None.")


@command(app, "pin", example="genlock pin rooftop/night lora:rain@1 --reason 'approved'")
def pin(
    session: Session,
    place: ScopeArgument,
    version: Annotated[str, typer.Argument(metavar="KIND:NAME@N", help="The version to follow.")],
    reason: Reason,
) -> None:
    """Make a project, or one of its scenes, use a fixed version of an asset."""
    reference = parse_asset(version)
    if reference.version is None:
        raise Invalid(
            f"{version!r} names no version.", hint=f"Write which one to follow: {version}@1", code=BAD_REFERENCE
        )
    made = session.gl.pin(place, f"{reference.kind}:{reference.name}", reference.version, reason)
    behind = f", {made.behind} behind the active one" if made.behind > 0 else ""
    session.show(made, f"{place} is pinned to {made.kind}:{made.name}@{made.version}{behind}.")


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
    found = list(session.gl.pins(project))
    names = {scene.id: scene.name for scene in session.gl.scenes(project)}
    rows = [
        (
            project if one.scene_id is None else f"{project}/{names.get(one.scene_id, one.scene_id)}",
            f"{one.kind}:{one.name}@{one.version}",
            f"v{one.active_version}",
            one.created_by,
            one.created_at,
            one.reason,
        )
        for one in found
    ]
    headings = ("where", "pinned to", "active", "by", "when", "reason")
    session.show({"items": found, "total": len(found)}, table(headings, rows) if rows else "None.")


@command(app, "select", example="genlock select rooftop/night/3 1")
def select(
    session: Session,
    segment: SegmentArgument,
    take: Annotated[int, typer.Argument(metavar="TAKE", min=1, help="The take's number.")],
) -> None:
    """Select another take of a segment. The previous take is kept."""
    chosen = session.gl.select_take(segment, take)
    session.show(chosen, f"Take {chosen.number} of {segment} is in the cut.")
