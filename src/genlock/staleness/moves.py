"""Moves what is expected: new versions, activations, pins. Each recomputes what is out of date in its transaction.

    lock the library ─▶ move ─▶ recompute outdated contents ─▶ commit ─▶ tell (report and events, a transaction later)

No segment is touched, however many become stale.
"""

from collections.abc import Sequence

from genlock.db.connection import Conn
from genlock.errors import NotFound
from genlock.events import log
from genlock.library import actions as library
from genlock.library import sql as library_sql
from genlock.library.model import Added, NewVersion, Outcome
from genlock.model import Actor, Model
from genlock.staleness import moves_sql, outdated_sql
from genlock.staleness.outdated import outdated
from genlock.takes import input_links
from genlock.timeline import actions as timeline
from genlock.timeline import pin_sql
from genlock.timeline.model import NewPin, Pin


class Moved(Model):
    """An asset's active version moved, or did not: then there is no ``activation_id``."""

    asset_id: int
    previous: int | None
    active: int
    activation_id: int | None


async def add_version(
    conn: Conn, asset_id: int, new: NewVersion, actor: Actor, *, activate: bool = True
) -> tuple[Added, Moved | None]:
    """Register stored bytes as a version and, if asked or if it is the first, make it active."""
    await library_sql.lock(conn)
    await input_links.lock(conn, [new.digest])
    added = await library.add_version(conn, asset_id, new, actor)
    if added.outcome is not Outcome.EXISTS:
        await input_links.link(conn, asset_id, added.version.number)
    asset = await library_sql.get_asset(conn, asset_id)
    moved = None
    if activate or asset.active_version is None:
        moved = await _activate(conn, asset_id, added.version.number, actor, new.note)
        added = added.model_copy(
            update={"version": await library_sql.get_version(conn, asset_id, added.version.number)}
        )
    await recompute(conn, [asset_id])
    await log.append(
        conn,
        "version.added",
        actor,
        project_id=asset.project_id,
        subject=f"asset/{asset_id}",
        data={"version": added.version.number, "outcome": added.outcome.value},
    )
    await _tell_activation(conn, moved, asset.project_id, actor)
    return added, moved


async def activate(conn: Conn, asset_id: int, number: int, actor: Actor, note: str = "") -> Moved:
    """Make a version the active one."""
    await library_sql.lock(conn)
    moved = await _activate(conn, asset_id, number, actor, note)
    if moved.activation_id is not None:
        await recompute(conn, [asset_id])
        asset = await library_sql.get_asset(conn, asset_id)
        await _tell_activation(conn, moved, asset.project_id, actor)
    return moved


async def pin(conn: Conn, project_id: int, scene_id: int | None, asset_id: int, new: NewPin, actor: Actor) -> Pin:
    """Make a project, or one scene of it, follow a fixed version."""
    await library_sql.lock(conn)
    await timeline.open_project(conn, project_id)
    await library_sql.get_version(conn, asset_id, new.version)
    pin_id = await pin_sql.put_pin(conn, project_id, scene_id, asset_id, new, actor)
    await _recompute_scopes(conn, project_id, scene_id)
    await _tell_pin(conn, "pin.set", project_id, scene_id, asset_id, actor, version=new.version, reason=new.reason)
    return await pin_sql.get_pin(conn, pin_id)


async def unpin(conn: Conn, project_id: int, scene_id: int | None, asset_id: int, actor: Actor) -> None:
    """Follow the active version again. ``NotFound`` when nothing is pinned here."""
    await library_sql.lock(conn)
    if not await pin_sql.remove_pin(conn, project_id, scene_id, asset_id):
        raise NotFound("This asset is not pinned here.", hint="`genlock project show` lists the pins of a project.")
    closed = await pin_sql.close_scope(conn, project_id, scene_id)
    if closed is not None:
        await outdated_sql.forget_scope(conn, closed)
    await _recompute_scopes(conn, project_id, scene_id)
    await _tell_pin(conn, "pin.removed", project_id, scene_id, asset_id, actor)


async def recompute(conn: Conn, assets: Sequence[int] | None, scopes: Sequence[int] | None = None) -> None:
    """Work out again what is out of date downstream of ``assets`` in ``scopes``; the library is locked."""
    affected = await outdated_sql.load_affected(conn, assets, scopes)
    await outdated_sql.keep_outdated(conn, affected, outdated(affected.lineage, affected.scopes, affected.assets))


async def _recompute_scopes(conn: Conn, project_id: int, scene_id: int | None) -> None:
    # A scope that opens needs every asset; a pin that moves within one is as rare, and no more work.
    scopes = await outdated_sql.scopes_of(conn, project_id, scene_id)
    if scopes:
        await recompute(conn, None, scopes)


async def _activate(conn: Conn, asset_id: int, number: int, actor: Actor, note: str) -> Moved:
    previous, activation_id = await library.activate(conn, asset_id, number, actor, note)
    if activation_id is not None and previous is not None:
        await moves_sql.note_untold(conn, activation_id, asset_id, previous)
    return Moved(asset_id=asset_id, previous=previous, active=number, activation_id=activation_id)


async def _tell_activation(conn: Conn, moved: Moved | None, project_id: int | None, actor: Actor) -> None:
    if moved is not None and moved.activation_id is not None:
        await log.append(
            conn,
            "asset.activated",
            actor,
            project_id=project_id,
            subject=f"asset/{moved.asset_id}",
            data={"from": moved.previous, "to": moved.active, "activation": moved.activation_id},
        )


async def _tell_pin(
    conn: Conn, verb: str, project_id: int, scene_id: int | None, asset_id: int, actor: Actor, **said: int | str
) -> None:
    where = {} if scene_id is None else {"scene_id": scene_id}
    await log.append(conn, verb, actor, project_id=project_id, subject=f"asset/{asset_id}", data={**where, **said})
