"""``waive``, ``pin``, ``select`` and their opposites: what a person decides."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from genlock.cli.door import Asked, command
from genlock.cli.timeline import SegmentArgument
from genlock.cli.words import many, short, table
from genlock.errors import Invalid
from genlock.sdk.references import BAD_REFERENCE, parse_asset

_PANEL = "Decide"

PlaceArgument = Annotated[
    str, typer.Argument(metavar="PROJECT[/SCENE[/3]]", help="A project, a scene of it, or one segment.")
]
ScopeArgument = Annotated[str, typer.Argument(metavar="PROJECT[/SCENE]", help="A project, or a scene of it.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept with the decision.")]


def register(app: typer.Typer) -> None:
    """Add these commands to ``app``."""
    example = "genlock waive rooftop/night/3 variant:clothed --reason 'the coat is not in the picture'"
    command(app, "waive", example=example, panel=_PANEL)(waive)
    command(app, "unwaive", example="genlock unwaive 7", panel=_PANEL)(unwaive)
    command(app, "waivers", example="genlock waivers rooftop", panel=_PANEL)(list_waivers)
    command(app, "pin", example="genlock pin rooftop/night lora:rain@1 --reason 'approved'", panel=_PANEL)(pin)
    command(app, "unpin", example="genlock unpin rooftop/night lora:rain", panel=_PANEL)(unpin)
    command(app, "pins", example="genlock pins rooftop", panel=_PANEL)(list_pins)
    command(app, "select", example="genlock select rooftop/night/3 1", panel=_PANEL)(select)


def waive(
    asked: Asked,
    place: PlaceArgument,
    cause: Annotated[str, typer.Argument(metavar="KIND:NAME|chain", help="The asset whose change is accepted.")],
    reason: Reason,
    expires: Annotated[datetime | None, typer.Option(help="When the waiver ends by itself (UTC).")] = None,
) -> None:
    """Accept a cause: its segments count as waived until that asset really changes again."""
    until = expires.replace(tzinfo=UTC) if expires is not None else None
    made = asked.gl.waive(place, cause, reason, expires_at=until)
    numbers = ", ".join(str(one.id) for one in made[:20]) + (" …" if len(made) > 20 else "")
    asked.show(
        {"items": made, "total": len(made)},
        f"{many(len(made), 'segment')} waived for {cause}. Withdraw with: genlock unwaive {numbers}",
    )


def unwaive(
    asked: Asked, waivers: Annotated[list[int], typer.Argument(metavar="ID", help="Waivers, by their ids.")]
) -> None:
    """Withdraw waivers: what they accepted counts again."""
    withdrawn = [asked.gl.withdraw_waiver(one) for one in waivers]
    asked.show({"items": withdrawn, "total": len(withdrawn)}, f"{many(len(withdrawn), 'waiver')} withdrawn.")


def list_waivers(asked: Asked, project: Annotated[str, typer.Argument(metavar="PROJECT", help="A project.")]) -> None:
    """List a project's waivers, newest first, withdrawn and expired ones too."""
    found = list(asked.gl.waivers(project))
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
    asked.show({"items": found, "total": len(found)}, table(headings, rows) if rows else "None.")


def pin(
    asked: Asked,
    place: ScopeArgument,
    version: Annotated[str, typer.Argument(metavar="KIND:NAME@N", help="The version to follow.")],
    reason: Reason,
) -> None:
    """Make a project, or one scene of it, follow a fixed version of an asset."""
    reference = parse_asset(version)
    if reference.version is None:
        raise Invalid(
            f"{version!r} names no version.", hint=f"Write which one to follow: {version}@1", code=BAD_REFERENCE
        )
    made = asked.gl.pin(place, f"{reference.kind}:{reference.name}", reference.version, reason)
    behind = f", {made.behind} behind the active one" if made.behind > 0 else ""
    asked.show(made, f"{place} is pinned to {made.kind}:{made.name}@{made.version}{behind}.")


def unpin(
    asked: Asked,
    place: ScopeArgument,
    asset: Annotated[str, typer.Argument(metavar="KIND:NAME", help="The asset to follow again.")],
) -> None:
    """Make a project or scene follow the active version of an asset again."""
    asked.gl.unpin(place, asset)
    document = {"place": place, "asset": asset, "pinned": False}
    asked.show(document, f"{place} follows the active version of {asset} again.")


def list_pins(asked: Asked, project: Annotated[str, typer.Argument(metavar="PROJECT", help="A project.")]) -> None:
    """List what a project and its scenes are pinned to."""
    found = list(asked.gl.pins(project))
    names = {scene.id: scene.name for scene in asked.gl.scenes(project)}
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
    asked.show({"items": found, "total": len(found)}, table(headings, rows) if rows else "None.")


def select(
    asked: Asked,
    segment: SegmentArgument,
    take: Annotated[int, typer.Argument(metavar="TAKE", min=1, help="The take's number.")],
) -> None:
    """Put another take of a segment in the cut. The one before stays."""
    chosen = asked.gl.select_take(segment, take)
    asked.show(chosen, f"Take {chosen.number} of {segment} is in the cut.")
