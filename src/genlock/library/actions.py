"""Writes of assets and versions. Their effect on segments is decided in ``staleness``."""

from collections.abc import Mapping
from typing import Any

from genlock.db.connection import Conn
from genlock.errors import Conflict, NotFound
from genlock.events import log
from genlock.library import sql, workflow_bindings_sql
from genlock.library.model import Added, Asset, BindingsChange, NewAsset, NewVersion, Outcome, VersionRef
from genlock.model import Actor


async def create_asset(conn: Conn, new: NewAsset, actor: Actor) -> Asset:
    """Create an asset without versions. Raise ``Conflict`` if its kind and name are taken."""
    asset_id = await sql.insert_asset(conn, new, actor)
    await log.append(
        conn, "asset.created", actor, project_id=new.project_id, subject=f"asset/{asset_id}", data={"name": new.name}
    )
    return await sql.get_asset(conn, asset_id)


async def add_version(conn: Conn, asset_id: int, new: NewVersion, actor: Actor) -> Added:
    """Register stored bytes as a version of an asset, unless the asset has them already.

    The caller holds the library's lock. Raise ``NotFound`` for unknown sources and ``Conflict`` when a version would
    become its own ancestor.
    """
    asset = await sql.lock_asset(conn, asset_id)
    if asset.archived:
        raise Conflict(f"The asset {asset.name!r} is archived.", hint="Restore it before adding versions.")
    sources = tuple(sorted(set(new.derived_from), key=lambda ref: (ref.asset_id, ref.number)))
    await _check_sources(conn, sources)
    number = await sql.version_with_digest(conn, asset_id, new.digest)
    outcome = Outcome.EXISTS
    if number is None:
        equal = await sql.first_equal(conn, asset_id, new.effective_digest)
        outcome = Outcome.CREATED if equal is None else Outcome.EQUIVALENT
        number = await sql.insert_version(conn, asset_id, new, equal, actor)
    elif new.bindings is not None:
        await _require_bindings(conn, asset, number, new.bindings)
    derivation_id = None
    if sources:
        if await sql.descends_from(conn, sources, asset_id, new.effective_digest):
            raise Conflict(
                f"{asset.name} v{number} would become its own ancestor.",
                hint="Leave out of derived_from what was itself made from this version.",
                code="own_ancestor",
            )
        derivation_id = await sql.insert_derivation(conn, VersionRef(asset_id=asset_id, number=number), sources, actor)
    version = await sql.get_version(conn, asset_id, number)
    return Added(outcome=outcome, version=version, derivation_id=derivation_id)


async def activate(
    conn: Conn, asset_id: int, number: int, actor: Actor, note: str = ""
) -> tuple[int | None, int | None]:
    """Activate a version; return the previous one and the id of the log entry, ``None`` if it was already active.

    The caller holds the library's lock.
    """
    asset = await sql.lock_asset(conn, asset_id)
    if asset.archived:
        raise Conflict(f"The asset {asset.name!r} is archived.", hint="Restore it before activating a version.")
    if await sql.missing_versions(conn, (VersionRef(asset_id=asset_id, number=number),)):
        raise NotFound(f"{asset.name} has no version {number}.", hint=f"It has versions 1 to {asset.versions_total}.")
    if asset.active_version == number:
        return number, None
    return asset.active_version, await sql.move_active(conn, asset_id, asset.active_version, number, actor, note)


async def rename_asset(conn: Conn, asset_id: int, name: str, actor: Actor) -> Asset:
    """Rename an asset; receipts keep the name they were written with. Raise ``Conflict`` if the name is taken."""
    before = await sql.lock_asset(conn, asset_id)
    if before.name != name:
        await sql.rename_asset(conn, asset_id, name)
        await _append_event(conn, "asset.renamed", before, actor, {"from": before.name, "to": name})
    return await sql.get_asset(conn, asset_id)


async def archive_asset(conn: Conn, asset_id: int, actor: Actor) -> Asset:
    """Hide an asset from new work. Takes that used it are still judged."""
    return await _set_archived(conn, asset_id, True, actor)


async def restore_asset(conn: Conn, asset_id: int, actor: Actor) -> Asset:
    """Restore an archived asset."""
    return await _set_archived(conn, asset_id, False, actor)


async def _set_archived(conn: Conn, asset_id: int, archived: bool, actor: Actor) -> Asset:
    before = await sql.lock_asset(conn, asset_id)
    if before.archived is not archived:
        await sql.set_archived(conn, asset_id, archived)
        await _append_event(conn, "asset.archived" if archived else "asset.restored", before, actor, {})
    return await sql.get_asset(conn, asset_id)


async def _append_event(conn: Conn, verb: str, asset: Asset, actor: Actor, data: dict[str, Any]) -> None:
    await log.append(conn, verb, actor, project_id=asset.project_id, subject=f"asset/{asset.id}", data=data)


async def set_bindings(
    conn: Conn, asset: Asset, number: int, bindings: Mapping[str, Any], note: str, actor: Actor
) -> BindingsChange:
    """Declare ``bindings`` for a version of a workflow. The caller has made sure that they fit its graph."""
    change = await workflow_bindings_sql.insert_bindings(conn, asset, number, bindings, note, actor)
    await _append_event(conn, "asset.bound", asset, actor, {"number": number, "fields": sorted(bindings)})
    return change


async def _require_bindings(conn: Conn, asset: Asset, number: int, bindings: dict[str, Any]) -> None:
    """Raise ``Invalid`` if bytes that are registered are sent with other bindings: those of a version are immutable."""
    if (await sql.get_version(conn, asset.id, number)).bindings != bindings:
        raise Conflict(
            f"{asset.name} v{number} has these bytes already, with other bindings.",
            hint="`genlock workflow bind` sets the bindings of a version that is registered.",
            code="other_bindings",
        )


async def _check_sources(conn: Conn, sources: tuple[VersionRef, ...]) -> None:
    for missing in await sql.missing_versions(conn, sources):
        raise NotFound(
            f"derived_from names version {missing.number} of asset {missing.asset_id}, which does not exist.",
            hint="Upload the source first, or name a version it has.",
        )
